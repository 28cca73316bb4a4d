"""The command line. A command is one file and one line here; nothing heavy is imported before it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated

import typer

from harness import __version__
from harness.characters import visible
from harness.cli.output import guard_output
from harness.cli.places import words_to_complete
from harness.cli.signals import handle_signals, ignore_signals
from harness.errors import INTERRUPTED_CODE, HarnessError, RunInvalid, first_leaf
from harness.files import remedy

COMMANDS = {
    "run": "harness.cli.commands.run:run",
    "sweep": "harness.cli.commands.sweep:sweep",
    "report": "harness.cli.commands.report:report",
    "sync": "harness.cli.commands.sync:sync",
    "runs": "harness.cli.commands.runs:runs",
    "open": "harness.cli.commands.open:open_page",
    "history": "harness.cli.commands.verdicts.history:history",
    "query": "harness.cli.commands.query:query",
    "compare": "harness.cli.commands.verdicts.compare:compare",
    "gate": "harness.cli.commands.verdicts.gate:gate",
    "baseline": "harness.cli.commands.verdicts.baseline:baseline",
    "export": "harness.cli.commands.export:export",
    "models": "harness.cli.commands.models:models",
    "reconcile": "harness.cli.commands.reconcile:reconcile",
    "import": "harness.cli.commands.suites.import_log:import_log",
    "doctor": "harness.cli.commands.doctor:doctor",
    "init": "harness.cli.commands.suites.init:init",
    "validate": "harness.cli.commands.suites.validate:validate",
    "schema": "harness.cli.commands.suites.schema:schema",
    "simulate": "harness.cli.commands.simulate:simulate",
}

EPILOG = """Exit codes: 0 success · 1 gate: worse · 2 bad input or usage · 3 gate: inconclusive · 4 the run is invalid
or incomplete · 5 done, but not delivered, such as to a bucket · 130 interrupted (Ctrl-C, SIGTERM, SIGHUP).
--debug, anywhere on the line, shows the traceback behind an error."""


def make_app(commands: Mapping[str, str] = COMMANDS) -> typer.Typer:
    """A typer application with these commands; imports their modules."""
    app = typer.Typer(
        name="harness",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
    )
    app.callback()(_root)
    for name, place in commands.items():
        module, function = place.split(":")
        command = getattr(import_module(module), function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, no_args_is_help=False)(command)
    return app


def main(line: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the documented codes. `line`: arguments; None: those of this process."""
    line = sys.argv[1:] if line is None else line
    debug = "--debug" in line
    arguments = [each for each in line if each != "--debug"]
    guard_output()
    handle_signals()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads speed up nothing here, and would forbid forks
    try:
        make_app(_requested(arguments or words_to_complete()))(args=arguments, prog_name="harness")
    except HarnessError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except SystemExit as end:
        if end.code == INTERRUPTED_CODE:
            ignore_signals()
        raise
    except KeyboardInterrupt:
        ignore_signals()
        _fail("interrupted", INTERRUPTED_CODE)
    except OSError as error:
        if debug:
            raise
        _fail(f"{error.filename or 'output'}: {error.strerror or error}{remedy(error)}", RunInvalid.exit_code)
    except Exception as error:
        if debug:
            raise
        cause = first_leaf(error)
        _fail(
            f"internal error, a bug in harness: {type(cause).__name__}: {cause} (--debug shows where)",
            RunInvalid.exit_code,
        )


def _requested(arguments: Sequence[str]) -> Mapping[str, str]:
    """The command on the line, so that only its module is imported; all commands if there is none."""
    name = next((each for each in arguments if not each.startswith("-")), "")
    return {name: COMMANDS[name]} if name in COMMANDS else COMMANDS


def _fail(message: str, exit_code: int) -> None:
    print(visible(f"error: {message}" if "\n" not in message else message), file=sys.stderr)
    raise SystemExit(exit_code)


def _print_version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Evaluate and load-test Claude on Amazon Bedrock: many models and endpoints at once, with error bars.

    Start here: harness run suites/quickstart.yaml
    """
