"""The report of a chart: one self-contained page, made by pure code from the answers of named queries."""

from lambdas.core.report.answers import QUERIES, Ask, Row
from lambdas.core.report.page import Report, make_report, page_digest

__all__ = ["QUERIES", "Ask", "Report", "Row", "make_report", "page_digest"]
