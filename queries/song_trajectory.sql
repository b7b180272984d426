-- title: A song's trajectory
-- question: Where was a song on each date since it first charted?
-- parameters: chart = regional-global-daily, song = number-one
-- columns: chart_date, position, status, run, song, artists
--
-- song is a title, with or without what follows it in brackets, a song id or an ISRC, in capitals or not (ids are
-- case-sensitive), or number-one for the one that is number one on the newest date. Of several recordings of one title it is the one that was on this chart most often. A
-- recording's song ids count together, by the better place where two are on the chart at once.
-- One row for every period from the song's first date to the chart's newest. status is 'on chart'; 'off chart'; 'missing
-- date' where your data lacks the date; 'beyond depth' where the chart of the date does not reach down to the place that the
-- song held before or after; 'not known' where the song at some place of the date is not known. run numbers the stretches
-- without a break, as in song_runs.
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
held AS (
    SELECT
        chart_date,
        CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        depth,
        depth - entries - skipped_local - skipped_episode AS unknown_places
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
span AS (
    SELECT
        f.first_date,
        date_diff('day', f.first_date, max(h.chart_date)) AS days,
        max_by(h.step, h.chart_date) AS step
    FROM held AS h
    CROSS JOIN (SELECT min(chart_date) AS first_date FROM numbered) AS f
    GROUP BY f.first_date
),
steps AS (
    SELECT first_date, step, sequence(0, days / step) AS numbers
    FROM span
),
dates AS (
    SELECT CAST(date_add('day', n.number * s.step, s.first_date) AS date) AS chart_date
    FROM steps AS s
    CROSS JOIN UNNEST(s.numbers) AS n(number)
    UNION
    SELECT h.chart_date
    FROM held AS h
    JOIN span AS s ON s.first_date <= h.chart_date
),
trail AS (
    SELECT
        d.chart_date,
        h.depth,
        h.unknown_places,
        n.position,
        n.run,
        last_value(n.position) IGNORE NULLS OVER (
            ORDER BY d.chart_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS place_before,
        first_value(n.position) IGNORE NULLS OVER (
            ORDER BY d.chart_date ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS place_after
    FROM dates AS d
    LEFT JOIN held AS h ON h.chart_date = d.chart_date
    LEFT JOIN numbered AS n ON n.chart_date = d.chart_date
),
latest AS (
    SELECT song, artists
    FROM numbered
    ORDER BY chart_date DESC
    LIMIT 1
)
SELECT
    t.chart_date,
    t.position,
    CASE
        WHEN t.position IS NOT NULL THEN 'on chart'
        WHEN t.depth IS NULL THEN 'missing date'
        WHEN t.unknown_places > 0 THEN 'not known'
        WHEN t.place_before > t.depth OR t.place_after > t.depth THEN 'beyond depth'
        ELSE 'off chart'
    END AS status,
    t.run,
    l.song,
    l.artists
FROM trail AS t
CROSS JOIN latest AS l
ORDER BY t.chart_date
