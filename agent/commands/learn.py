"""Command ``sigap learn``: shows and edits the learned members of targets.

The running agent applies an edit within seconds, without a restart. Members declared in agent.yaml
are shown here and changed there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.commands.words import language_of, print_json, table, target_named
from agent.config import Config, find, load
from agent.errors import LocalizedError, in_language
from agent.state.folder import MEMBERS_FILE
from agent.state.member_file import NotebookError, edit, read
from files.problems import meant
from probes import Target, Text
from probes.fleet.members import MemberChange, Members, Notes, Verb
from probes.fleet.membership import KIND_NAMES, KINDS, LEARN_READINGS, ROLE, UPSTREAM
from probes.i18n.formats import utc_minute
from probes.words.units import written

_WHICH = Text("say of which target, e.g. 'sigap learn simpeg --accept'")
_UNUSABLE = Text("{file} cannot be used: {error}")
_NO_FOLDER = Text("this agent has no folder for what it learns; set 'agent: {{state: FOLDER}}'")
_SEVERAL = Text("'{word}' is more than one of {target}: {known}")
_IS_DECLARED = Text("{word} is declared in agent.yaml; take it out of 'expects' there")
_NOT_LEARNED = Text("'{word}' was not learned of {target}; {meant}")
_NOTHING_MISSING = Text("Nothing was missing or different; nothing is changed.")
_FORGOTTEN = Text("forgotten")
_ACCEPTED = Text("accepted")
_NOTHING_YET = Text(
    "Nothing is declared and nothing was learned yet; while 'sigap run' watches, a member is "
    "learned once it was seen in {readings} readings and for {time} (agent.learn_after)."
)
_HEADS = (
    Text("TARGET"),
    Text("MEMBER"),
    Text("BASIS"),
    Text("SINCE"),
    Text("NOW"),
)
_BASES = {
    "declared": Text("declared"),
    "learned": Text("learned"),
}
_THERE = Text("there")
_INSTEAD = Text("{instead} instead since {since}")
_GONE = Text("gone since {since}")


@dataclass(frozen=True, slots=True)
class Belongs:
    """One member of a target, as listed."""

    target: str
    kind: str
    name: str
    basis: str  # declared | learned
    since: datetime | None = None
    gone_since: datetime | None = None
    instead: str = ""


def learn(given: argparse.Namespace) -> int:
    """``sigap learn [TARGET] [--forget KIND/NAME] [--accept]``."""
    config = load(find(given.config))
    language = language_of(given, config)
    with in_language(language):
        return _learn(given, config, language)


def _learn(given: argparse.Namespace, config: Config, language: str) -> int:
    chosen = [target_named(given.target, config)] if given.target else list(config.targets)
    if (given.forget or given.accept) and not given.target:
        raise LocalizedError(_WHICH)
    file = _file(config)
    try:
        notes = read(file)
        if given.forget or given.accept:
            changes = list(_changes(chosen[0], notes, given))
            notes = edit(file, changes)
            _say(changes, language)
    except (OSError, NotebookError) as error:
        raise LocalizedError(_UNUSABLE.format(file=file, error=error)) from error
    listed = [each for target in chosen for each in _belongs(target, notes)]
    if given.json:
        print_json(listed)
    else:
        print(_shown(listed, config.learn_after, language))
    return 0


def _file(config: Config) -> Path:
    if config.state is None:
        raise LocalizedError(_NO_FOLDER.format())
    return config.state / MEMBERS_FILE


def _changes(target: Target, notes: Notes, given: argparse.Namespace) -> Iterator[MemberChange]:
    members = notes.of(target.name)
    now = datetime.now(UTC)
    for word in given.forget:
        kind, name = _learned(target, members, word)
        yield MemberChange(target.name, Verb.FORGOTTEN, kind, name, now)
    if not given.accept:
        return
    for (kind, name), noted in members.items():
        if noted.gone_since is not None:
            yield MemberChange(target.name, Verb.FORGOTTEN, kind, name, now)
            if noted.instead:
                yield MemberChange(target.name, Verb.LEARNED, kind, noted.instead, now)


def _learned(target: Target, members: Members, word: str) -> tuple[str, str]:
    """The member named by ``KIND/NAME`` or by a bare name."""
    kind, parted, name = word.partition("/")
    if parted and kind in KIND_NAMES:
        found = [key for key in members if key == (kind, name)]
    else:
        found = [key for key in members if key[1] == word]
    if len(found) == 1:
        return found[0]
    known = [f"{kind}/{name}" for kind, name in sorted(members)]
    if found:
        raise LocalizedError(_SEVERAL.format(word=word, target=target.name, known=", ".join(known)))
    if word in {f"{kind}/{name}" for kind, name in _declared(target)}:
        raise LocalizedError(_IS_DECLARED.format(word=word))
    raise LocalizedError(
        _NOT_LEARNED.format(word=word, target=target.name, meant=meant(word, known))
    )


def _declared(target: Target) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        for name in getattr(target.expects, f"{kind.name}s"):
            yield kind.name, name
    if target.role:
        yield ROLE, target.role
    if target.expects.upstream:
        yield UPSTREAM, target.expects.upstream


def _belongs(target: Target, notes: Notes) -> Iterator[Belongs]:
    declared = set(_declared(target))
    for kind, name in sorted(declared):
        yield Belongs(target.name, kind, name, "declared")
    for (kind, name), noted in sorted(notes.of(target.name).items()):
        if (kind, name) not in declared:
            yield Belongs(
                target.name, kind, name, "learned", noted.since, noted.gone_since, noted.instead
            )


def _say(changes: Sequence[MemberChange], language: str) -> None:
    if not changes:
        print(_NOTHING_MISSING.said_in(language))
    for each in changes:
        done = _FORGOTTEN if each.verb is Verb.FORGOTTEN else _ACCEPTED
        print(f"{done.said_in(language)}: {each.kind}/{each.name}")


def _shown(listed: Sequence[Belongs], learn_after_seconds: float, language: str) -> str:
    if not listed:
        time = written(learn_after_seconds, "seconds")
        return _NOTHING_YET.format(readings=LEARN_READINGS, time=time).said_in(language)
    rows = [
        (
            each.target,
            f"{each.kind}/{each.name}",
            _BASES[each.basis].said_in(language),
            utc_minute(each.since) if each.since else "-",
            _state(each).said_in(language),
        )
        for each in listed
    ]
    return table([head.said_in(language) for head in _HEADS], rows)


def _state(each: Belongs) -> Text:
    if each.gone_since is None:
        return Text("-") if each.basis == "declared" else _THERE
    since = utc_minute(each.gone_since)
    return (_INSTEAD if each.instead else _GONE).format(instead=each.instead, since=since)
