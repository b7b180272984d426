-- title: New and returning songs
-- question: Which songs came onto the chart on a date, for the first time or again?
-- parameters: chart = regional-global-daily, to_date = newest
-- columns: song, artists, position, kind, first_date, last_seen_date, chart_date
--
-- kind is 'new' for a song that never charted before, 'back' for one that charted before but not in the period before.
-- Spotify's own figures are taken where it told them; else your data, and a song is left out where nothing tells: the
-- period before is missing, did not reach down so far, or has places whose song is not known. first_date is the first and
-- last_seen_date the last date before this one in your data.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart, CAST(? AS varchar) AS to_date
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
firsts AS (
    SELECT recording_id, min(chart_date) AS first_date
    FROM placed
    GROUP BY recording_id
)
SELECT
    s.name AS song,
    s.artist_names AS artists,
    m.position,
    m.movement AS kind,
    f.first_date,
    m.seen_date AS last_seen_date,
    m.chart_date
FROM moved AS m
CROSS JOIN asked AS a
JOIN firsts AS f ON f.recording_id = m.recording_id
JOIN songs AS s ON s.song_id = m.song_id
WHERE m.turn = 1
    AND m.movement IN ('new', 'back')
    AND m.chart_date = CASE a.to_date
        WHEN 'newest' THEN (SELECT max(chart_date) FROM held)
        ELSE try_cast(a.to_date AS date)
    END
ORDER BY m.position
