-- meaning: The songs of every chart on its newest date.
-- column: chart string: Spotify's alias of the chart (regional-global-daily) or your own name for it.
-- column: chart_date date: The newest date of the chart.
-- column: position int: Place on the chart, 1 is the top.
-- column: song string: Title.
-- column: artists string: The credit: verbatim where a file gives it, else the names joined by commas.
-- column: album string: Title of the album; null where only files told of the song.
-- column: streams bigint: Streams in the period, where the provider tells them.
-- column: recording_id string: The recording: upper-case ISRC, else song_id.
-- column: song_id string: The song: songs.song_id.
-- column: url string: Link to the song on open.spotify.com.
WITH newest AS (
    SELECT chart, max(chart_date) AS chart_date
    FROM held_dates
    GROUP BY chart
)
SELECT
    c.chart,
    c.chart_date,
    c.position,
    c.song,
    c.artists,
    c.album,
    c.streams,
    c.recording_id,
    c.song_id,
    c.url
FROM newest AS n
JOIN chart_with_names AS c
    ON c.chart = n.chart AND c.chart_date = n.chart_date AND c.year = CAST(year(n.chart_date) AS varchar)
