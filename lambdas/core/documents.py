"""Raw documents: what the raw zone holds, one immutable object per observation of a chart.

A document is single-line JSON, gzipped, with the provider's answers verbatim beside the few facts that tell which chart
and which date they are. The warehouse's tables are a pure function of these documents.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Collection
from datetime import UTC, date, datetime
from functools import cache
from typing import Literal, Protocol, TypeAlias, TypeVar

import msgspec

from lambdas.core.charts import Period
from lambdas.core.errors import InvalidDocument
from lambdas.core.keys import RawKey, parse_raw_key

FORMAT_VERSION = 1
MAX_STORED_BYTES = 16 * 1024 * 1024
"""An object over this size is not read: a chart of 200 songs is about one megabyte of JSON."""
UNREADABLE_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for what is no JSON, for bytes that are no UTF-8, and for brackets nested past all reason."""
MAX_UNPACKED_BYTES = 64 * 1024 * 1024

Provider: TypeAlias = Literal["playlist", "charts_csv", "public_charts", "operator"]
"""Where a document came from. The `operator` is who runs the stage, and tells of a day that its chart is withdrawn."""

Rank: TypeAlias = tuple[bool, bool, bool, datetime, str]

_DIGEST_LENGTH = 16


class DocumentHeader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every raw document tells, whatever its provider answered.

    `partial` says that the document holds less than the whole chart. `withdrawal` is the operator's word on a day:
    true, and it holds no chart, whatever other documents say; false, and an earlier withdrawal is lifted.
    """

    format_version: int
    chart: str
    period: Period
    chart_date: date
    observed_at: datetime
    received_at: datetime
    provider: Provider
    partial: bool = False
    withdrawal: bool = False
    origin: str

    def rank(self, digest: str) -> Rank:
        """Orders the documents of a day, as `winner` picks from them. `digest` is the one in the document's key.

        The operator's word beats all; a complete document beats a partial one; the official file beats other providers;
        then the newer observation; then, so that the answer never depends on the order of arrival, the digest.
        """
        return (self.by_operator, not self.partial, self.provider == "charts_csv", self.observed_at, digest)

    @property
    def by_operator(self) -> bool:
        """Whether it holds the operator's word, and no chart."""
        return self.provider == "operator"


class RawDocument(DocumentHeader, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One observation of one chart.

    `answers` are the provider's own words, in order: for a playlist its pages as the Web API sent them, for an official
    file its header and rows (`charts_csv.CsvTable`).
    """

    answers: tuple[msgspec.Raw, ...]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over the content: all but when and from where it came to us.

        The same payload stored again has the same digest, hence the same key, and is a no-op.
        """
        content = msgspec.structs.replace(self, received_at=self.observed_at, origin="")
        return hashlib.sha256(_encoder.encode(content)).hexdigest()[:_DIGEST_LENGTH]

    @property
    def key(self) -> str:
        """Key of the document in the raw bucket."""
        return str(
            RawKey(
                chart=self.chart,
                chart_date=self.chart_date,
                observed_at=self.observed_at,
                provider=self.provider,
                digest=self.digest,
            )
        )


class OperatorWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the operator withdraws a day, or lifts that."""

    reason: str | None = None


class OperatorDocument(DocumentHeader, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A raw document that holds the operator's word."""

    answers: tuple[OperatorWord, ...]


class Candidate(Protocol):
    """A document of a day, with its rank among the others."""

    @property
    def document(self) -> DocumentHeader: ...

    @property
    def rank(self) -> Rank: ...


C = TypeVar("C", bound=Candidate)


def winner(day: Collection[C]) -> C:
    """The document that says what a day holds: the one of the greatest rank.

    Where the operator's newest word lifts a withdrawal, it is the greatest of the documents that hold a chart, if there
    are any. Raises ValueError for a day without documents.
    """
    best = max(day, key=_rank)
    if best.document.by_operator and not best.document.withdrawal:
        return max((item for item in day if not item.document.by_operator), key=_rank, default=best)
    return best


def _rank(item: Candidate) -> Rank:
    return item.rank


_encoder = msgspec.json.Encoder()
D = TypeVar("D", bound=DocumentHeader)


_decoder = cache(msgspec.json.Decoder)


def raw_answer(answer: bytes | object) -> msgspec.Raw:
    """A provider's answer as a document keeps it: JSON bytes with their white space dropped, or a decoded answer.

    Raises InvalidDocument if the bytes are not JSON.
    """
    if isinstance(answer, bytes):
        try:
            return msgspec.Raw(msgspec.json.format(answer, indent=-1))
        except UNREADABLE_JSON as error:
            raise InvalidDocument(f"not JSON: {error}") from error
    return msgspec.Raw(_encoder.encode(answer))


def second(moment: datetime) -> datetime:
    """A moment in UTC without fractions of a second: keys and documents carry no more."""
    return moment.astimezone(UTC).replace(microsecond=0)


def encode(document: RawDocument) -> bytes:
    """The document's bytes in the raw bucket: single-line JSON, gzipped. The same document gives the same bytes."""
    return gzip.compress(_encoder.encode(document), compresslevel=6, mtime=0)


def decode(stored: bytes, *, key: str, model: type[D]) -> D:
    """The document stored under `key`, as `model` types its answers: `RawDocument` leaves them as they are.

    Raises InvalidDocument (or InvalidKey) naming the key and the reason: too large, cut off, not gzip, not JSON, a
    field of the wrong type, a format version from the future, or content that its key does not name.
    """
    parts = parse_raw_key(key)
    try:
        document: D = _decoder(model).decode(unpack(stored, name=key))
    except UNREADABLE_JSON as error:
        raise InvalidDocument(f"{key}: {error}") from error
    if document.format_version != FORMAT_VERSION:
        raise InvalidDocument(
            f"{key}: format version {document.format_version}, but this code reads {FORMAT_VERSION}: deploy a newer one"
        )
    if document.observed_at.tzinfo is None or document.received_at.tzinfo is None:
        raise InvalidDocument(f"{key}: observed_at and received_at need a time zone")
    if document.withdrawal and not document.by_operator:
        raise InvalidDocument(f"{key}: a withdrawal of provider {document.provider}: only the operator withdraws a day")
    observed_at = document.observed_at.replace(microsecond=0)
    told = (document.chart, document.chart_date, document.provider, observed_at)
    if told != (parts.chart, parts.chart_date, parts.provider, parts.observed_at):
        raise InvalidDocument(
            f"{key}: holds {document.chart} of {document.chart_date}, observed at {observed_at} ({document.provider}), "
            "which its key does not name"
        )
    return document


def unpack(stored: bytes, *, name: str) -> bytes:
    """Gzipped bytes unpacked, never past the cap, so that a gzip bomb costs no more than the cap.

    Raises InvalidDocument for input that is too large, cut off or not gzip.
    """
    if len(stored) > MAX_STORED_BYTES:
        raise InvalidDocument(f"{name}: {len(stored):,} bytes, over the {MAX_STORED_BYTES:,} that are read")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(stored, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise InvalidDocument(f"{name}: not gzip, or damaged: {error}") from error
    if unpacker.unconsumed_tail:
        raise InvalidDocument(f"{name}: unpacks to over {MAX_UNPACKED_BYTES:,} bytes, more than is read")
    if not unpacker.eof:
        raise InvalidDocument(f"{name}: cut off: its gzip stream has no end")
    if unpacker.unused_data:
        raise InvalidDocument(f"{name}: {len(unpacker.unused_data):,} bytes more after the end of its gzip stream")
    return unpacked
