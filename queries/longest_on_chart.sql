-- title: Longest on the chart
-- question: Which recordings were on the chart for the most periods?
-- parameters: chart = regional-global-daily
-- columns: song, artists, periods_on_chart, official_periods_on_chart, best_position, first_date, last_date, recording_id
--
-- Counts recordings, not song ids: one recording often has several. periods_on_chart, first_date and last_date are of the
-- dates in your data; a date that is missing there counts for none. official_periods_on_chart is Spotify's own figure as
-- last told, null where it told none. best_position is the better of Spotify's own peak and the best place in your data.
-- The longest by either figure come first.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
placed AS (
    SELECT
        s.recording_id,
        s.name AS song,
        s.artist_names AS artists,
        e.chart_date,
        e.position,
        e.official_peak_position,
        e.official_periods_on_chart,
        row_number() OVER (PARTITION BY s.recording_id ORDER BY e.chart_date DESC, e.position) AS from_last
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
records AS (
    SELECT
        recording_id,
        count(DISTINCT chart_date) AS periods_on_chart,
        max(official_periods_on_chart) AS official_periods_on_chart,
        least(min(position), coalesce(min(official_peak_position), min(position))) AS best_position,
        min(chart_date) AS first_date,
        max(chart_date) AS last_date
    FROM placed
    GROUP BY recording_id
)
SELECT
    l.song,
    l.artists,
    r.periods_on_chart,
    r.official_periods_on_chart,
    r.best_position,
    r.first_date,
    r.last_date,
    r.recording_id
FROM records AS r
JOIN placed AS l ON l.recording_id = r.recording_id AND l.from_last = 1
ORDER BY
    greatest(r.periods_on_chart, coalesce(r.official_periods_on_chart, 0)) DESC,
    r.best_position,
    l.song,
    r.recording_id
LIMIT 20
