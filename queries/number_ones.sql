-- title: Number ones
-- question: Which songs were number one, from when to when, and for how many periods in a row?
-- parameters: chart = regional-global-daily
-- columns: song, artists, first_date, last_date, periods_in_a_row, recording_id
--
-- One row a run, the newest first. A run ends at a date that is missing in your data, or whose number one is not known,
-- so one that begins after such a date may have begun earlier. Song and artists are as of the run's last date.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
tops AS (
    SELECT
        e.chart_date,
        CAST(date_add('day', CASE e.period WHEN 'weekly' THEN -7 ELSE -1 END, e.chart_date) AS date) AS previous_date,
        s.recording_id,
        s.name AS song,
        s.artist_names AS artists
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked) AND e.position = 1
),
begun AS (
    SELECT
        t.*,
        CASE
            WHEN t.recording_id = lag(t.recording_id) OVER (ORDER BY t.chart_date)
                AND t.previous_date = lag(t.chart_date) OVER (ORDER BY t.chart_date) THEN 0
            ELSE 1
        END AS begins
    FROM tops AS t
),
numbered AS (
    SELECT b.*, sum(b.begins) OVER (ORDER BY b.chart_date) AS run
    FROM begun AS b
),
ranked AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.run ORDER BY n.chart_date DESC) AS from_last
    FROM numbered AS n
),
runs AS (
    SELECT run, min(chart_date) AS first_date, count(*) AS periods_in_a_row
    FROM numbered
    GROUP BY run
)
SELECT
    l.song,
    l.artists,
    r.first_date,
    l.chart_date AS last_date,
    r.periods_in_a_row,
    l.recording_id
FROM ranked AS l
JOIN runs AS r ON r.run = l.run
WHERE l.from_last = 1
ORDER BY l.chart_date DESC
