"""`lispctl NOUN`: what the daemon of this network namespace is doing, for people or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lispfast._version import __version__
from lispfast.cli import check, database, forwarding_table, map_cache, parts, sites, status, subscriptions
from lispfast.cli.exits import Exit
from lispfast.manage.client import ControlError, ask, ask_in_parts
from lispfast.manage.paths import control_socket
from lispfast.model.errors import WireError

Run = Callable[[argparse.Namespace], Exit]
View = dict[str, Any]  # decoded JSON: what a noun's keys hold is documented where the daemon makes it

NOUNS: dict[str, tuple[str, Callable[[View], str]]] = {
    "status": ("registrations, interfaces, data plane, and why something waits", status.render),
    "map-cache": ("the mappings of other EIDs that this node has learnt", map_cache.render),
    "database": ("this node's own EID-prefixes and their locators", database.render),
    "sites": ("a Map-Server's sites and their registrations", sites.render),
    "subscriptions": ("who is told of changes by a Map-Server", subscriptions.render),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is one of `Exit`."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except ControlError as error:
        print(f"lispctl: {error}", file=sys.stderr)
        return Exit.FAULT
    except BrokenPipeError:
        # The reader (`| head`) has enough; without this the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def _show(options: argparse.Namespace) -> Exit:
    view = ask(str(control_socket(options.socket)), options.noun)
    print(json.dumps(view, indent=2) if options.json else NOUNS[options.noun][1](view).rstrip("\n"), flush=True)
    return Exit.OK


def _map_cache(options: argparse.Namespace) -> Exit:
    if not options.table:
        return _show(options)
    answer = parts.Answer(ask_in_parts(str(control_socket(options.socket)), "table"), "entries")
    _print(answer.json() if options.json else forwarding_table.render(answer))
    return Exit.OK


def _check(options: argparse.Namespace) -> Exit:
    answer = parts.Answer(ask_in_parts(str(control_socket(options.socket)), "check"), "differences")
    _print(answer.json() if options.json else check.render(answer))
    return Exit.OK if answer.end["same"] else Exit.FAULT


def _decode(options: argparse.Namespace) -> Exit:
    # Imported only here: the other nouns need no codec.
    from lispfast.cli import decode

    try:
        text = " ".join(options.digits) if options.digits else sys.stdin.read(decode.MAX_TEXT + 1)
        view = decode.message(text)
    except (decode.BadInputError, UnicodeDecodeError) as error:
        print(f"lispctl: {error}", file=sys.stderr)
        return Exit.USAGE
    except WireError as error:
        print(f"lispctl: cannot be decoded: {error}", file=sys.stderr)
        return Exit.FAULT
    print(json.dumps(view, indent=2) if options.json else decode.render(view).rstrip("\n"), flush=True)
    return Exit.OK


def _print(texts: Iterable[str]) -> None:
    for text in texts:
        sys.stdout.write(text)
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lispctl", description="Shows what the lispd-fast of this network namespace is doing."
    )
    parser.add_argument("--version", action="version", version=f"lispctl {__version__}")
    parser.add_argument("--socket", metavar="PATH", help="the control socket, where lispd.conf names another")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="NOUN")
    for noun, (summary, _) in NOUNS.items():
        command = _command(nouns, noun, summary, f"Shows {summary}.", _map_cache if noun == "map-cache" else _show)
        if noun == "map-cache":
            command.add_argument("--table", action="store_true", help="what the data plane has, as its workers see it")
    summary = "a control message given as hexadecimal digits, without a daemon"
    description = "Shows a control message field by field: the UDP payload of port 4342 as hexadecimal digits."
    command = _command(nouns, "decode", summary, description, _decode)
    command.add_argument("digits", nargs="*", metavar="HEX", help="the digits; without any, standard input has them")
    summary = "whether the data plane has what the map-cache and policy say"
    _command(nouns, "check", summary, f"Tells {summary}; names every difference, and exits with 1 then.", _check)
    return parser


def _command(nouns: Any, noun: str, summary: str, description: str, run: Run) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = nouns.add_parser(noun, help=summary, description=description)
    command.add_argument("--json", action="store_true", help="as JSON, whose keys are only ever added to")
    command.set_defaults(run=run)
    return command


if __name__ == "__main__":
    sys.exit(main())
