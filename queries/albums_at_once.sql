-- title: Albums at once
-- question: Which albums had the most songs on the chart on one date, and when first?
-- parameters: chart = regional-global-daily
-- columns: album, artists, songs, chart_date, album_id
--
-- One row an album: its record and the first date of it. artists are those of all its songs on that date, 'Various artists'
-- where no artist is. Songs that only files told have no album, so a chart known from files alone has no rows.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT DISTINCT s.album_id, e.chart_date, s.recording_id, e.song_id
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked) AND s.album_id IS NOT NULL
),
counted AS (
    SELECT album_id, chart_date, count(DISTINCT recording_id) AS songs
    FROM placed
    GROUP BY album_id, chart_date
),
turned AS (
    SELECT c.*, row_number() OVER (PARTITION BY c.album_id ORDER BY c.songs DESC, c.chart_date) AS turn
    FROM counted AS c
),
records AS (
    SELECT album_id, chart_date, songs
    FROM turned
    WHERE turn = 1
    ORDER BY songs DESC, chart_date, album_id
    LIMIT 20
),
shared AS (
    SELECT r.album_id, a.name, a.artist_id, min(c.artist_position) AS place
    FROM records AS r
    JOIN placed AS p ON p.album_id = r.album_id AND p.chart_date = r.chart_date
    JOIN song_artists AS c ON c.song_id = p.song_id
    JOIN artists AS a ON a.artist_id = c.artist_id
    GROUP BY r.album_id, a.name, a.artist_id
    HAVING count(DISTINCT p.recording_id) = max(r.songs)
),
named AS (
    SELECT album_id, array_join(array_agg(name ORDER BY place, name), ', ') AS artists
    FROM shared
    GROUP BY album_id
)
SELECT
    b.name AS album,
    coalesce(n.artists, 'Various artists') AS artists,
    r.songs,
    r.chart_date,
    r.album_id
FROM records AS r
JOIN albums AS b ON b.album_id = r.album_id
LEFT JOIN named AS n ON n.album_id = r.album_id
ORDER BY r.songs DESC, r.chart_date, album, r.album_id
