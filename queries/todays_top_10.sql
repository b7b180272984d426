-- title: Today's top 10
-- question: What is on top of the chart on its newest date, and how did each song move since the period before?
-- parameters: chart = regional-global-daily
-- columns: position, movement, song, artists, album, chart_date
--
-- movement compares with the period before: '+2' climbed, '-1' lost, '=' stayed, 'new' never charted before, 'back' charted
-- before but not in the period before. Spotify's own figures are taken where it told them; else your data. It is null
-- where nothing tells: the period before is missing, did not reach down so far, or has places whose song is not known.
-- A recording that is on the chart twice is compared place by place.
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
)
SELECT
    m.position,
    m.movement,
    s.name AS song,
    s.artist_names AS artists,
    a.name AS album,
    m.chart_date
FROM moved AS m
JOIN songs AS s ON s.song_id = m.song_id
LEFT JOIN albums AS a ON a.album_id = s.album_id
WHERE m.chart_date = (SELECT max(chart_date) FROM held) AND m.position <= 10
ORDER BY m.position
