-- title: An artist's history
-- question: Which songs of an artist were on the chart, when, how high and how often?
-- parameters: chart = regional-global-daily, artist = number-one
-- columns: song, artists, first_date, last_date, periods_on_chart, best_position, newest_position, recording_id
--
-- artist is a name, in capitals or not, or an artist id (case-sensitive), or number-one for the first artist of the newest
-- number one. A song is of every artist it credits; one that only files told is found by its whole credit, which is never
-- split. best_position is the better of Spotify's own peak and the best place in your data; periods_on_chart is Spotify's
-- own figure plus the dates since it was told, and where it never was, the dates in your data. newest_position is null where
-- the recording is not on the newest date.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart, CAST(? AS varchar) AS artist
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        e.position,
        e.song_id,
        s.name AS song,
        s.artist_names AS artists,
        e.official_peak_position,
        e.official_periods_on_chart,
        row_number() OVER (PARTITION BY s.recording_id, e.chart_date ORDER BY e.position) AS turn
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
known AS (
    SELECT c.song_id, a.artist_id, a.name, c.artist_position
    FROM song_artists AS c
    JOIN artists AS a ON a.artist_id = c.artist_id
),
credited AS (
    SELECT
        p.recording_id,
        coalesce(k.artist_id, p.artists) AS artist_key,
        coalesce(k.name, p.artists) AS artist,
        p.position = 1
            AND coalesce(k.artist_position, 1) = 1
            AND p.chart_date = (SELECT max(chart_date) FROM placed) AS is_number_one
    FROM placed AS p
    LEFT JOIN known AS k ON k.song_id = p.song_id
),
meant AS (
    SELECT DISTINCT c.artist_key
    FROM credited AS c
    CROSS JOIN asked AS a
    WHERE CASE a.artist
            WHEN 'number-one' THEN c.is_number_one
            ELSE lower(c.artist) = lower(a.artist) OR c.artist_key = a.artist
        END
),
followed AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.recording_id, p.turn ORDER BY p.chart_date) AS nth_date,
        row_number() OVER (PARTITION BY p.recording_id ORDER BY p.chart_date DESC, p.position) AS from_last
    FROM placed AS p
    WHERE p.recording_id IN (
            SELECT c.recording_id
            FROM credited AS c
            JOIN meant AS m ON m.artist_key = c.artist_key
        )
),
records AS (
    SELECT
        recording_id,
        min(chart_date) AS first_date,
        max(chart_date) AS last_date,
        least(min(position), coalesce(min(official_peak_position), min(position))) AS best_position,
        count(DISTINCT chart_date) + coalesce(
            max_by(official_periods_on_chart - nth_date, chart_date)
                FILTER (WHERE turn = 1 AND official_periods_on_chart IS NOT NULL),
            0
        ) AS periods_on_chart
    FROM followed
    GROUP BY recording_id
)
SELECT
    l.song,
    l.artists,
    r.first_date,
    r.last_date,
    r.periods_on_chart,
    r.best_position,
    CASE WHEN r.last_date = (SELECT max(chart_date) FROM placed) THEN l.position END AS newest_position,
    r.recording_id
FROM records AS r
JOIN followed AS l ON l.recording_id = r.recording_id AND l.from_last = 1
ORDER BY r.first_date, r.best_position, l.song, r.recording_id
