-- meaning: One row for each date of each chart whose entries are in the tables, and how much of it is known.
-- column: chart string: Spotify's alias of the chart (regional-global-daily) or your own name for it.
-- column: chart_date date: Last day counted.
-- column: previous_date date: The period before: a day of a daily chart earlier, a week of a weekly one.
-- column: period string: daily or weekly.
-- column: step_days int: Days in a period: 1 or 7.
-- column: depth int: Lowest place that the chart reaches, filled or not.
-- column: entries int: Places filled by a song.
-- column: unknown_places int: Places that hold a song nobody told us: while there are any, a song's absence is not known.
-- column: provider string: Which provider served this day: playlist, charts_csv or public_charts.
-- column: warnings string: What soft quality gates saw, joined by semicolons; null if nothing.
-- column: year string: Year of chart_date, YYYY: a condition on it makes a query read less.
SELECT
    chart,
    chart_date,
    CAST(date_add('day', CASE period WHEN 'weekly' THEN -7 ELSE -1 END, chart_date) AS date) AS previous_date,
    period,
    CASE period WHEN 'weekly' THEN 7 ELSE 1 END AS step_days,
    depth,
    entries,
    depth - entries - skipped_local - skipped_episode AS unknown_places,
    provider,
    warnings,
    year
FROM snapshots
WHERE verdict IN ('published', 'partial')
