-- title: What the warehouse holds
-- question: Which charts are there, from when to when, from which provider, and how many dates are missing in between?
-- columns: chart, period, first_date, newest_date, dates, missing_dates, providers
WITH held AS (
    SELECT DISTINCT chart, period, chart_date, provider
    FROM snapshots
    WHERE verdict IN ('published', 'partial')
)
SELECT
    chart,
    period,
    min(chart_date) AS first_date,
    max(chart_date) AS newest_date,
    count(DISTINCT chart_date) AS dates,
    date_diff('day', min(chart_date), max(chart_date)) / CASE period WHEN 'weekly' THEN 7 ELSE 1 END + 1
        - count(DISTINCT chart_date) AS missing_dates,
    array_join(array_sort(array_agg(DISTINCT provider)), ', ') AS providers
FROM held
GROUP BY chart, period
ORDER BY chart
