-- title: Record labels
-- question: Which record labels had the most places on the chart, in your data?
-- parameters: chart = regional-global-daily
-- columns: label, appearances, songs, best_position, share
--
-- Only official files tell the label, which is counted as they write it. share is of the
-- places that tell one. A chart known from playlists alone has no rows.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT e.label, e.position, s.recording_id
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked) AND e.label IS NOT NULL
)
SELECT
    p.label,
    count(*) AS appearances,
    count(DISTINCT p.recording_id) AS songs,
    min(p.position) AS best_position,
    CAST(count(*) AS double) / max(t.places) AS share
FROM placed AS p
CROSS JOIN (SELECT count(*) AS places FROM placed) AS t
GROUP BY p.label
ORDER BY appearances DESC, best_position, p.label
LIMIT 20
