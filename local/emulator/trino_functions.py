"""The vocabulary of Athena's engine, and how DuckDB is taught the words it has in another meaning.

Names are those of Trino's function list (https://trino.io/docs/current/functions/list.html), which Athena engine
version 3 follows (https://docs.aws.amazon.com/athena/latest/ug/functions-env3.html), without the geospatial,
machine learning and sketch families, which no query over a song chart needs. A call of any other name is refused,
so that a query which only DuckDB understands fails here as it would on AWS.
"""

from __future__ import annotations

FUNCTIONS = frozenset(
    """
    abs acos all_match any_match any_value approx_distinct approx_most_frequent approx_percentile approx_set
    arbitrary array_agg array_distinct array_except array_intersect array_join array_max array_min array_position
    array_remove array_sort array_union arrays_overlap asin at_timezone atan atan2 avg bar beta_cdf bit_count
    bitwise_and bitwise_and_agg bitwise_left_shift bitwise_not bitwise_or bitwise_or_agg bitwise_right_shift
    bitwise_right_shift_arithmetic bitwise_xor bool_and bool_or cardinality cbrt ceil ceiling char2hexint checksum
    chr coalesce codepoint combinations concat concat_ws contains contains_sequence corr cos cosh
    cosine_similarity count count_if covar_pop covar_samp crc32 cume_dist current_timezone date date_add date_diff
    date_format date_parse date_trunc day day_of_month day_of_week day_of_year degrees dense_rank dow doy e
    element_at every exp filter first_value flatten floor format format_datetime format_number from_base
    from_base32 from_base64 from_base64url from_hex from_iso8601_date from_iso8601_timestamp
    from_iso8601_timestamp_nanos from_unixtime from_unixtime_nanos from_utf8 geometric_mean greatest grouping
    hamming_distance histogram hour human_readable_seconds if index infinity inverse_beta_cdf inverse_normal_cdf
    is_finite is_infinite is_json_scalar is_nan json_array json_array_contains json_array_get json_array_length
    json_exists json_extract json_extract_scalar json_format json_object json_parse json_query json_size
    json_value kurtosis lag last_day_of_month last_value lead least length levenshtein_distance listagg ln log
    log10 log2 lower lpad ltrim luhn_check map map_agg map_concat map_entries map_filter map_from_entries map_keys
    map_union map_values map_zip_with max max_by md5 merge millisecond min min_by minute mod month multimap_agg
    multimap_from_entries murmur3 nan ngrams none_match normal_cdf normalize now nth_value ntile nullif
    numeric_histogram parse_data_size parse_datetime parse_duration percent_rank pi position pow power quarter
    radians rand random rank reduce reduce_agg regexp_count regexp_extract regexp_extract_all regexp_like
    regexp_position regexp_replace regexp_split regr_intercept regr_slope repeat replace reverse round row_number
    rpad rtrim second sequence sha1 sha256 sha512 shuffle sign sin sinh skewness slice soundex split split_part
    split_to_map split_to_multimap sqrt starts_with stddev stddev_pop stddev_samp strpos substr substring sum tan
    tanh timezone_hour timezone_minute to_base to_base32 to_base64 to_base64url to_hex to_iso8601 to_milliseconds
    to_unixtime to_utf8 transform transform_keys transform_values translate trim trim_array truncate try try_cast
    typeof upper url_decode url_encode url_extract_fragment url_extract_host url_extract_parameter
    url_extract_path url_extract_port url_extract_protocol url_extract_query uuid var_pop var_samp variance
    version week week_of_year width_bucket wilson_interval_lower wilson_interval_upper with_timezone word_stem
    xxhash64 year year_of_week yow zip zip_with
    """.split()  # noqa: SIM905
)

