-- title: Rows of the tables
-- question: How many rows does each table of the warehouse hold?
-- columns: table_name, rows
SELECT 'albums' AS table_name, count(*) AS rows FROM albums
UNION ALL
SELECT 'artists' AS table_name, count(*) AS rows FROM artists
UNION ALL
SELECT 'chart_entries' AS table_name, count(*) AS rows FROM chart_entries
UNION ALL
SELECT 'snapshots' AS table_name, count(*) AS rows FROM snapshots
UNION ALL
SELECT 'song_artists' AS table_name, count(*) AS rows FROM song_artists
UNION ALL
SELECT 'songs' AS table_name, count(*) AS rows FROM songs
ORDER BY table_name
