"""Why: what Sigap learned must be seen and mended by the people who know better.

Promise: the running agent takes an edit over within seconds and needs no restart; what is declared
in agent.yaml is shown, and changed there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.commands.words import print_json, table
from agent.config import Config, find, load
from agent.config.problems import nearest
from agent.membership import KIND_NAMES, KINDS, LEARN_READINGS, ROLE, UPSTREAM
from agent.notebook import Change, Members, NotebookError, Notes, Verb, edit, read
from agent.state import MEMBERS_FILE
from agent.trouble import Trouble
from probes import Target
from probes.units import written


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
    watched = {target.name: target for target in config.targets}
    if given.target is not None and given.target not in watched:
        raise Trouble(f"no target {given.target!r}; {nearest(given.target, watched)}")
    if (given.forget or given.accept) and given.target is None:
        raise Trouble("say of which target, e.g. 'sigap learn simpeg --accept'")
    file = _file(config)
    try:
        notes = read(file)
        if given.forget or given.accept:
            changes = list(_changes(watched[given.target], notes, given))
            notes = edit(file, changes)
            _say(changes)
    except (OSError, NotebookError) as error:
        raise Trouble(f"{file} cannot be used: {error}") from error
    chosen = [watched[given.target]] if given.target else list(config.targets)
    listed = [each for target in chosen for each in _belongs(target, notes)]
    if given.json:
        print_json(listed)
    else:
        print(_shown(listed, config.learn_after))
    return 0


def _file(config: Config) -> Path:
    if config.state is None:
        raise Trouble("this agent has no folder for what it learns; set 'agent: {state: FOLDER}'")
    return config.state / MEMBERS_FILE


def _changes(target: Target, notes: Notes, given: argparse.Namespace) -> Iterator[Change]:
    members = notes.of(target.name)
    now = datetime.now(UTC)
    for word in given.forget:
        kind, name = _learned(target, members, word)
        yield Change(target.name, Verb.FORGOTTEN, kind, name, now)
    if not given.accept:
        return
    for (kind, name), noted in members.items():
        if noted.gone_since is not None:
            yield Change(target.name, Verb.FORGOTTEN, kind, name, now)
            if noted.instead:
                yield Change(target.name, Verb.LEARNED, kind, noted.instead, now)


def _learned(target: Target, members: Members, word: str) -> tuple[str, str]:
    """The member that ``KIND/NAME`` or a bare name means."""
    kind, parted, name = word.partition("/")
    if parted and kind in KIND_NAMES:
        found = [key for key in members if key == (kind, name)]
    else:
        found = [key for key in members if key[1] == word]
    if len(found) == 1:
        return found[0]
    known = [f"{kind}/{name}" for kind, name in sorted(members)]
    if found:
        raise Trouble(f"{word!r} is more than one of {target.name}: {', '.join(known)}")
    if word in {f"{kind}/{name}" for kind, name in _declared(target)}:
        raise Trouble(f"{word} is declared in agent.yaml; take it out of 'expects' there")
    raise Trouble(f"{word!r} was not learned of {target.name}; {nearest(word, known)}")


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


def _say(changes: Sequence[Change]) -> None:
    if not changes:
        print("Nothing was missing or different; nothing is changed.")
    for each in changes:
        done = "forgotten" if each.verb is Verb.FORGOTTEN else "accepted"
        print(f"{done}: {each.kind}/{each.name}")


def _shown(listed: Sequence[Belongs], learn_after_seconds: float) -> str:
    if not listed:
        return (
            "Nothing is declared and nothing was learned yet; while 'sigap run' watches, a member "
            f"is learned once it was seen in {LEARN_READINGS} readings and for "
            f"{written(learn_after_seconds, 'seconds').en} (agent.learn_after)."
        )
    rows = [
        (
            each.target,
            f"{each.kind}/{each.name}",
            each.basis,
            each.since.strftime("%Y-%m-%d %H:%M UTC") if each.since else "-",
            _state(each),
        )
        for each in listed
    ]
    return table(("TARGET", "MEMBER", "BASIS", "SINCE", "NOW"), rows)


def _state(each: Belongs) -> str:
    if each.gone_since is None:
        return "-" if each.basis == "declared" else "there"
    since = each.gone_since.strftime("%Y-%m-%d %H:%M UTC")
    return f"{each.instead} instead since {since}" if each.instead else f"gone since {since}"