# Words of the grammar, and of types, that an opening parenthesis may follow.
GRAMMAR = frozenset(
    """
    all and any array as asc between bernoulli by case cast char check current_date current_time current_timestamp
    cube date decimal desc distinct double else end escape except exists extract filter first following from group
    grouping having ignore in integer intersect interval is join json last lateral like limit localtime
    localtimestamp map not null nulls numeric offset on or order ordinality over partition preceding range
    recursive rollup row rows select sets some system table tablesample then time timestamp union unnest using
    values varbinary varchar when where window with within zone
    """.split()  # noqa: SIM905
)

# What DuckDB has no function for, or one that means something else. Overloads are chosen by the arguments' types.
MACROS = (
    # Trino keeps a date a date where DuckDB widens it to a timestamp.
    "trino_plus(d DATE, i INTERVAL) AS CAST(d + i AS DATE), "
    "(d TIMESTAMP, i INTERVAL) AS d + i, (d TIMESTAMPTZ, i INTERVAL) AS d + i, (d TIME, i INTERVAL) AS d + i, "
    "(d INTERVAL, i INTERVAL) AS d + i",
    "trino_date_trunc(unit, d DATE) AS CAST(date_trunc(unit, d) AS DATE), "
    "(unit, d TIMESTAMP) AS date_trunc(unit, d), (unit, d TIMESTAMPTZ) AS date_trunc(unit, d)",
    "trino_sequence(a DATE, b DATE) AS CAST(CASE WHEN a <= b THEN generate_series(a, b, INTERVAL 1 DAY) "
    "ELSE generate_series(a, b, INTERVAL (-1) DAY) END AS DATE[]), "
    "(a BIGINT, b BIGINT) AS CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END",
    "trino_sequence_by(a DATE, b DATE, step INTERVAL) AS CAST(generate_series(a, b, step) AS DATE[]), "
    "(a TIMESTAMP, b TIMESTAMP, step INTERVAL) AS generate_series(a, b, step), "
    "(a BIGINT, b BIGINT, step BIGINT) AS generate_series(a, b, step)",
    # Trino's slice takes a length, and counts a negative start from the end.
    "trino_slice(a, s, n) AS list_slice(a, CASE WHEN s < 0 THEN len(a) + s + 1 ELSE s END, "
    "CASE WHEN s < 0 THEN len(a) + s + n ELSE s + n - 1 END)",
    # First seen first, one NULL kept.
    "trino_array_distinct(a) AS list_filter(a, lambda x, i: list_position(a, x) = i)",
    "trino_split_part(s, d, n) AS CASE WHEN n > len(string_split(s, d)) THEN NULL ELSE split_part(s, d, n) END",
    "trino_substr(s VARCHAR, a BIGINT) AS CASE WHEN a = 0 THEN '' ELSE substring(s, a) END, "
    "(s VARCHAR, a BIGINT, n BIGINT) AS CASE WHEN a = 0 THEN '' ELSE substring(s, a, n) END",
    "trino_typeof(x) AS regexp_replace(regexp_replace(CASE typeof(x) WHEN 'FLOAT' THEN 'real' "
    "WHEN 'HUGEINT' THEN 'bigint' WHEN 'BLOB' THEN 'varbinary' WHEN '\"NULL\"' THEN 'unknown' "
    "WHEN 'TIMESTAMP' THEN 'timestamp(3)' WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'timestamp(3) with time zone' "
    "ELSE lower(typeof(x)) END, '^(.*)\\[\\]$', 'array(\\1)'), '^struct', 'row')",
    "trino_map_agg(k, v) AS map(list(k), list(v))",
    "levenshtein_distance(a, b) AS levenshtein(a, b)",
    "hamming_distance(a, b) AS hamming(a, b)",
    "normalize(s) AS nfc_normalize(s)",
    "codepoint(s) AS ord(s)",
    "e() AS exp(1)",
    "arrays_overlap(a, b) AS list_has_any(a, b)",
    "to_iso8601(d DATE) AS strftime(d, '%Y-%m-%d'), (d TIMESTAMP) AS strftime(d, '%Y-%m-%dT%H:%M:%S.%g')",
)
