"""Which reader makes rows of which provider's documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from lambdas.core.charts_csv import ChartsCsvDocument, read_charts_csv
from lambdas.core.documents import D, DocumentHeader, OperatorDocument, decode
from lambdas.core.errors import InvalidDocument
from lambdas.core.gates import NEWER_FORMAT
from lambdas.core.keys import parse_raw_key
from lambdas.core.playlist import PlaylistDocument, read_playlist
from lambdas.core.public_charts import PublicChartsDocument, read_public_charts
from lambdas.core.reading import Reading

ReadDocument: TypeAlias = tuple[DocumentHeader, Reading]


def read_document(stored: bytes, *, key: str) -> ReadDocument:
    """The document stored under `key`, whose provider the key tells, and its rows.

    Raises InvalidDocument (or a subclass) for what can never be used, a provider without a reader included.
    """
    provider = parse_raw_key(key).provider
    reader = _READERS.get(provider)
    if reader is None:
        raise InvalidDocument(
            f"{key}: this code reads no documents of provider {provider!r}: deploy a newer one", gate=NEWER_FORMAT
        )
    return reader(stored, key)


def _reader(model: type[D], read: Callable[[D], Reading]) -> Callable[[bytes, str], ReadDocument]:
    def decode_and_read(stored: bytes, key: str) -> ReadDocument:
        document = decode(stored, key=key, model=model)
        return document, read(document)

    return decode_and_read


_READERS: Mapping[str, Callable[[bytes, str], ReadDocument]] = {
    "playlist": _reader(PlaylistDocument, lambda document: read_playlist(document, document.pages)),
    # The operator's word has no rows: its reason is what there is to say.
    "operator": _reader(
        OperatorDocument,
        lambda document: Reading(remarks=[word.reason for word in document.answers if word.reason]),
    ),
    "charts_csv": _reader(ChartsCsvDocument, lambda document: read_charts_csv(document, document.table)),
    "public_charts": _reader(PublicChartsDocument, lambda document: read_public_charts(document, document.charts)),
}
