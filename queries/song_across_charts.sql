-- title: One song across charts
-- question: On which charts was a song, when, how high and how often?
-- parameters: song = number-one
-- columns: chart, period, first_date, last_date, periods_on_chart, best_position, newest_position, song, artists
--
-- song is a title, with or without what follows it in brackets, a song id or an ISRC, in capitals or not (ids are
-- case-sensitive), or number-one for the number one of
-- regional-global-daily's newest date. Of several recordings of one title it is the one that charted most often. A recording
-- is known by its ISRC, or, where only files told of a song, by its song id: another id of it then counts as another.
-- best_position is the better of Spotify's own peak and the best place in your data; periods_on_chart is Spotify's own
-- figure plus the dates since it was told, and where it never was, the dates in your data. newest_position is null where
-- the recording is not on the chart's newest date.
WITH asked AS (
    SELECT CAST(? AS varchar) AS song
),
held AS (
    SELECT chart, max(chart_date) AS newest_date
    FROM snapshots
    WHERE verdict IN ('published', 'partial')
    GROUP BY chart
),
placed AS (
    SELECT
        e.chart,
        e.period,
        s.recording_id,
        e.chart_date,
        e.position,
        s.name AS song,
        s.artist_names AS artists,
        e.official_peak_position,
        e.official_periods_on_chart,
        h.newest_date,
        row_number() OVER (PARTITION BY e.chart, s.recording_id, e.chart_date ORDER BY e.position) AS turn,
        CASE a.song
            WHEN 'number-one'
                THEN e.chart = 'regional-global-daily' AND e.position = 1 AND e.chart_date = h.newest_date
            ELSE starts_with(lower(s.name) || ' (', lower(a.song) || ' (') OR s.song_id = a.song
                OR s.recording_id IN (a.song, upper(a.song))
        END AS is_meant
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    JOIN held AS h ON h.chart = e.chart
    CROSS JOIN asked AS a
),
meant AS (
    SELECT recording_id
    FROM placed
    WHERE is_meant
    GROUP BY recording_id
    ORDER BY count(*) DESC, max(chart_date) DESC, recording_id
    LIMIT 1
),
followed AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.chart, p.turn ORDER BY p.chart_date) AS nth_date
    FROM placed AS p
    JOIN meant AS m ON m.recording_id = p.recording_id
),
records AS (
    SELECT
        chart,
        max_by(period, chart_date) AS period,
        min(chart_date) AS first_date,
        max(chart_date) AS last_date,
        min(position) FILTER (WHERE chart_date = newest_date) AS newest_position,
        least(min(position), coalesce(min(official_peak_position), min(position))) AS best_position,
        count(DISTINCT chart_date) + coalesce(
            max_by(official_periods_on_chart - nth_date, chart_date)
                FILTER (WHERE turn = 1 AND official_periods_on_chart IS NOT NULL),
            0
        ) AS periods_on_chart
    FROM followed
    GROUP BY chart
),
latest AS (
    SELECT song, artists
    FROM followed
    ORDER BY chart_date DESC, position, chart
    LIMIT 1
)
SELECT
    r.chart,
    r.period,
    r.first_date,
    r.last_date,
    r.periods_on_chart,
    r.best_position,
    r.newest_position,
    l.song,
    l.artists
FROM records AS r
CROSS JOIN latest AS l
ORDER BY r.best_position, r.first_date, r.chart
