-- title: What the warehouse holds
-- question: Which charts are there, from when to when, from which provider, and how many dates are missing in between?
-- columns: chart, period, first_date, newest_date, dates, missing_dates, providers
WITH held AS (
    SELECT
        chart,
        period,
        chart_date,
        provider,
        CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        lead(chart_date) OVER (PARTITION BY chart, period ORDER BY chart_date) AS next_date
    FROM snapshots
    WHERE verdict IN ('published', 'partial')
)
SELECT
    chart,
    period,
    min(chart_date) AS first_date,
    max(chart_date) AS newest_date,
    count(*) AS dates,
    CAST(coalesce(sum((date_diff('day', chart_date, next_date) - 1) / step), 0) AS bigint) AS missing_dates,
    array_join(array_sort(array_agg(DISTINCT provider)), ', ') AS providers
FROM held
GROUP BY chart, period
ORDER BY chart
