-- title: Two charts compared
-- question: Where are the songs of one chart on another, on one date?
-- parameters: chart = regional-global-daily, other_chart = regional-global-weekly, chart_date = newest
-- columns: song, artists, position, other_position, difference, chart_date
--
-- chart_date is a date that both charts hold, or newest for the newest that they do: nothing is answered for another. One
-- row a recording that is on either chart, as far down as both reach; its place on the other is null where it is not there.
-- difference is the places by which it stands higher on chart than on other_chart. A recording that is on a chart twice
-- counts by its better place.
WITH asked AS (
    SELECT CAST(? AS varchar) AS chart, CAST(? AS varchar) AS other_chart, CAST(? AS varchar) AS chart_date
),
held AS (
    SELECT chart, chart_date, depth
    FROM snapshots
    WHERE verdict IN ('published', 'partial')
        AND (chart = (SELECT chart FROM asked) OR chart = (SELECT other_chart FROM asked))
),
common AS (
    SELECT h.chart_date, h.chart, o.chart AS other_chart, least(h.depth, o.depth) AS depth, a.chart_date AS asked_date
    FROM asked AS a
    JOIN held AS h ON h.chart = a.chart
    JOIN held AS o ON o.chart = a.other_chart AND o.chart_date = h.chart_date
),
meant AS (
    SELECT chart_date, CAST(year(chart_date) AS varchar) AS year, chart, other_chart, depth
    FROM common
    WHERE chart_date = CASE asked_date
            WHEN 'newest' THEN (SELECT max(chart_date) FROM common)
            ELSE try_cast(asked_date AS date)
        END
),
placed AS (
    SELECT
        e.chart,
        e.position,
        s.recording_id,
        s.name AS song,
        s.artist_names AS artists,
        row_number() OVER (PARTITION BY e.chart, s.recording_id ORDER BY e.position) AS turn
    FROM meant AS m
    JOIN chart_entries AS e
        ON e.year = m.year AND e.chart_date = m.chart_date AND e.chart IN (m.chart, m.other_chart)
    JOIN songs AS s ON s.song_id = e.song_id
),
these AS (
    SELECT p.recording_id, p.position, p.song, p.artists
    FROM placed AS p
    JOIN meant AS m ON m.chart = p.chart
    WHERE p.turn = 1
),
others AS (
    SELECT p.recording_id, p.position, p.song, p.artists
    FROM placed AS p
    JOIN meant AS m ON m.other_chart = p.chart
    WHERE p.turn = 1
)
SELECT
    coalesce(t.song, o.song) AS song,
    coalesce(t.artists, o.artists) AS artists,
    t.position,
    o.position AS other_position,
    o.position - t.position AS difference,
    m.chart_date
FROM these AS t
FULL JOIN others AS o ON o.recording_id = t.recording_id
CROSS JOIN meant AS m
WHERE t.position <= m.depth OR o.position <= m.depth
ORDER BY t.position NULLS LAST, o.position
