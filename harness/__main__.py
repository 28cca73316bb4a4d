"""The command `harness`, and `python -m harness`: the command line in a process that ends with its exit code."""

from __future__ import annotations

import atexit
import os
import sys

from harness.cli import main
from harness.errors import RunInvalid


def run() -> None:
    """Run the command line, then end the process without taking the interpreter apart.

    msgspec 0.22 can crash when the interpreter's last collection clears its types (its issue 717): the command was done
    and its exit code lost, one `harness gate` of four. Everything is closed and written by then; what is registered to
    be done at exit is done. An exception (--debug) ends the process as ever.
    """
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()
    os._exit(_flush(code if isinstance(code, int) else 0 if code is None else 1))


def _flush(exit_code: int) -> int:
    """The exit code, unless what was printed cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        print(f"error: output: {error.strerror}", file=sys.stderr)
        exit_code = exit_code or RunInvalid.exit_code
    sys.stderr.flush()
    return exit_code


if __name__ == "__main__":
    run()
