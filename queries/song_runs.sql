-- title: A song's runs
-- question: When was a song on the chart without a break, how high, and how long was it away in between?
-- parameters: chart = regional-global-daily, song = number-one
-- columns: first_date, last_date, periods, best_position, gap_before
--
-- song is a title, with or without what follows it in brackets, a song id or an ISRC, in capitals or not (ids are
-- case-sensitive), or number-one for the one that is number one on the newest date. Of several recordings of one title it is the one that was on this chart most often. A
-- recording's song ids count together, by the better place where two are on the chart at once.
-- A run ends where the song was not seen in a period, or the period is missing in your data. gap_before counts the periods
-- since the run before; null for the first.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart, CAST(? AS varchar) AS song
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        CASE e.period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        e.position,
        s.name AS song,
        s.artist_names AS artists,
        row_number() OVER (PARTITION BY s.recording_id, e.chart_date ORDER BY e.position) AS turn,
        CASE a.song
            WHEN 'number-one' THEN e.position = 1 AND e.chart_date = max(e.chart_date) OVER ()
            ELSE starts_with(lower(s.name) || ' (', lower(a.song) || ' (') OR s.song_id = a.song
                OR s.recording_id IN (a.song, upper(a.song))
        END AS is_meant
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    CROSS JOIN asked AS a
    WHERE e.chart = a.chart
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
        lag(p.chart_date) OVER (ORDER BY p.chart_date) AS seen_date
    FROM placed AS p
    JOIN meant AS m ON m.recording_id = p.recording_id
    WHERE p.turn = 1
),
numbered AS (
    SELECT
        f.*,
        sum(
            CASE WHEN f.chart_date = CAST(date_add('day', f.step, f.seen_date) AS date) THEN 0 ELSE 1 END
        ) OVER (ORDER BY f.chart_date) AS run
    FROM followed AS f
),
runs AS (
    SELECT
        run,
        min(chart_date) AS first_date,
        max(chart_date) AS last_date,
        count(*) AS periods,
        min(position) AS best_position,
        max(step) AS step
    FROM numbered
    GROUP BY run
)
SELECT
    first_date,
    last_date,
    periods,
    best_position,
    date_diff('day', lag(last_date) OVER (ORDER BY first_date), first_date) / step - 1 AS gap_before
FROM runs
ORDER BY first_date
