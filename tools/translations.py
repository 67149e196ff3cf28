"""Keeps the Indonesian catalogue of the pages in step with their templates.

``python tools/translations.py`` reads every template, brings ``sigap.po`` up to date (new
sentences come in empty, ones no page says any more go) and compiles ``sigap.mo``. With ``--check``
nothing is written and the exit code is 1 when a sentence is missing, fuzzy or superfluous, or the
compiled file is not what the source says.
"""

from __future__ import annotations

import argparse
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = (ROOT / "incidents" / "web" / "templates", ROOT / "incidents" / "documents")
PO = ROOT / "incidents" / "web" / "locale" / "id" / "LC_MESSAGES" / "sigap.po"
PLURALS = "nplurals=1; plural=0;"  # Babel's own table lacks Indonesian and would say English
UNDATED = datetime(2026, 11, 23, tzinfo=UTC)  # a date that moved would make every update a change
OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def said_by_templates() -> set[str]:
    """Every sentence the templates ask the catalogue for."""
    return {
        message if isinstance(message, str) else message[0]
        for folder in TEMPLATES
        for _, _, message, _, _ in extract_from_dir(
            folder, [("**.html", "jinja2")], {"**.html": OPTIONS}
        )
    }


def catalogue() -> Catalog:
    """The Indonesian catalogue as it stands in the source file."""
    with PO.open("rb") as file:
        return read_po(file, locale="id", domain="sigap")


def problems(said: set[str], known: Catalog) -> list[str]:
    """What keeps the catalogue from being complete, one sentence each."""
    entries: dict[str, Message] = {str(m.id): m for m in known if m.id}
    found = [f"missing: {text!r}" for text in sorted(said - set(entries))]
    found += [f"no page says this any more: {text!r}" for text in sorted(set(entries) - said)]
    for text, entry in sorted(entries.items()):
        if not entry.string:
            found.append(f"not translated: {text!r}")
        elif entry.fuzzy:
            found.append(f"fuzzy: {text!r}")
        elif any(error for error in entry.check(known)):
            found.append(f"placeholders differ: {text!r}")
    return found


def compiled(known: Catalog) -> bytes:
    """The compiled catalogue."""
    buffer = io.BytesIO()
    write_mo(buffer, known)
    return buffer.getvalue()


def update() -> None:
    """Write source and compiled catalogue anew, keeping every translation that is still said."""
    old = catalogue() if PO.exists() else Catalog(locale="id")
    new = Catalog(
        locale="id",
        domain="sigap",
        project="sigap-db",
        version="1",
        msgid_bugs_address=" ",
        last_translator="The Sigap authors",
        language_team="id",
        creation_date=UNDATED,
        revision_date=UNDATED,
        charset="utf-8",
        fuzzy=False,
    )
    new.header_comment = (
        "# Words of Sigap's pages in Bahasa Indonesia; the keys are the English ones."
    )
    new.mime_headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
        ("Language", "id"),
        ("Plural-Forms", PLURALS),
    ]
    for text in sorted(said_by_templates()):
        entry = old.get(text)
        new.add(text, entry.string if entry else "")
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, new, width=100, omit_header=False, sort_output=True)
    PO.with_suffix(".mo").write_bytes(compiled(catalogue()))


def main() -> int:
    """Update, or with ``--check`` only look."""
    parser = argparse.ArgumentParser(description="Keep the Indonesian catalogue of the pages.")
    parser.add_argument("--check", action="store_true", help="only look; exit 1 when stale")
    if not parser.parse_args().check:
        update()
    known = catalogue()
    found = problems(said_by_templates(), known)
    if PO.with_suffix(".mo").read_bytes() != compiled(known):
        found.append(f"{PO.with_suffix('.mo').name} is not compiled from {PO.name}")
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
