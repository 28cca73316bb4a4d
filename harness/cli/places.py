"""Paths on the command line: local paths, and the run folder that an argument refers to."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from harness.errors import HarnessError, StoreError

RESULTS = Path("results")
"""The default folder of runs."""
LATEST = Path("latest")
"""The word for the run that started last."""
LISTED = 5
"""Runs that an error names, the latest."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""At least two letters: `C:/results` is a path."""


def local_path(written: str | Path) -> Path:
    """The `parser` of every option and argument that is a path.

    HarnessError for `s3://` or any other scheme, which would become a local folder of that name.
    """
    match = _SCHEME.match(str(written))
    if match is None:
        return Path(written)
    scheme = match[1].lower()
    how = "leave file:// out" if scheme == "file" else "use a local folder, and copy the files yourself"
    raise HarnessError(f"{written}: {scheme}:// is not a path on this machine; {how}")


def find_run(written: str | Path) -> Path:
    """The `parser` of every option and argument that is a run: its folder, its id, the beginning of one, or `latest`.

    Ids are those under results/; a folder may be anywhere. StoreError: no such run, or more than one.
    """
    from harness.store.run_folder import list_runs

    text, path = str(written), local_path(written)
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


def _latest_run() -> Path:
    """The readable run that started last; warns about unreadable ones on standard error."""
    from harness.characters import printable
    from harness.store.run_folder import latest_run, unreadable_runs

    run = latest_run(RESULTS)
    for message in unreadable_runs(RESULTS):
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    return run.path


def _names(runs: list[Path]) -> str:
    """The last ones, the latest first: `C, B, A and 4 more`."""
    more = f" and {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return ", ".join(run.name for run in reversed(runs[-LISTED:])) + more
