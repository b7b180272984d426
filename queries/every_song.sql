-- title: Every song
-- question: Which recordings were ever on the chart, when, where, how high and how often?
-- parameters: chart = regional-global-daily
-- columns: recording_id, song, artists, album, url, isrc, first_date, last_date, best_position, periods_on_chart, runs, total_streams, positions
--
-- positions is 'YYYY-MM-DD:position' for each date, joined by spaces, the better place where a recording was there twice.
-- Song, artists, album, url and isrc are those it last charted with. A run ends where the recording was not seen in a period, or
-- the period is missing in your data. total_streams is of the dates in your data, and null if one of them does not tell.
-- best_position is the better of Spotify's own peak and the best place in your data. periods_on_chart is Spotify's own
-- figure plus the dates since it was told; where it never was, the dates in your data.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        CAST(date_add('day', CASE e.period WHEN 'weekly' THEN -7 ELSE -1 END, e.chart_date) AS date) AS previous_date,
        e.position,
        e.song_id,
        e.streams,
        e.official_peak_position,
        e.official_periods_on_chart,
        row_number() OVER (PARTITION BY s.recording_id, e.chart_date ORDER BY e.position) AS turn
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
followed AS (
    SELECT
        p.*,
        row_number() OVER (PARTITION BY p.recording_id, p.turn ORDER BY p.chart_date) AS nth_date,
        row_number() OVER (PARTITION BY p.recording_id ORDER BY p.chart_date DESC, p.position) AS from_last,
        lag(p.chart_date) OVER (PARTITION BY p.recording_id, p.turn ORDER BY p.chart_date) AS seen_date
    FROM placed AS p
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
        ) AS periods_on_chart,
        count_if(turn = 1 AND (seen_date IS NULL OR seen_date <> previous_date)) AS runs,
        CASE WHEN count(streams) = count(*) THEN CAST(sum(streams) AS bigint) END AS total_streams,
        array_join(
            array_agg(CAST(chart_date AS varchar) || ':' || CAST(position AS varchar) ORDER BY chart_date)
                FILTER (WHERE turn = 1),
            ' '
        ) AS positions
    FROM followed
    GROUP BY recording_id
)
SELECT
    r.recording_id,
    s.name AS song,
    s.artist_names AS artists,
    a.name AS album,
    s.url,
    s.isrc,
    r.first_date,
    r.last_date,
    r.best_position,
    r.periods_on_chart,
    r.runs,
    r.total_streams,
    r.positions
FROM records AS r
JOIN followed AS l ON l.recording_id = r.recording_id AND l.from_last = 1
JOIN songs AS s ON s.song_id = l.song_id
LEFT JOIN albums AS a ON a.album_id = s.album_id
ORDER BY r.last_date DESC, r.best_position, r.recording_id
