"""`lispd-fast -c lispd.conf`: check the configuration, then be the daemon, in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from lispfast._version import __version__
from lispfast.cli.exits import Exit
from lispfast.config import Loaded, load, render
from lispfast.model.errors import AlreadyRunningError, LispfastError, PrivilegeError
from lispfast.model.settings import Settings

EPILOG = """exit codes: 0 ended in good order, 1 fault, 2 usage, 3 configuration, 4 privilege or device missing,
5 another lispd-fast holds this network namespace"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is one of `Exit`."""
    options = _parser().parse_args(argv)
    if options.cleanup and not options.config:
        return _guarded(lambda: _cleanup(None))
    if not options.config:
        print("lispd-fast: name a configuration: lispd-fast -c lispd.conf", file=sys.stderr)
        return Exit.USAGE
    loaded = load(options.config)
    for problem in loaded.problems:
        print(problem, file=sys.stdout if options.check else sys.stderr)
    if options.check:
        return _verdict(loaded)
    settings = loaded.settings
    if settings is None:
        print(f"lispd-fast: {options.config} has errors; nothing was started or changed", file=sys.stderr)
        return Exit.CONFIGURATION
    if options.print_config:
        print(render(settings), end="")
        return Exit.OK
    if options.cleanup:
        return _guarded(lambda: _cleanup(settings))
    return _guarded(lambda: _run(settings))


def _verdict(loaded: Loaded) -> Exit:
    if loaded.settings is None:
        return Exit.CONFIGURATION
    if not loaded.problems:
        print("no problems")
    return Exit.OK


def _guarded(action: Callable[[], None]) -> Exit:
    """Run the action and turn what it raises into one sentence and its exit code."""
    try:
        action()
    except PrivilegeError as error:
        return _fail(error, Exit.PRIVILEGE)
    except AlreadyRunningError as error:
        return _fail(error, Exit.ALREADY_RUNNING)
    except LispfastError as error:
        return _fail(error, Exit.FAULT)
    return Exit.OK


def _fail(error: LispfastError, code: Exit) -> Exit:
    print(f"lispd-fast: {error}", file=sys.stderr)
    return code


def _run(settings: Settings) -> None:
    # The runtime is imported only here: --check and --print-config need none of its 200 ms.
    from lispfast.runtime.daemon import run

    run(settings)


def _cleanup(settings: Settings | None) -> None:
    from lispfast.runtime.daemon import cleanup

    done = cleanup(settings.state_dir if settings else None)
    print("\n".join(done) if done else "nothing to clean up")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lispd-fast",
        description="A LISP mobile node, an xTR, or a Map-Server and Map-Resolver, in the foreground.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "-f", "--config", metavar="FILE", help="the configuration, in lispd.conf's syntax")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="list every problem of the configuration and end")
    action.add_argument("--print-config", action="store_true", help="print what is in force, keys masked, and end")
    action.add_argument(
        "--cleanup", action="store_true", help="undo what a killed daemon left in this network namespace and end"
    )
    parser.add_argument("--version", action="version", version=f"lispd-fast {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
