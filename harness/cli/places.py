"""Paths and runs on the command line."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from harness.errors import HarnessError, StoreError

RESULTS = Path("results")
"""The default folder for runs."""
LATEST = Path("latest")
"""The word for the run that started last."""
LISTED = 5
"""How many runs an error lists, the latest first."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""At least two letters, since `C:/results` is a path."""
_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]*")


def local_path(written: str | Path) -> Path:
    """Parse a path; for every option and argument that is one.

    HarnessError: it has a scheme such as `s3://`, which would become a local folder of that name.
    """
    match = _SCHEME.match(str(written))
    if match is None:
        return Path(written)
    scheme = match[1].lower()
    how = "leave out file://" if scheme == "file" else "use a local folder, and copy the files yourself"
    raise HarnessError(f"{written}: {scheme}:// is not a path on this machine; {how}")


def find_run(written: str | Path) -> Path:
    """Find a run; for every option and argument that is one.

    `written`: its folder, its id, the beginning of its id, or `latest`. Ids are looked up in results/; a folder may be
    anywhere. StoreError: no such run, or more than one.
    """
    text, path = str(written), local_path(written)
    if words_to_complete():
        return path
    from harness.store.run_folder import list_runs

    if path == LATEST and text == str(LATEST):
        return _latest_run()
    if path.is_dir() or "/" in text.rstrip("/"):
        return path
    if (RESULTS / path).is_dir():
        return RESULTS / path
    runs = [run.path for run in list_runs(RESULTS)]
    matches = [run for run in runs if run.name.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise StoreError(
            f"{text}: matches the ids of {len(matches)} runs in {RESULTS} ({_names(matches)}); write more of the id"
        )
    there = f"it holds {_names(runs)}" if runs else "it holds no runs; `harness run SUITE` makes one"
    raise StoreError(f"{text}: no such run in {RESULTS}; {there}. Give a folder, an id, its beginning, or `latest`")


def words_to_complete() -> list[str]:
    """The words after `harness` on a line that a shell wants to complete; empty for a command that is to run."""
    line = os.environ.get("COMP_WORDS", os.environ.get("_TYPER_COMPLETE_ARGS", ""))
    return line.split()[1:] if "_HARNESS_COMPLETE" in os.environ else []


def complete_run(incomplete: str) -> list[str]:
    """`latest`, and the folders in results/ that begin with what is typed, the latest first. Reads only names.

    Others than of plain characters are left out: a shell may evaluate what it is offered.
    """
    try:
        with os.scandir(RESULTS) as entries:
            names = sorted(
                (each.name for each in entries if each.is_dir() and _PLAIN.fullmatch(each.name)), reverse=True
            )
    except OSError:
        names = []
    return [name for name in (str(LATEST), *names) if name.startswith(incomplete)]


def _latest_run() -> Path:
    """The readable run that started last. Warns on stderr about unreadable ones."""
    from harness.characters import printable
    from harness.store.run_folder import latest_run, unreadable_runs

    run = latest_run(RESULTS)
    for message in unreadable_runs(RESULTS):
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    return run.path


def _names(runs: list[Path]) -> str:
    """The last LISTED runs, the latest first: `C, B, A and 4 more`."""
    more = f" and {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return ", ".join(run.name for run in reversed(runs[-LISTED:])) + more
