-- meaning: One row for each position of each chart on each date, with the names of the song, its album and its credit.
-- column: chart string: Spotify's alias of the chart (regional-global-daily) or your own name for it.
-- column: chart_date date: Last day counted.
-- column: position int: Place on the chart, 1 is the top. Gaps are unknown places, never closed up.
-- column: song string: Title.
-- column: artists string: The credit: verbatim where a file gives it, else the names joined by commas.
-- column: album string: Title of the album; null where only files told of the song.
-- column: release_date date: The album's; padded to the first of the month or year where Spotify knows no more.
-- column: streams bigint: Streams in the period, where the provider tells them.
-- column: official_previous_position int: Spotify's own figure; null: new, back or not told.
-- column: official_peak_position int: Spotify's own figure: the best position so far.
-- column: official_periods_on_chart int: Spotify's own figure: days or weeks on the chart.
-- column: label string: Record label, where the provider tells it.
-- column: period string: daily or weekly.
-- column: provider string: Which provider served this day: playlist, charts_csv or public_charts.
-- column: recording_id string: The recording: upper-case ISRC, else song_id. It often has several song ids.
-- column: song_id string: The song: songs.song_id.
-- column: album_id string: The album: albums.album_id.
-- column: url string: Link to the song on open.spotify.com.
-- column: image_url string: Largest cover image of the album.
-- column: year string: Year of chart_date, YYYY: a condition on it makes a query read less.
SELECT
    e.chart,
    e.chart_date,
    e.position,
    s.name AS song,
    s.artist_names AS artists,
    a.name AS album,
    a.release_date,
    e.streams,
    e.official_previous_position,
    e.official_peak_position,
    e.official_periods_on_chart,
    e.label,
    e.period,
    e.provider,
    s.recording_id,
    e.song_id,
    s.album_id,
    s.url,
    a.image_url,
    e.year
FROM chart_entries AS e
JOIN songs AS s ON s.song_id = e.song_id
LEFT JOIN albums AS a ON a.album_id = s.album_id
