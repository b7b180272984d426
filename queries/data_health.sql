-- title: Health of the data
-- question: How complete is what is held of a chart: dates missing, depths, places without a song, dates taken back?
-- parameters: chart = regional-global-daily
-- columns: chart, period, first_date, newest_date, dates, missing_dates, providers, min_depth, max_depth, gaps, skipped_null, skipped_local, skipped_episode, warned_dates, partial_dates, withdrawn_dates, superseded_documents
--
-- One row a chart; the chart named all is every chart. gaps are places that hold no song, over all dates held; skipped_null
-- of them were left empty by Spotify, skipped_local are local files, skipped_episode podcast episodes, and of the others
-- the document told nothing. What is quarantined is in no table: `etl status` tells of it.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
documents AS (
    SELECT s.*, CASE s.period WHEN 'weekly' THEN 7 ELSE 1 END AS step
    FROM snapshots AS s
    CROSS JOIN asked AS a
    WHERE a.chart IN (s.chart, 'all')
),
held AS (
    SELECT
        d.*,
        lead(d.chart_date) OVER (PARTITION BY d.chart ORDER BY d.chart_date) AS next_date
    FROM documents AS d
    WHERE d.verdict IN ('published', 'partial')
),
told AS (
    SELECT
        chart,
        max_by(period, chart_date) AS period,
        min(chart_date) AS first_date,
        max(chart_date) AS newest_date,
        count(*) AS dates,
        CAST(
            coalesce(
                sum((date_diff('day', chart_date, next_date) - 1) / step) FILTER (WHERE next_date IS NOT NULL),
                0
            ) AS bigint
        ) AS missing_dates,
        array_join(array_sort(array_agg(DISTINCT provider)), ', ') AS providers,
        min(depth) AS min_depth,
        max(depth) AS max_depth,
        CAST(sum(gaps) AS bigint) AS gaps,
        CAST(sum(skipped_null) AS bigint) AS skipped_null,
        CAST(sum(skipped_local) AS bigint) AS skipped_local,
        CAST(sum(skipped_episode) AS bigint) AS skipped_episode,
        count_if(warnings IS NOT NULL) AS warned_dates,
        count_if(verdict = 'partial') AS partial_dates
    FROM held
    GROUP BY chart
),
others AS (
    SELECT
        chart,
        count_if(verdict = 'withdrawn') AS withdrawn_dates,
        count_if(verdict = 'superseded') AS superseded_documents
    FROM documents
    GROUP BY chart
)
SELECT
    o.chart,
    t.period,
    t.first_date,
    t.newest_date,
    coalesce(t.dates, 0) AS dates,
    t.missing_dates,
    t.providers,
    t.min_depth,
    t.max_depth,
    t.gaps,
    t.skipped_null,
    t.skipped_local,
    t.skipped_episode,
    t.warned_dates,
    t.partial_dates,
    o.withdrawn_dates,
    o.superseded_documents
FROM others AS o
LEFT JOIN told AS t ON t.chart = o.chart
ORDER BY o.chart
