"""Keeps the translation catalogues in step with the code and the templates.

``python -m tools.translations`` collects every text (``Text`` in Python, ``_()`` in templates, the
shipped YAML files), updates each ``sigap.po`` (new texts are added untranslated, unused ones
removed) and compiles ``sigap.mo``. With ``--check`` nothing is written, and the exit code is 1 if
an Indonesian translation is missing, if one of any language is fuzzy, unused or has other
placeholders, or if a compiled file is out of date. ``--add ms`` adds a language.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from incidents.calendar.load import load as load_calendar
from incidents.correlation.table import load as load_table
from incidents.procedure.load import load as load_procedure
from probes import Text
from probes.i18n.catalogues import DOMAIN, INDONESIAN, LOCALE
from probes.i18n.headings import COLUMN
from probes.i18n.text import placeholders
from tools.sentences import Sentence, headings_of, said_by_modules

ROOT = Path(__file__).resolve().parent.parent
ROOMS = tuple(ROOT / name for name in ("probes", "files", "incidents", "agent"))
TEMPLATES = (ROOT / "incidents" / "web" / "templates", ROOT / "incidents" / "documents")
PLURALS = {
    INDONESIAN: "nplurals=1; plural=0;"
}  # missing in Babel's own table, which would return the English rule
UNDATED = datetime(2026, 11, 23, tzinfo=UTC)  # a date that moved would make every update a change
OPTIONS = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


def po(language: str) -> Path:
    """Where the catalogue of a language is written."""
    return LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def languages() -> list[str]:
    """The languages that have a catalogue."""
    return sorted(path.parts[-3] for path in LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def said_by_templates() -> set[Sentence]:
    """Every text that the templates look up."""
    return {
        Sentence(message if isinstance(message, str) else message[0], filled=False)
        for folder in TEMPLATES
        for _, _, message, _, _ in extract_from_dir(
            folder, [("**.html", "jinja2")], {"**.html": OPTIONS}
        )
    }


def said_by_files() -> set[Sentence]:
    """Every text of the shipped procedure, calendar and correlation table."""
    shipped = (load_procedure("kaltim"), load_calendar("kaltim"), load_table())
    return {
        Sentence(english, context, filled=False)
        for context, english in (text.key for text in texts_of(shipped))
        if english
    }


def texts_of(value: object) -> Iterator[Text]:
    """Every text within a value that was loaded."""
    if isinstance(value, Text):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts_of(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from texts_of(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from texts_of(each)


def said() -> set[Sentence]:
    """Every text of code, templates and files; raises ``ValueError`` for an invalid one."""
    columns = [str(m.id) for m in catalogue() if m.string and m.context == COLUMN]
    return (
        said_by_templates()
        | said_by_files()
        | said_by_modules(ROOMS, ROOT)
        | headings_of(ROOT / "probes", columns)
    )


def catalogue(language: str = INDONESIAN) -> Catalog:
    """The catalogue of a language, from its source file."""
    with po(language).open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def problems(said: Iterable[Sentence], known: Catalog, complete: bool = True) -> list[str]:
    """What is wrong with a catalogue, one sentence each; it may lack some if not ``complete``."""
    wanted = {sentence.key: sentence for sentence in said}
    entries: dict[tuple[str, str], Message] = {
        (m.context or "", str(m.id)): m for m in known if m.id
    }
    found = []
    if complete:
        found += [f"missing: {wanted[key]}" for key in sorted(wanted.keys() - entries.keys())]
    found += [f"nobody says this any more: {key[1]!r}" for key in sorted(entries.keys() - wanted)]
    for key, entry in sorted(entries.items(), key=lambda each: each[0]):
        sentence = wanted.get(key, Sentence(key[1], key[0]))
        if not entry.string:
            found += [f"not translated: {sentence}"] if complete else []
        elif entry.fuzzy:
            found.append(f"fuzzy: {sentence}")
        elif _differ(sentence, entry, known):
            found.append(f"placeholders differ: {sentence}")
    return found


def _differ(sentence: Sentence, entry: Message, known: Catalog) -> bool:
    if not sentence.filled:
        return any(error for error in entry.check(known))
    return placeholders(sentence.english) != placeholders(str(entry.string))


def compiled(known: Catalog) -> bytes:
    """The compiled catalogue."""
    buffer = io.BytesIO()
    write_mo(buffer, known)
    return buffer.getvalue()


def update(language: str, said: Iterable[Sentence]) -> None:
    """Write source and compiled catalogue, keeping every translation that is still used."""
    path = po(language)
    old = catalogue(language) if path.exists() else Catalog(locale=language)
    new = Catalog(
        locale=language,
        domain=DOMAIN,
        project="sigap-db",
        version="1",
        msgid_bugs_address=" ",
        last_translator="The Sigap authors",
        language_team=language,
        creation_date=UNDATED,
        revision_date=UNDATED,
        charset="utf-8",
        fuzzy=False,
    )
    name = Locale.parse(language).english_name
    new.header_comment = f"# What Sigap says, in {name}; the keys are the English words."
    new.mime_headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", "8bit"),
        ("Language", language),
        ("Plural-Forms", PLURALS.get(language, new.plural_forms)),
    ]
    for sentence in sorted(said, key=lambda each: each.key):
        entry = old.get(sentence.english, sentence.context or None)
        new.add(
            sentence.english,
            entry.string if entry else "",
            flags=sorted(entry.flags & {"fuzzy"}) if entry else (),
            context=sentence.context or None,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, new, width=100, omit_header=False, sort_output=True)
    path.with_suffix(".mo").write_bytes(compiled(catalogue(language)))


def main() -> int:
    """Update the catalogues, or with ``--check`` only verify them."""
    parser = argparse.ArgumentParser(description="Keep the catalogues of translations.")
    parser.add_argument("--check", action="store_true", help="only look; exit 1 when stale")
    parser.add_argument("--add", metavar="LANGUAGE", help="begin the catalogue of a language")
    given = parser.parse_args()
    try:
        sentences = said()
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not given.check:
        for language in {*languages(), *([given.add] if given.add else [])}:
            update(language, sentences)
    found = []
    for language in languages():
        known = catalogue(language)
        wrong = problems(sentences, known, complete=language == INDONESIAN)
        if po(language).with_suffix(".mo").read_bytes() != compiled(known):
            wrong.append(f"{DOMAIN}.mo is not compiled from {DOMAIN}.po")
        found += [f"{language}: {line}" for line in wrong]
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
