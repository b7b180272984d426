-- title: Today's top 10
-- question: What is on top of the chart on its newest date, and how did each song move since the period before?
-- parameters: chart = regional-global-daily
-- columns: position, movement, song, artists, album, chart_date
--
-- movement counts places climbed (+) or lost (-) since the period before; '=' stayed, 'new' never charted before in your
-- data, 'back' charted before but not in the period before; null where your data lacks the period before.
WITH entries AS (
    SELECT
        e.chart_date,
        e.position,
        e.period,
        s.recording_id,
        s.name AS song,
        s.artist_names AS artists,
        a.name AS album
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    LEFT JOIN albums AS a ON a.album_id = s.album_id
    WHERE e.chart = ?
),
newest AS (
    SELECT max(chart_date) AS chart_date
    FROM entries
),
today AS (
    SELECT
        e.*,
        CAST(date_add('day', CASE e.period WHEN 'weekly' THEN -7 ELSE -1 END, e.chart_date) AS date) AS previous_date
    FROM entries AS e
    JOIN newest AS n ON n.chart_date = e.chart_date
),
before AS (
    SELECT e.chart_date, e.recording_id, min(e.position) AS position
    FROM entries AS e
    WHERE e.chart_date IN (SELECT previous_date FROM today)
    GROUP BY e.chart_date, e.recording_id
),
earlier AS (
    SELECT DISTINCT e.recording_id
    FROM entries AS e
    WHERE e.chart_date < (SELECT chart_date FROM newest)
)
SELECT
    t.position,
    CASE
        WHEN NOT EXISTS (SELECT 1 FROM before) THEN NULL
        WHEN b.position > t.position THEN '+' || CAST(b.position - t.position AS varchar)
        WHEN b.position < t.position THEN '-' || CAST(t.position - b.position AS varchar)
        WHEN b.position = t.position THEN '='
        WHEN p.recording_id IS NOT NULL THEN 'back'
        ELSE 'new'
    END AS movement,
    t.song,
    t.artists,
    t.album,
    t.chart_date
FROM today AS t
LEFT JOIN before AS b ON b.recording_id = t.recording_id
LEFT JOIN earlier AS p ON p.recording_id = t.recording_id
WHERE t.position <= 10
ORDER BY t.position
