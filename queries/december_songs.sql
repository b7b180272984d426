-- title: Songs of December
-- question: Which songs come back to the chart every December?
-- parameters: chart = regional-global-daily
-- columns: song, artists, decembers, years, best_position
--
-- The recordings that were on the chart in two Decembers or more, and never from February to October, in your data. From its
-- first one on, none of the Decembers in your data lacks the song: one counts once a date from the 25th on is held that
-- reaches down to the best place that the song had in any December.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        e.position,
        e.official_peak_position,
        s.name AS song,
        s.artist_names AS artists,
        row_number() OVER (PARTITION BY s.recording_id ORDER BY e.chart_date DESC, e.position) AS from_last
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
seasonal AS (
    SELECT
        recording_id,
        least(min(position), coalesce(min(official_peak_position), min(position))) AS best_position,
        min(position) FILTER (WHERE month(chart_date) = 12) AS december_position
    FROM placed
    GROUP BY recording_id
    HAVING count_if(month(chart_date) BETWEEN 2 AND 10) = 0
),
decembers AS (
    SELECT DISTINCT recording_id, year(chart_date) AS december
    FROM placed
    WHERE month(chart_date) = 12
),
returns AS (
    SELECT
        recording_id,
        count(*) AS decembers,
        min(december) AS first_december,
        array_join(array_agg(CAST(december AS varchar) ORDER BY december), ', ') AS years
    FROM decembers
    GROUP BY recording_id
    HAVING count(*) >= 2
),
held AS (
    SELECT year(chart_date) AS december, max(depth) AS depth
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked)
        AND verdict IN ('published', 'partial')
        AND month(chart_date) = 12
        AND day(chart_date) >= 25
    GROUP BY year(chart_date)
),
missed AS (
    SELECT r.recording_id
    FROM returns AS r
    JOIN seasonal AS s ON s.recording_id = r.recording_id
    JOIN held AS h ON h.december > r.first_december AND h.depth >= s.december_position
    LEFT JOIN decembers AS d ON d.recording_id = r.recording_id AND d.december = h.december
    WHERE d.recording_id IS NULL
)
SELECT
    l.song,
    l.artists,
    r.decembers,
    r.years,
    s.best_position
FROM returns AS r
JOIN seasonal AS s ON s.recording_id = r.recording_id
JOIN placed AS l ON l.recording_id = r.recording_id AND l.from_last = 1
WHERE r.recording_id NOT IN (SELECT recording_id FROM missed)
ORDER BY r.decembers DESC, s.best_position, l.song, r.recording_id
