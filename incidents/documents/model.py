"""The document that a signature leaves, as data.

A document holds everything its page prints, unchanged since the signature. Its ``sha256`` covers
the canonical bytes of ``data`` and is part of the ledger event of the signature, so a changed
document no longer matches the chain. ``previous`` is the hash of the incident's document before it;
``data["revises"]`` names the document of which it is the next revision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from incidents.model import JSON
from incidents.procedure.letter import Letter
from probes import Text


@dataclass(frozen=True, slots=True)
class Office:
    """Letterhead and signature block of the office; all of it is configurable."""

    government: str = ""
    agency: str = ""
    address: str = ""
    contacts: str = ""
    place: str = ""
    on_behalf: str | None = None  # empty: signs by their own title; None: as the procedure says
    signer_position: str | None = None  # None: as the procedure says, and so the two below
    signer_name: str = ""
    signer_rank: str = ""  # pangkat/golongan
    signer_nip: str = ""
    nature: str | None = None  # sifat
    copies: tuple[str, ...] | None = None  # tembusan
    sop_number: str = ""  # empty prints "belum diisi"
    sop_title: str = ""

    def signing_for(self, letter: Letter | None) -> Office:
        """The office with what it leaves to the procedure's letter filled in."""
        copies = tuple(letter.copies.otherwise.text.splitlines()) if letter else ()
        return replace(
            self,
            on_behalf=_first(self.on_behalf, letter.on_behalf if letter else ""),
            signer_position=_first(self.signer_position, letter.position if letter else ""),
            nature=_first(self.nature, letter.urgency.otherwise.text if letter else ""),
            copies=copies if self.copies is None else self.copies,
        )


def _first(setting: str | None, otherwise: str) -> str:
    return otherwise if setting is None else setting


@dataclass(frozen=True, slots=True)
class Document:
    """One document as kept in the store.

    ``data`` has the keys ``incident`` (facts: number, title, target, application, agency, cluster,
    severity, opened_at, source, report), ``step`` (number, title, role), ``form`` (list of
    ``{name, label: {id, en}, value}``), ``decision``, ``signer`` (name, nip, position, rank, role,
    basis, letter_number, on_behalf), ``troubles`` (title, target, root, severity, first_red,
    last_red, green_minutes, flaps, evidence), ``office``, ``revises`` (id, sha256, or None),
    ``dispensations``; the letter of the last step also ``letter`` (number, nature, attachment,
    subject, recipient, body, signature block, copies, attached document id). Times in it are
    ISO 8601 in UTC.
    """

    id: str  # unique within the incident, fit for an address: "6-1-laporan-gangguan"
    incident: str
    step: int
    attempt: int
    kind: str  # as the procedure names it
    title: Text
    revision: int  # 2: a later step signs the same document again
    at: datetime  # of the signature
    data: JSON
    sha256: str  # over the canonical bytes of ``data``
    previous: str  # sha256 of the incident's previous document; "" for the first
    sequence: int  # of the ledger event of the signature
    ledger_hash: str  # hash of that event: the head of the ledger when this was signed


class NoSuchDocument(LookupError):
    """The incident has no document of that id."""

    def __init__(self, number: str, id: str) -> None:
        self.sentence = Text("Incident {number} has no document {id}.", number=number, id=id)
        super().__init__(self.sentence.en)
