"""The ledger and its bundle: every later change is detected."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select, text, update

from incidents.ledger import chain as ledger
from incidents.ledger.canonical_json import NotCanonical, canonical, digest, mended
from incidents.ledger.chain import Draft
from incidents.ledger.export import NotABundle, export, verify_bundle
from incidents.ledger.verify import verify
from incidents.model import EventKind
from incidents.store import Store, tables
from tests.incidents.office_of_five import MONDAY, desk_on, finding, sign_step

NOTE = EventKind.NOTED


def fill(store: Store, count: int = 6) -> None:
    """Events of two incidents, with documents, as the desk writes them."""
    desk = desk_on(store)
    for name in ("a", "b"):
        desk.report(finding(target=name, cluster=name), MONDAY)
    for _turn in range(count // 2 - 1):
        for number in ("GDB-2026-0001", "GDB-2026-0002"):
            sign_step(desk, number, MONDAY)


def tampered(store: Store, change: Callable[[Connection], None]) -> None:
    with store.write() as connection:
        if store.kind == "sqlite":
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            connection.execute(text("SET session_replication_role = replica"))
        change(connection)


def body_of(connection: Connection, sequence: int) -> bytes:
    query = select(tables.events.c.body).where(tables.events.c.sequence == sequence)
    return bytes(connection.execute(query).scalar_one())


def set_event(connection: Connection, sequence: int, **values: Any) -> None:
    connection.execute(
        update(tables.events).where(tables.events.c.sequence == sequence).values(**values)
    )


def test_an_untouched_ledger_is_whole(store: Store) -> None:
    fill(store)
    verdict = verify(store)
    assert verdict.problem is None
    assert (verdict.events, verdict.documents) == (6, 4)


def test_an_empty_ledger_is_whole(store: Store) -> None:
    assert verify(store).problem is None
    assert verify(store).events == 0


def test_the_bytes_that_were_hashed_are_the_bytes_that_are_kept(store: Store) -> None:
    fill(store)
    with store.read() as connection:
        before = ledger.GENESIS
        for row in connection.execute(select(tables.events).order_by(tables.events.c.sequence)):
            said = json.loads(row.body)
            assert digest(row.body) == row.hash
            assert canonical(said) == bytes(row.body)
            assert (said["prev"], said["sequence"]) == (before, row.sequence)
            before = row.hash


@pytest.mark.parametrize("sequence", range(1, 7))
def test_any_changed_byte_is_found_and_its_place_named(store: Store, sequence: int) -> None:
    fill(store)

    def change(connection: Connection) -> None:
        body = bytearray(body_of(connection, sequence))
        body[-5] ^= 1
        set_event(connection, sequence, body=bytes(body))

    tampered(store, change)
    verdict = verify(store)
    assert verdict.problem is not None
    assert verdict.sequence == sequence
    assert "have been changed" in verdict.problem.en


def test_an_event_rewritten_with_its_own_hash_breaks_the_next(store: Store) -> None:
    fill(store)

    def change(connection: Connection) -> None:
        said = json.loads(body_of(connection, 3))
        said["actor"] = "mallory"
        forged = canonical(said)
        set_event(connection, 3, body=forged, hash=digest(forged))

    tampered(store, change)
    assert verify(store).sequence == 4


def test_a_missing_event_is_found(store: Store) -> None:
    fill(store)
    tampered(store, _drop_second)
    assert verify(store).sequence == 2


def _drop_second(connection: Connection) -> None:
    for table in (tables.outbox, tables.documents, tables.events):
        connection.execute(delete(table).where(table.c.sequence == 2))


def _cut(connection: Connection, last: int) -> None:
    for table in (tables.outbox, tables.documents, tables.events):
        connection.execute(delete(table).where(table.c.sequence > last))


def test_a_cut_tail_is_found_by_the_head_that_is_kept_apart(store: Store) -> None:
    fill(store)
    tampered(store, lambda connection: _cut(connection, 4))
    verdict = verify(store)
    assert verdict.sequence == 5
    assert verdict.problem is not None
    assert "tail is cut: 4 events are there, 6 were written" in verdict.problem.en


def test_a_cut_tail_with_a_forged_head_is_found_by_the_summaries(store: Store) -> None:
    fill(store)

    def change(connection: Connection) -> None:
        _cut(connection, 4)
        hash_ = connection.execute(
            select(tables.events.c.hash).where(tables.events.c.sequence == 4)
        ).scalar_one()
        connection.execute(
            update(tables.meta)
            .where(tables.meta.c.name == "ledger_head")
            .values(value=f"4 {hash_}")
        )

    tampered(store, change)
    verdict = verify(store)
    assert verdict.problem is not None
    assert "names another last event" in verdict.problem.en


def test_an_event_moved_to_another_incident_is_found(store: Store) -> None:
    fill(store)
    tampered(store, lambda connection: set_event(connection, 3, incident="GDB-2026-0002"))
    assert verify(store).sequence == 3


def test_a_changed_document_is_found(store: Store) -> None:
    fill(store)

    def change(connection: Connection) -> None:
        row = connection.execute(select(tables.documents)).first()
        assert row is not None
        data = bytes(row.data).replace(b"isian impact", b"tidak ada  X")
        assert data != bytes(row.data)
        connection.execute(
            update(tables.documents)
            .where(tables.documents.c.sequence == row.sequence)
            .values(data=data, sha256=digest(data))
        )

    tampered(store, change)
    verdict = verify(store)
    assert verdict.problem is not None
    assert verdict.problem.en.startswith("The ledger breaks at 3: document 1-1-form-laporan")


# The door.

REFUSED = [
    math.inf,
    -math.inf,
    math.nan,
    2**53 + 1,
    -(2**60),
    "\ud800",
    "a\0b",
    {"k\udfff": 1},
    {1: "x"},
    [{1, 2}],
    b"bytes",
    datetime(2026, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_what_has_no_single_written_form_is_refused_at_the_door(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical({"outer": [value]})
    assert canonical(mended({"outer": [value]}))


def test_a_refused_payload_leaves_the_ledger_as_it_was(store: Store) -> None:
    draft = Draft("GDB-2026-0001", NOTE, MONDAY, "putri", {"text": math.nan})
    with pytest.raises(NotCanonical), store.write() as connection:
        ledger.append(connection, [draft])
    assert verify(store).events == 0


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            WORDS,
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSONS)
def test_what_is_written_reads_back_and_is_written_the_same_again(value: Any) -> None:
    body = canonical(value)
    assert canonical(json.loads(body)) == body
    assert json.loads(body) == value
    assert mended(value) == value


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 9), min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(turned)


# The bundle.


@pytest.fixture
def bundle(store: Store, tmp_path: Path) -> Path:
    fill(store)
    path = tmp_path / "ledger.jsonl"
    head = export(store, path, MONDAY)
    assert head == verify(store).head
    return path


def test_a_bundle_verifies_by_itself(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert verdict.problem is None
    assert (verdict.events, verdict.documents) == (6, 4)


def test_a_bundle_holds_the_procedure_and_the_calendar_of_its_incidents(bundle: Path) -> None:
    lines = [json.loads(line) for line in bundle.read_text().splitlines()]
    kinds = sorted(line["content"] for line in lines if "content" in line)
    assert kinds == ["calendar", "procedure"]


def test_any_line_changed_added_or_removed_in_a_bundle_is_found(bundle: Path) -> None:
    lines = bundle.read_bytes().splitlines(keepends=True)
    for index in range(1, len(lines)):
        bundle.write_bytes(b"".join(lines[:index] + lines[index + 1 :]))
        assert _found(bundle), f"line {index + 1} removed"
        changed = lines[index].replace(b"2026", b"2025").replace(b"a", b"b", 1)
        bundle.write_bytes(b"".join([*lines[:index], changed, *lines[index + 1 :]]))
        assert _found(bundle), f"line {index + 1} changed"
        bundle.write_bytes(b"".join([*lines[:index], lines[index], *lines[index:]]))
        assert _found(bundle), f"line {index + 1} doubled"
    bundle.write_bytes(b"".join(lines))
    assert not _found(bundle)


def _found(bundle: Path) -> bool:
    try:
        return verify_bundle(bundle).problem is not None
    except NotABundle:
        return True


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"{}\n", b"[1]\n", b'{"sigap":"ledger","format":1}\n']
)
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(content)
    with pytest.raises(NotABundle, match=r"letter\.pdf is no whole Sigap ledger bundle"):
        verify_bundle(path)
