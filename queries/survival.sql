-- title: Survival
-- question: Of the songs that came onto the chart, which share was still there some days or weeks later?
-- parameters: chart = regional-global-daily
-- columns: periods, at_risk, survived, share, depth
--
-- periods are days, or weeks of a weekly chart. A recording came where your data first show it, and hold the period before.
-- It survived where it is there so many periods later, whether or not it was away in between. at_risk counts the recordings
-- of which that is known: the later date is neither ahead nor missing in your data. All of it is of the chart down to depth,
-- the last place that every date reaches; dates that have places down to there whose song is not known count as missing.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
documents AS (
    SELECT
        chart_date,
        CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        min(depth) OVER () AS depth,
        depth - entries - skipped_local - skipped_episode AS unknown_places
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
placed AS (
    SELECT d.chart_date, s.recording_id, count(*) AS places
    FROM documents AS d
    JOIN chart_entries AS e ON e.chart_date = d.chart_date AND e.position <= d.depth
    JOIN songs AS s ON s.song_id = e.song_id
    WHERE e.chart = (SELECT chart FROM asked)
    GROUP BY d.chart_date, s.recording_id
),
filled AS (
    SELECT chart_date, sum(places) AS places
    FROM placed
    GROUP BY chart_date
),
held AS (
    SELECT d.chart_date, d.step
    FROM documents AS d
    JOIN filled AS f ON f.chart_date = d.chart_date
    WHERE d.unknown_places = 0 OR f.places = d.depth
),
firsts AS (
    SELECT recording_id, min(chart_date) AS first_date
    FROM placed
    GROUP BY recording_id
),
arrivals AS (
    SELECT f.recording_id, f.first_date, h.step
    FROM firsts AS f
    JOIN held AS h ON h.chart_date = f.first_date
    JOIN held AS b ON b.chart_date = CAST(date_add('day', -h.step, f.first_date) AS date)
),
later AS (
    SELECT
        n.periods,
        a.recording_id,
        CAST(date_add('day', n.periods * a.step, a.first_date) AS date) AS chart_date
    FROM arrivals AS a
    CROSS JOIN (VALUES 1, 2, 4, 8, 13, 26, 52, 104, 208, 364) AS n(periods)
),
counted AS (
    SELECT l.periods, count(*) AS at_risk, count(p.recording_id) AS survived
    FROM later AS l
    JOIN held AS h ON h.chart_date = l.chart_date
    LEFT JOIN placed AS p ON p.chart_date = l.chart_date AND p.recording_id = l.recording_id
    GROUP BY l.periods
)
SELECT
    c.periods,
    c.at_risk,
    c.survived,
    CAST(c.survived AS double) / c.at_risk AS share,
    d.depth
FROM counted AS c
CROSS JOIN (SELECT max(depth) AS depth FROM documents) AS d
ORDER BY c.periods
