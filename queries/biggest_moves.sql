-- title: Biggest moves
-- question: Which songs climbed and fell the most places between two dates of the chart?
-- parameters: chart = regional-global-daily, from_date = previous, to_date = newest
-- columns: song, artists, from_position, to_position, places, recording_id, from_date, to_date
--
-- The ten biggest climbs (places above 0) and the ten biggest falls, of songs that were on the chart on both dates. newest
-- is the newest date in your data; previous is the period before to_date, never an earlier one: where your data lacks it,
-- only Spotify's own figures tell. A recording that is on the chart twice counts by its better place.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart, CAST(? AS varchar) AS from_date, CAST(? AS varchar) AS to_date
),
held AS (
    SELECT
        chart_date,
        CAST(date_add('day', CASE period WHEN 'weekly' THEN -7 ELSE -1 END, chart_date) AS date) AS previous_date
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
meant AS (
    SELECT
        h.chart_date AS to_date,
        h.previous_date,
        CASE a.from_date WHEN 'previous' THEN h.previous_date ELSE try_cast(a.from_date AS date) END AS from_date
    FROM held AS h
    CROSS JOIN asked AS a
    WHERE h.chart_date = CASE a.to_date
            WHEN 'newest' THEN (SELECT max(chart_date) FROM held)
            ELSE try_cast(a.to_date AS date)
        END
),
dates AS (
    SELECT from_date AS chart_date, CAST(year(from_date) AS varchar) AS year
    FROM meant
    UNION
    SELECT to_date, CAST(year(to_date) AS varchar)
    FROM meant
),
placed AS (
    SELECT
        e.chart_date,
        s.recording_id,
        e.position,
        e.official_previous_position,
        e.official_periods_on_chart,
        s.name AS song,
        s.artist_names AS artists,
        row_number() OVER (PARTITION BY s.recording_id, e.chart_date ORDER BY e.position) AS turn
    FROM dates AS d
    JOIN chart_entries AS e ON e.year = d.year AND e.chart_date = d.chart_date
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
paired AS (
    SELECT
        t.song,
        t.artists,
        CASE
            WHEN m.from_date <> m.previous_date THEN f.position
            WHEN t.official_previous_position IS NOT NULL THEN t.official_previous_position
            WHEN t.official_periods_on_chart IS NULL THEN f.position
        END AS from_position,
        t.position AS to_position,
        t.recording_id,
        m.from_date,
        m.to_date
    FROM meant AS m
    JOIN placed AS t ON t.chart_date = m.to_date AND t.turn = 1
    LEFT JOIN placed AS f ON f.chart_date = m.from_date AND f.turn = 1 AND f.recording_id = t.recording_id
),
ranked AS (
    SELECT
        p.*,
        p.from_position - p.to_position AS places,
        row_number() OVER (ORDER BY p.from_position - p.to_position DESC NULLS LAST, p.to_position) AS nth_climb,
        row_number() OVER (ORDER BY p.from_position - p.to_position NULLS LAST, p.to_position) AS nth_fall
    FROM paired AS p
)
SELECT
    r.song,
    r.artists,
    r.from_position,
    r.to_position,
    r.places,
    r.recording_id,
    r.from_date,
    r.to_date
FROM ranked AS r
WHERE (r.places > 0 AND r.nth_climb <= 10) OR (r.places < 0 AND r.nth_fall <= 10)
ORDER BY r.places DESC, r.to_position
