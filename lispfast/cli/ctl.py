"""`lispctl NOUN`: what the daemon of this network namespace is doing, for people or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lispfast._version import __version__
from lispfast.cli import database, map_cache, sites, status
from lispfast.cli.exits import Exit
from lispfast.manage.client import ControlError, ask
from lispfast.manage.paths import control_socket

View = dict[str, Any]  # decoded JSON: what a noun's keys hold is documented where the daemon makes it

NOUNS: dict[str, tuple[str, Callable[[View], str]]] = {
    "status": ("registrations, interfaces, data plane, and why something waits", status.render),
    "map-cache": ("the mappings of other EIDs that this node has learnt", map_cache.render),
    "database": ("this node's own EID-prefixes and their locators", database.render),
    "sites": ("a Map-Server's sites and their registrations", sites.render),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is one of `Exit`."""
    options = _parser().parse_args(argv)
    try:
        view = ask(str(control_socket(options.socket)), options.noun)
    except ControlError as error:
        print(f"lispctl: {error}", file=sys.stderr)
        return Exit.FAULT
    try:
        print(json.dumps(view, indent=2) if options.json else NOUNS[options.noun][1](view).rstrip("\n"), flush=True)
    except BrokenPipeError:
        # The reader (`| head`) has enough; without this the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lispctl", description="Shows what the lispd-fast of this network namespace is doing."
    )
    parser.add_argument("--version", action="version", version=f"lispctl {__version__}")
    parser.add_argument("--socket", metavar="PATH", help="the control socket, where lispd.conf names another")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="NOUN")
    for noun, (summary, _) in NOUNS.items():
        command = nouns.add_parser(noun, help=summary, description=f"Shows {summary}.")
        command.add_argument("--json", action="store_true", help="as JSON, whose keys are only ever added to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
