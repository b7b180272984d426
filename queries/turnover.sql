-- title: Turnover
-- question: How many of the chart's songs were new on each date, how many stayed and how many left?
-- parameters: chart = regional-global-daily
-- columns: chart_date, previous_date, common_depth, stayed, entered, left, share_new
--
-- One row for each date whose period before is in your data too: a missing date is never bridged. Recordings are compared to
-- common_depth, the last place that both dates reach, so entered and left are of that top. share_new is entered's share of
-- the date's recordings. All are null where the song at some place of either date, down to there, is not known.
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
pairs AS (
    SELECT
        h.chart_date,
        h.previous_date,
        least(h.depth, b.depth) AS common_depth,
        h.unknown_places,
        b.unknown_places AS unknown_before
    FROM held AS h
    JOIN held AS b ON b.chart_date = h.previous_date
),
placed AS (
    SELECT e.chart_date, e.position, s.recording_id
    FROM chart_entries AS e
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
),
sides AS (
    SELECT p.chart_date, e.recording_id, e.position, TRUE AS is_now
    FROM pairs AS p
    JOIN placed AS e ON e.chart_date = p.chart_date AND e.position <= p.common_depth
    UNION ALL
    SELECT p.chart_date, e.recording_id, e.position, FALSE
    FROM pairs AS p
    JOIN placed AS e ON e.chart_date = p.previous_date AND e.position <= p.common_depth
),
seen AS (
    SELECT
        chart_date,
        recording_id,
        count_if(is_now) AS places_now,
        count_if(NOT is_now) AS places_before
    FROM sides
    GROUP BY chart_date, recording_id
),
counted AS (
    SELECT
        chart_date,
        count_if(places_now > 0 AND places_before > 0) AS stayed,
        count_if(places_now > 0 AND places_before = 0) AS entered,
        count_if(places_now = 0) AS gone,
        sum(places_now) AS places_now,
        sum(places_before) AS places_before
    FROM seen
    GROUP BY chart_date
),
told AS (
    SELECT
        p.chart_date,
        p.previous_date,
        p.common_depth,
        c.stayed,
        c.entered,
        c.gone,
        (p.unknown_places = 0 OR c.places_now = p.common_depth)
            AND (p.unknown_before = 0 OR c.places_before = p.common_depth) AS is_known
    FROM pairs AS p
    JOIN counted AS c ON c.chart_date = p.chart_date
)
SELECT
    chart_date,
    previous_date,
    common_depth,
    CASE WHEN is_known THEN stayed END AS stayed,
    CASE WHEN is_known THEN entered END AS entered,
    CASE WHEN is_known THEN gone END AS "left",
    CASE WHEN is_known THEN CAST(entered AS double) / nullif(stayed + entered, 0) END AS share_new
FROM told
ORDER BY chart_date
