-- title: Streams by date
-- question: How many streams did the chart have on each date, and which share of them was of the top 1, 10 and 50?
-- parameters: chart = regional-global-daily
-- columns: chart_date, total_streams, top_1_share, top_10_share, top_50_share, depth
--
-- One row for every period from the first to the newest; depth is null where your data lacks the date. total_streams sums
-- what was told of the chart's places, and is null where nothing was: playlists tell no streams. A share is of that sum, and
-- null unless every place of the top told its streams. Compare dates of one depth: a deeper chart has more streams.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart
),
held AS (
    SELECT chart_date, CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step, depth
    FROM snapshots
    WHERE chart = (SELECT chart FROM asked) AND verdict IN ('published', 'partial')
),
summed AS (
    SELECT
        chart_date,
        sum(streams) AS total_streams,
        sum(streams) FILTER (WHERE position = 1) AS top_1,
        CASE WHEN count_if(position <= 10) = 10 THEN sum(streams) FILTER (WHERE position <= 10) END AS top_10,
        CASE WHEN count_if(position <= 50) = 50 THEN sum(streams) FILTER (WHERE position <= 50) END AS top_50
    FROM chart_entries
    WHERE chart = (SELECT chart FROM asked) AND streams IS NOT NULL
    GROUP BY chart_date
),
span AS (
    SELECT
        min(chart_date) AS first_date,
        date_diff('day', min(chart_date), max(chart_date)) AS days,
        max_by(step, chart_date) AS step
    FROM held
),
steps AS (
    SELECT first_date, step, sequence(0, days / step) AS numbers
    FROM span
),
dates AS (
    SELECT CAST(date_add('day', n.number * s.step, s.first_date) AS date) AS chart_date
    FROM steps AS s
    CROSS JOIN UNNEST(s.numbers) AS n(number)
    UNION
    SELECT chart_date
    FROM held
)
SELECT
    d.chart_date,
    CAST(t.total_streams AS bigint) AS total_streams,
    CAST(t.top_1 AS double) / CAST(t.total_streams AS double) AS top_1_share,
    CAST(t.top_10 AS double) / CAST(t.total_streams AS double) AS top_10_share,
    CAST(t.top_50 AS double) / CAST(t.total_streams AS double) AS top_50_share,
    h.depth
FROM dates AS d
LEFT JOIN held AS h ON h.chart_date = d.chart_date
LEFT JOIN summed AS t ON t.chart_date = d.chart_date
ORDER BY d.chart_date
