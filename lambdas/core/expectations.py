"""What is expected of a chart document of any provider; what differs is warned of, never refused."""

from __future__ import annotations

from lambdas.core.charts import is_usual_weekday, usual_depth
from lambdas.core.documents import DocumentHeader
from lambdas.core.gates import PARTIAL, SIZE_DIFFERS, WEEKDAY_DIFFERS
from lambdas.core.reading import Reading


def compare(document: DocumentHeader, reading: Reading) -> None:
    """Warn of a document that is not as documents of its chart and provider usually are."""
    usual = usual_depth(document.chart, document.provider)
    if document.partial:
        reading.warn(PARTIAL, f"{len(reading.entries):,} entries of a longer playlist, down to place {reading.depth:,}")
    elif usual is not None and reading.depth != usual:
        reading.warn(SIZE_DIFFERS, f"reaches place {reading.depth:,}, where {usual} is usual")
    if not is_usual_weekday(document.chart, document.chart_date):
        reading.warn(WEEKDAY_DIFFERS, f"{document.chart_date} is a {document.chart_date:%A}, not a Thursday")
