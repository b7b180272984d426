"""Raw documents of every format version are read for ever, to the same rows; those of a version to come are refused."""

from __future__ import annotations

import gzip
import json
from typing import Any, get_args

import pytest

from lambdas.core import documents
from lambdas.core.documents import FORMAT_VERSION, Provider, RawDocument
from lambdas.core.errors import InvalidDocument
from lambdas.core.gates import NEWER_FORMAT
from lambdas.core.keys import parse_raw_key
from lambdas.core.providers import read_document
from tests.documents import document
from tests.format_versions.make import FOLDER, folder_of, told

VERSIONS = sorted(int(path.name.removeprefix("v")) for path in FOLDER.glob("v*"))


def expected(version: int) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((folder_of(version) / "expected.json").read_text("utf-8"))
    return listed


def stored(version: int, name: str) -> bytes:
    return (folder_of(version) / f"{name}.json.gz").read_bytes()


HELD = [(version, name) for version in VERSIONS for name in expected(version)]


@pytest.mark.parametrize(("version", "name"), HELD)
def test_a_document_of_every_version_is_read_to_the_same_rows_for_ever(version: int, name: str) -> None:
    wanted = expected(version)[name]
    _, reading = read_document(stored(version, name), key=wanted["key"])
    found = told(reading)
    assert found["counts"] == wanted["counts"]
    for table, rows in wanted["rows"].items():
        known = rows[0].keys() if rows else ()
        assert [{column: row.get(column) for column in known} for row in found["rows"][table]] == rows, table


@pytest.mark.parametrize(("version", "name"), HELD)
def test_a_document_of_every_version_has_the_key_of_its_content(version: int, name: str) -> None:
    """So the same payload brought again is the same document, whichever version stored it first."""
    key, body = expected(version)[name]["key"], stored(version, name)
    kept = documents.decode(body, key=key, model=RawDocument)
    assert kept.format_version == version
    assert kept.key == key


def test_every_version_up_to_todays_has_its_documents() -> None:
    assert list(range(1, FORMAT_VERSION + 1)) == VERSIONS, "run `python -m tests.format_versions.make`"


@pytest.mark.parametrize("version", VERSIONS)
def test_no_document_of_a_version_is_missing_or_unlisted(version: int) -> None:
    files = {path.name.removesuffix(".json.gz") for path in folder_of(version).glob("*.json.gz")}
    assert files == set(expected(version))


def test_the_newest_version_has_a_document_of_every_provider_that_is_read() -> None:
    kept = {parse_raw_key(held["key"]).provider for held in expected(VERSIONS[-1]).values()}
    assert kept == {provider for provider in get_args(Provider) if has_reader(provider)}, (
        "add one to tests/format_versions/make.py and run it"
    )


def has_reader(provider: Provider) -> bool:
    raw = document(provider=provider)
    try:
        read_document(documents.encode(raw), key=raw.key)
    except InvalidDocument as error:
        return error.gate is not NEWER_FORMAT
    return True


def changed(**fields: object) -> tuple[bytes, str]:
    """A document with other fields in its header, and its key."""
    raw = document()
    content = json.loads(gzip.decompress(documents.encode(raw))) | fields
    return gzip.compress(json.dumps(content).encode()), raw.key


@pytest.mark.parametrize("unknown", [{}, {"market": "global"}, {"answers": "of another kind"}])
def test_a_document_of_a_version_to_come_is_refused_with_its_remedy_whatever_else_is_new_in_it(
    unknown: dict[str, str],
) -> None:
    body, key = changed(format_version=FORMAT_VERSION + 1, **unknown)
    with pytest.raises(InvalidDocument, match=rf"{key}: format version {FORMAT_VERSION + 1}, .*: deploy a newer one"):
        read_document(body, key=key)


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    body, key = changed(format_version=version)
    with pytest.raises(InvalidDocument, match=f"there is no format version {version}"):
        read_document(body, key=key)


def test_an_unknown_field_in_a_document_of_this_version_is_refused_as_it_is() -> None:
    body, key = changed(market="global")
    with pytest.raises(InvalidDocument, match="unknown field `market`"):
        read_document(body, key=key)


def test_a_document_of_an_earlier_version_is_read_by_later_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.core.documents.FORMAT_VERSION", FORMAT_VERSION + 1)
    raw = document()
    header, reading = read_document(documents.encode(raw), key=raw.key)
    assert (header.format_version, len(reading.entries)) == (FORMAT_VERSION, 1)
