-- title: Collaborations
-- question: Which two artists had the most songs together on the chart, in your data?
-- parameters: chart = regional-global-daily
-- columns: artist, with_artist, songs, appearances, best_position
--
-- Each pair once, in the order of the alphabet; a song of three artists counts for its three pairs. Songs that only files
-- told are left out, for their credit is one text: where it ends one artist and begins another is not known.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT e.song_id, e.position, s.recording_id
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
known AS (
    SELECT DISTINCT c.song_id, c.artist_id, a.name
    FROM song_artists AS c
    JOIN artists AS a ON a.artist_id = c.artist_id
)
SELECT
    k.name AS artist,
    w.name AS with_artist,
    count(DISTINCT p.recording_id) AS songs,
    count(*) AS appearances,
    min(p.position) AS best_position
FROM placed AS p
JOIN known AS k ON k.song_id = p.song_id
JOIN known AS w ON w.song_id = p.song_id AND (w.name > k.name OR (w.name = k.name AND w.artist_id > k.artist_id))
GROUP BY k.artist_id, k.name, w.artist_id, w.name
ORDER BY songs DESC, appearances DESC, best_position, artist, with_artist, k.artist_id, w.artist_id
LIMIT 20
