-- title: Calendar of the chart
-- question: Which dates of the chart are held, how deep, from where, and how many songs came, came back and left on each?
-- parameters: chart = regional-global-daily
-- columns: chart_date, held, entries, depth, provider, new_entries, re_entries, left, warnings
--
-- One row for every period from the first to the newest, those that are missing in your data too. new_entries, re_entries
-- and left count recordings against the period before, as far down as both dates reach. They are null where nothing tells:
-- the period before is missing and Spotify told no figures of its own, or the song at some place is not known.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
held AS (
    SELECT
        chart_date,
        CAST(date_add('day', CASE period WHEN 'weekly' THEN -7 ELSE -1 END, chart_date) AS date) AS previous_date,
        depth,
        depth - entries - skipped_local - skipped_episode AS unknown_places
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        e.position,
        e.song_id,
        e.streams,
        e.official_previous_position,
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
        lag(p.chart_date) OVER (PARTITION BY p.recording_id, p.turn ORDER BY p.chart_date) AS seen_date,
        lag(p.position) OVER (PARTITION BY p.recording_id, p.turn ORDER BY p.chart_date) AS seen_position
    FROM placed AS p
),
compared AS (
    SELECT
        f.*,
        CASE
            WHEN f.official_previous_position IS NOT NULL THEN f.official_previous_position
            WHEN f.official_periods_on_chart IS NULL AND f.seen_date = h.previous_date THEN f.seen_position
        END AS previous_position,
        b.depth AS previous_depth,
        f.turn = 1 AND f.position <= b.depth AND b.unknown_places = 0 AS absence_is_known
    FROM followed AS f
    JOIN held AS h ON h.chart_date = f.chart_date
    LEFT JOIN held AS b ON b.chart_date = h.previous_date
),
moved AS (
    SELECT
        c.*,
        CASE
            WHEN c.previous_position > c.position THEN '+' || CAST(c.previous_position - c.position AS varchar)
            WHEN c.previous_position < c.position THEN '-' || CAST(c.position - c.previous_position AS varchar)
            WHEN c.previous_position = c.position THEN '='
            WHEN c.official_periods_on_chart = 1 THEN 'new'
            WHEN c.official_periods_on_chart > 1 THEN 'back'
            WHEN c.absence_is_known AND c.seen_date IS NULL THEN 'new'
            WHEN c.absence_is_known THEN 'back'
        END AS movement
    FROM compared AS c
),
arrivals AS (
    SELECT
        m.chart_date,
        count_if(m.movement = 'new') AS new_entries,
        count_if(m.movement = 'back') AS re_entries,
        count_if(m.movement IS NULL AND m.position <= coalesce(m.previous_depth, m.position)) AS untold
    FROM moved AS m
    WHERE m.turn = 1
    GROUP BY m.chart_date
),
departures AS (
    SELECT
        h.chart_date,
        count_if(b.position <= h.depth AND n.recording_id IS NULL) AS gone
    FROM held AS h
    JOIN placed AS b ON b.chart_date = h.previous_date AND b.turn = 1
    LEFT JOIN placed AS n ON n.chart_date = h.chart_date AND n.recording_id = b.recording_id AND n.turn = 1
    GROUP BY h.chart_date
),
published AS (
    SELECT chart_date, period, entries, provider, warnings
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
span AS (
    SELECT
        min(chart_date) AS first_date,
        date_diff('day', min(chart_date), max(chart_date)) AS days,
        CASE max_by(period, chart_date) WHEN 'weekly' THEN 7 ELSE 1 END AS step
    FROM published
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
    SELECT chart_date
    FROM published
)
SELECT
    d.chart_date,
    h.chart_date IS NOT NULL AS held,
    p.entries,
    h.depth,
    p.provider,
    CASE WHEN a.untold = 0 THEN a.new_entries END AS new_entries,
    CASE WHEN a.untold = 0 THEN a.re_entries END AS re_entries,
    CASE WHEN g.gone = 0 OR h.unknown_places = 0 THEN g.gone END AS "left",
    p.warnings
FROM dates AS d
LEFT JOIN held AS h ON h.chart_date = d.chart_date
LEFT JOIN published AS p ON p.chart_date = d.chart_date
LEFT JOIN arrivals AS a ON a.chart_date = d.chart_date
LEFT JOIN departures AS g ON g.chart_date = d.chart_date
ORDER BY d.chart_date
