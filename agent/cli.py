"""Command line ``sigap``: argument parsing and dispatch to ``agent.commands``.

An error is one sentence on standard error with the next move and a non-zero exit code, without a
traceback (``SIGAP_DEBUG=1`` shows it). Results go to standard output. A command's modules are
imported when it runs, so ``sigap --help`` is fast.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

from agent.errors import UserError
from probes.i18n import INDONESIAN, languages

INTERNAL = 70  # EX_SOFTWARE
UNKNOWN = 3  # Nagios' UNKNOWN

_Commands = argparse._SubParsersAction  # the only name argparse has for what add_subparsers gives


class UnknownCommand(UserError):
    """A word that is not a command; one sentence with the nearest one."""

    exit_code = 2  # argparse's own for a wrong word


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["demo"]:  # the demo parses its own arguments
        return _guarded(lambda: _demo(words[1:]), "demo")
    parser = _parser()
    unknown = _guarded(lambda: _known(parser, words), "")
    if unknown:
        return unknown
    given = parser.parse_args(words)
    module, _, function = given.run.partition(":")

    def run() -> int:
        code: int = getattr(import_module(f"agent.commands.{module}"), function)(given)
        return code

    return _guarded(run, given.command)


def _guarded(run: Callable[[], int], command: str) -> int:
    try:
        return run()
    except UserError as trouble:
        print(f"sigap: {trouble}", file=sys.stderr)
        return UNKNOWN if command == "try" else trouble.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        if os.environ.get("SIGAP_DEBUG"):
            traceback.print_exc()
        extra = "demo" if command == "demo" else "desk"
        print(
            f"sigap: this command needs the package {error.name}: pip install 'sigap-db[{extra}]'",
            file=sys.stderr,
        )
        return UNKNOWN if command == "try" else 1
    except Exception as error:  # noqa: BLE001 - the last resort: a bug is one sentence too
        if os.environ.get("SIGAP_DEBUG"):
            traceback.print_exc()
        print(
            f"sigap: internal error ({type(error).__name__}: {error}); "
            "run again with SIGAP_DEBUG=1 and report what it prints",
            file=sys.stderr,
        )
        return UNKNOWN if command == "try" else INTERNAL


def _known(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """0 when the command, and the command within it, are known. Raises ``UnknownCommand``."""
    commands = parser.get_default("commands")
    if not commands or not words or words[0].startswith("-"):
        return 0
    if words[0] not in commands:
        from files.problems import nearest  # the configuration's libraries are not for help

        raise UnknownCommand(f"no command {words[0]!r}; {nearest(words[0], commands)}")
    return _known(commands[words[0]], words[1:])


def _demo(words: Sequence[str]) -> int:
    from agent.demo import main as demo  # the demo is an extra

    return demo(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sigap",
        description="Monitors databases and guides the office through its incident procedure.",
        epilog="See 'sigap COMMAND --help' for details. The configuration is ./agent.yaml, "
        "/etc/sigap/agent.yaml, or what -c or SIGAP_CONFIG names.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _daemon_commands(commands)
    _probe_commands(commands)
    _people_commands(commands)
    _incident_commands(commands)
    _ledger_commands(commands)
    parser.set_defaults(commands=commands.choices)
    return parser


def _command(
    commands: _Commands[argparse.ArgumentParser], name: str, run: str, help: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    parser.set_defaults(run=run)
    return parser


def _group(
    commands: _Commands[argparse.ArgumentParser], name: str, help: str
) -> _Commands[argparse.ArgumentParser]:
    """A command with subcommands."""
    parser = commands.add_parser(name, help=help)
    each = parser.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    parser.set_defaults(commands=each.choices)
    return each


def _with_config(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("-c", "--config", metavar="FILE", help="the configuration file")
    return parser


def _with_json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _with_lang(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--lang",
        choices=languages(),
        help="language of the output (default: agent.language of the configuration)",
    )
    return parser


def _with_password(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="file with the password in its first line; else it is asked for, or read from "
        "standard input when that is not a terminal",
    )
    return parser


def _daemon_commands(commands: _Commands[argparse.ArgumentParser]) -> None:
    _with_config(
        _command(commands, "run", "serve:run", "run the agent: probes, pages and /metrics")
    )
    # listed for --help only: main() hands its words over before they get here
    _command(commands, "demo", "serve:run", "start a demo with real databases to break and repair")
    _with_config(
        _command(commands, "check-config", "serve:check", "list every problem of agent.yaml")
    )
    _command(commands, "schema", "serve:schema", "print the JSON Schema of agent.yaml")
    _command(commands, "version", "serve:version", "print the version")


def _probe_commands(commands: _Commands[argparse.ArgumentParser]) -> None:
    attempt = _command(
        commands,
        "try",
        "probing:attempt",
        "run probes now; exits 0 ok, 1 warning, 2 critical, 3 unknown",
    )
    attempt.add_argument("target", metavar="TARGET")
    attempt.add_argument("probe", metavar="PROBE", nargs="?")
    _with_lang(_with_json(_with_config(attempt)))
    probes = _command(commands, "probes", "probing:listing", "list every probe and its limits")
    _with_lang(_with_json(_with_config(probes)))
    learn = _command(
        commands, "learn", "learn:learn", "show and edit the learned members of each target"
    )
    learn.add_argument("target", metavar="TARGET", nargs="?")
    learn.add_argument(
        "--forget",
        metavar="KIND/NAME",
        action="append",
        default=[],
        help="forget this member, e.g. slot/standby1",
    )
    learn.add_argument(
        "--accept", action="store_true", help="accept what is missing or different now"
    )
    _with_lang(_with_json(_with_config(learn)))
    grants = _command(commands, "grants", "probing:grants", "print the script for the account")
    grants.add_argument("flavour", metavar="ENGINE", help="postgresql, mysql, mariadb or pgbouncer")
    grants.add_argument(
        "--user",
        metavar="NAME[@HOST]",
        help="the account's name (sigap); for MySQL and MariaDB also where the agent comes from, "
        "e.g. sigap@10.0.0.5 (sigap@localhost)",
    )
    grants.add_argument(
        "--canary", action="store_true", help="also print the table for the write canary (optional)"
    )
    _with_lang(_with_config(grants))


def _people_commands(commands: _Commands[argparse.ArgumentParser]) -> None:
    people = _group(commands, "people", "manage who may sign")
    add = _command(people, "add", "people:add", "add a person")
    add.add_argument("username")
    add.add_argument("--name", required=True, help="full name with titles, as on letters")
    for word, text in (
        ("nip", "employee number"),
        ("position", "office title, printed on documents"),
        ("rank", "pangkat/golongan"),
        ("email", "address"),
    ):
        add.add_argument(f"--{word}", default="", help=text)
    add.add_argument(
        "--language",
        choices=languages(),
        default=INDONESIAN,
        help="language of the person's pages (id)",
    )
    _with_password(_with_lang(_with_config(add)))
    _with_json(
        _with_lang(
            _with_config(_command(people, "list", "people:listing", "list people and roles"))
        )
    )
    assign = _command(people, "assign", "people:assign", "give a person a role")
    assign.add_argument("username")
    assign.add_argument(
        "role",
        help="code of a role of the procedure; a code it does not have is answered with those it "
        "has",
    )
    assign.add_argument("--basis", choices=("definitif", "plt", "plh"), default="definitif")
    assign.add_argument("--letter", default="", help="number of the surat tugas")
    assign.add_argument("--from", dest="valid_from", metavar="YYYY-MM-DD", help="first day")
    assign.add_argument("--to", dest="valid_to", metavar="YYYY-MM-DD", help="last day")
    _with_lang(_with_config(assign))
    passwd = _command(people, "passwd", "people:passwd", "set a person's password")
    passwd.add_argument("username")
    _with_password(_with_lang(_with_config(passwd)))


def _incident_commands(commands: _Commands[argparse.ArgumentParser]) -> None:
    each = _group(commands, "incidents", "read, open and sign incidents")
    listing = _command(each, "list", "incidents:listing", "list incidents")
    listing.add_argument("--state", choices=("open", "closed", "all"), default="open")
    listing.add_argument("--text", default="", help="words to search for; all must occur")
    _with_lang(_with_json(_with_config(listing)))
    show = _command(each, "show", "incidents:show", "show one incident")
    show.add_argument("number")
    show.add_argument(
        "--as", dest="username", default="", help="with --json: whether this person may sign"
    )
    _with_lang(_with_json(_with_config(show)))
    report = _command(each, "open", "incidents:report", "report a disruption manually")
    report.add_argument("--title", required=True)
    for word in ("description", "target", "application", "agency", "reporter", "contact"):
        report.add_argument(f"--{word}", default="")
    report.add_argument("--severity", choices=("warning", "critical"), default="critical")
    sign = _command(each, "sign", "incidents:sign", "sign the waiting step of an incident")
    sign.add_argument("number")
    sign.add_argument("--step", type=int, help="the step to sign (default: the one that waits)")
    sign.add_argument("--decision", choices=("approve", "return"), default="approve")
    sign.add_argument("--form", default="{}", help="JSON of the form, or @FILE")
    sign.add_argument("--version", type=int, help="version of the incident you saw")
    for parser in (report, sign):
        parser.add_argument("--as", dest="username", required=True, help="your username")
        _with_password(_with_lang(_with_json(_with_config(parser))))


def _ledger_commands(commands: _Commands[argparse.ArgumentParser]) -> None:
    verify = _command(commands, "verify", "ledger:verify", "verify the ledger, or an exported one")
    verify.add_argument("file", nargs="?", metavar="FILE", help="a bundle made by 'sigap export'")
    _with_lang(_with_config(verify))
    export = _command(commands, "export", "ledger:export", "write the ledger as one file")
    export.add_argument("file", metavar="FILE")
    _with_lang(_with_config(export))
