-- title: Artists by appearances
-- question: Which artists had the most songs on the chart, counted over all its dates in your data?
-- parameters: chart = regional-global-daily
-- columns: artist, appearances, songs, best_position
--
-- Every artist of a song counts, so shares of a chart sum to more than one.
SELECT
    a.name AS artist,
    count(*) AS appearances,
    count(DISTINCT s.recording_id) AS songs,
    min(e.position) AS best_position
FROM chart_entries AS e
JOIN songs AS s ON s.song_id = e.song_id
JOIN song_artists AS sa ON sa.song_id = e.song_id
JOIN artists AS a ON a.artist_id = sa.artist_id
WHERE e.chart = ?
GROUP BY a.artist_id, a.name
ORDER BY appearances DESC, best_position, artist
LIMIT 20
