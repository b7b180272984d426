-- title: Days to the peak
-- question: How many days or weeks did songs take from their debut to their best position?
-- parameters: chart = regional-global-daily
-- columns: song, artists, debut_date, debut_position, best_position, peak_date, periods_to_peak
--
-- The recordings whose debut your data show: the first that they show is the first that Spotify counts, or the period before
-- is in your data without them; and Spotify never counts more periods on the chart than have passed since. best_position is
-- the better of Spotify's own peak and the best place in your data, peak_date its first date there: it and periods_to_peak
-- are null where your data lack the date of Spotify's peak. A song that still climbs may peak later.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
held AS (
    SELECT
        chart_date,
        CAST(date_add('day', CASE period WHEN 'weekly' THEN -7 ELSE -1 END, chart_date) AS date) AS previous_date,
        depth,
        depth - entries - skipped_local - skipped_episode AS unknown_places
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
placed AS (
    SELECT
        s.recording_id,
        e.chart_date,
        CASE e.period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        e.position,
        s.name AS song,
        s.artist_names AS artists,
        e.official_peak_position,
        e.official_periods_on_chart,
        row_number() OVER (PARTITION BY s.recording_id ORDER BY e.chart_date, e.position) AS turn,
        row_number() OVER (PARTITION BY s.recording_id ORDER BY e.chart_date DESC, e.position) AS from_last
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
veterans AS (
    SELECT p.recording_id
    FROM placed AS p
    JOIN placed AS f ON f.recording_id = p.recording_id AND f.turn = 1
    WHERE p.official_periods_on_chart > date_diff('day', f.chart_date, p.chart_date) / p.step + 1
),
debuts AS (
    SELECT f.recording_id, f.chart_date AS debut_date, f.position AS debut_position, f.step
    FROM placed AS f
    JOIN held AS h ON h.chart_date = f.chart_date
    LEFT JOIN held AS b ON b.chart_date = h.previous_date
    WHERE f.turn = 1
        AND (f.official_periods_on_chart = 1 OR (f.position <= b.depth AND b.unknown_places = 0))
        AND f.recording_id NOT IN (SELECT recording_id FROM veterans)
),
peaks AS (
    SELECT
        recording_id,
        least(min(position), coalesce(min(official_peak_position), min(position))) AS best_position
    FROM placed
    GROUP BY recording_id
),
dated AS (
    SELECT p.recording_id, p.best_position, min(e.chart_date) AS peak_date
    FROM peaks AS p
    LEFT JOIN placed AS e ON e.recording_id = p.recording_id AND e.position = p.best_position
    GROUP BY p.recording_id, p.best_position
)
SELECT
    l.song,
    l.artists,
    d.debut_date,
    d.debut_position,
    p.best_position,
    p.peak_date,
    date_diff('day', d.debut_date, p.peak_date) / d.step AS periods_to_peak
FROM debuts AS d
JOIN dated AS p ON p.recording_id = d.recording_id
JOIN placed AS l ON l.recording_id = d.recording_id AND l.from_last = 1
ORDER BY periods_to_peak DESC NULLS LAST, p.best_position, l.song, d.recording_id
