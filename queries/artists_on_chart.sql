-- title: Artists by appearances
-- question: Which artists had the most places on the chart, counted over all its dates in your data?
-- parameters: chart = regional-global-daily
-- columns: artist, appearances, songs, best_position, share, identified
--
-- Every artist of a song counts, so the shares of a chart's artists sum to more than one. share is of all the chart's
-- places in your data. Of a song that only files told, Spotify's artists are not known: its credit counts as it is written,
-- one text for all its artists, and identified is false.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT e.song_id, e.position, s.recording_id, s.artist_names
    FROM chart_entries AS e
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
    count(*) AS appearances,
    count(DISTINCT c.recording_id) AS songs,
    min(c.position) AS best_position,
    CAST(count(*) AS double) / max(t.places) AS share,
    c.identified
FROM credited AS c
CROSS JOIN (SELECT count(*) AS places FROM placed) AS t
GROUP BY c.artist_key, c.artist, c.identified
ORDER BY appearances DESC, best_position, artist, c.artist_key
LIMIT 20
