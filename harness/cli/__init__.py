"""The command line: one file for each command, one line here. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from harness import __version__
from harness.errors import HarnessError

COMMANDS = {
    "run": "harness.cli.run:run",
    "report": "harness.cli.report:report",
    "query": "harness.cli.query:query",
    "models": "harness.cli.models:models",
    "reconcile": "harness.cli.reconcile:reconcile",
    "import": "harness.cli.import_log:import_log",
    "init": "harness.cli.init:init",
    "validate": "harness.cli.validate:validate",
    "schema": "harness.cli.schema:schema",
    "simulate": "harness.cli.simulate:simulate",
}

EPILOG = """Exit codes: 0 good · 2 bad input or usage · 4 the run is invalid or incomplete · 130 interrupted.
--debug, anywhere on the line, shows the traceback behind an error."""


def make_app() -> typer.Typer:
    """The typer application with every command of the table."""
    app = typer.Typer(
        name="harness",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=EPILOG,
    )
    app.callback()(_root)
    for name, place in COMMANDS.items():
        module, function = place.split(":")
        app.command(name, no_args_is_help=False)(getattr(import_module(module), function))
    return app


def main() -> None:
    """Run the command line and end the process with the design's exit codes."""
    debug = "--debug" in sys.argv
    arguments = [each for each in sys.argv[1:] if each != "--debug"]
    try:
        make_app()(args=arguments, prog_name="harness")
    except HarnessError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        _fail(f"internal error, a bug in harness: {type(error).__name__}: {error} (--debug shows where)", 4)


def _fail(message: str, exit_code: int) -> None:
    print(f"error: {message}" if "\n" not in message else message, file=sys.stderr)
    raise SystemExit(exit_code)


def _root(version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
    """Evaluate and load-test Claude on Amazon Bedrock: many models and endpoints at once, with error bars.

    Start here: harness run suites/quickstart.yaml
    """
    if version:
        print(__version__)
        raise typer.Exit
