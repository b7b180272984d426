-- title: Today's artists
-- question: Which artists have the most songs on the chart on its newest date?
-- parameters: chart = regional-global-daily
-- columns: artist, songs, best_position, chart_date
--
-- Every artist of a song counts. Of a song that only files told, the credit counts as it is written, never split.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
newest AS (
    SELECT max(chart_date) AS chart_date, CAST(year(max(chart_date)) AS varchar) AS year
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
placed AS (
    SELECT e.chart_date, e.song_id, e.position, s.recording_id, s.artist_names
    FROM newest AS n
    JOIN chart_entries AS e ON e.year = n.year AND e.chart_date = n.chart_date
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
known AS (
    SELECT DISTINCT c.song_id, c.artist_id, a.name
    FROM song_artists AS c
    JOIN artists AS a ON a.artist_id = c.artist_id
),
credited AS (
    SELECT
        p.chart_date,
        p.recording_id,
        p.position,
        k.artist_id IS NOT NULL AS identified,
        coalesce(k.artist_id, p.artist_names) AS artist_key,
        coalesce(k.name, p.artist_names) AS artist
    FROM placed AS p
    LEFT JOIN known AS k ON k.song_id = p.song_id
    WHERE k.artist_id IS NOT NULL OR p.artist_names IS NOT NULL
)
SELECT
    c.artist,
    count(DISTINCT c.recording_id) AS songs,
    min(c.position) AS best_position,
    c.chart_date
FROM credited AS c
GROUP BY c.artist_key, c.artist, c.identified, c.chart_date
ORDER BY songs DESC, best_position, artist, c.artist_key
