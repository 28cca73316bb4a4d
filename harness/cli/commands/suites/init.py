"""`harness init`: writes a starter suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FOLDER = Path("suites")


def init(name: Annotated[str, typer.Argument(help="Name of the suite.")]) -> None:
    """Write suites/NAME.yaml, a commented suite that is ready to run.

    \b
    harness init support-triage
    harness run suites/support-triage.yaml
    """
    from harness.suite.write import starter_suite

    text = starter_suite(name)
    path = FOLDER / f"{name}.yaml"
    _write_new(path, text)
    typer.echo(f"Wrote {path}. Edit it, then:\n  harness validate {path}\n  harness run {path}")


def _write_new(path: Path, text: str) -> None:
    """Create a file. HarnessError: it exists or cannot be written."""
    from harness.errors import HarnessError
    from harness.store.files import new_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new_file(path, mode=0o666) as file:
            file.write(text.encode())
    except FileExistsError as error:
        raise HarnessError(f"{error.filename} already exists; choose another name or remove it") from error
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error
