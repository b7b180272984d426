-- title: Release to debut
-- question: How many days after their release did songs come onto the chart?
-- parameters: chart = regional-global-daily
-- columns: song, artists, release_date, first_date, days
--
-- The recordings whose debut your data show (as in days_to_peak) and whose release is known to the day: that of the earliest
-- album they are on. A release after the debut is a reissue's, and left out. first_date is a chart date, the last day
-- counted: a song released on the Friday that a week begins with takes 6 days. Songs that only files told have no release.
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
    SELECT f.recording_id, f.chart_date AS debut_date
    FROM placed AS f
    JOIN held AS h ON h.chart_date = f.chart_date
    LEFT JOIN held AS b ON b.chart_date = h.previous_date
    WHERE f.turn = 1
        AND (f.official_periods_on_chart = 1 OR (f.position <= b.depth AND b.unknown_places = 0))
        AND f.recording_id NOT IN (SELECT recording_id FROM veterans)
),
releases AS (
    SELECT
        s.recording_id,
        min(a.release_date) AS earliest_date,
        min(a.release_date) FILTER (WHERE a.release_date_precision = 'day') AS release_date
    FROM songs AS s
    JOIN albums AS a ON a.album_id = s.album_id
    GROUP BY s.recording_id
)
SELECT
    l.song,
    l.artists,
    r.release_date,
    d.debut_date AS first_date,
    date_diff('day', r.release_date, d.debut_date) AS days
FROM debuts AS d
JOIN releases AS r ON r.recording_id = d.recording_id AND r.release_date = r.earliest_date
JOIN placed AS l ON l.recording_id = d.recording_id AND l.from_last = 1
WHERE r.release_date <= d.debut_date
ORDER BY days DESC, first_date, l.song, d.recording_id
