-- title: Longest on the chart
-- question: Which recordings were on the chart most often, in your data?
-- parameters: chart = regional-global-daily
-- columns: song, artists, periods_on_chart, best_position, first_date, last_date
--
-- Counts recordings, not song ids: one recording often has several. A day that is missing in your data counts for none.
SELECT
    max_by(s.name, e.chart_date) AS song,
    max_by(s.artist_names, e.chart_date) AS artists,
    count(DISTINCT e.chart_date) AS periods_on_chart,
    min(e.position) AS best_position,
    min(e.chart_date) AS first_date,
    max(e.chart_date) AS last_date
FROM chart_entries AS e
JOIN songs AS s ON s.song_id = e.song_id
WHERE e.chart = ?
GROUP BY s.recording_id
ORDER BY periods_on_chart DESC, best_position, song
LIMIT 20
