-- title: Missing dates
-- question: Which stretches of the chart's dates are missing in your data?
-- parameters: chart = regional-global-daily
-- columns: missing_from, missing_to, periods
--
-- One row a stretch between the first and the newest date, the newest first. periods counts days of a daily chart, weeks of
-- a weekly one.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
held AS (
    SELECT
        chart_date,
        CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step,
        lead(chart_date) OVER (ORDER BY chart_date) AS next_date
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
)
SELECT
    CAST(date_add('day', step, chart_date) AS date) AS missing_from,
    CAST(date_add('day', (date_diff('day', chart_date, next_date) - 1) / step * step, chart_date) AS date) AS missing_to,
    (date_diff('day', chart_date, next_date) - 1) / step AS periods
FROM held
WHERE date_diff('day', chart_date, next_date) > step
ORDER BY missing_from DESC
