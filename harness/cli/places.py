"""Paths, runs and buckets on the command line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.remote import (
    LATEST,
    check_bucket,
    fetch_compared,
    fetch_index,
    fetch_results,
    fetch_run,
    list_names,
    upload_results,
)
from harness.errors import HarnessError, StoreError

if TYPE_CHECKING:
    from harness.store.bucket.address import BucketAddress


class Place(str):
    """A run, or a folder of runs, as a parser below has checked it: a path on this machine, or `s3://BUCKET/PREFIX`."""

    __slots__ = ()

    @property
    def in_bucket(self) -> bool:
        return self.startswith(BUCKET)

    @property
    def address(self) -> BucketAddress:
        """Of a place in a bucket."""
        from harness.store.bucket.address import parse_address

        return parse_address(self)


BUCKET = "s3://"
RESULTS = Path("results")
"""The default folder for runs."""
DEFAULT_RESULTS, DEFAULT_RUN = Place(RESULTS), Place(LATEST)
SUMMARIES = ("manifest.json", "summary.json", "suite.json", "suite.yaml")
"""The files of a run that commands read which look at many runs."""
ROWS = ("manifest.json", "attempts.parquet", "scores.parquet", "attempts.jsonl")
"""The files with a run's attempts and scores."""
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
    how = {
        "file": "leave out file://",
        "s3": "use a local folder; `harness sync` copies runs from and to a bucket",
    }.get(scheme, "use a local folder, and copy the files yourself")
    raise HarnessError(f"{written}: {scheme}:// is not a path on this machine; {how}")


def parse_results(written: str | Path) -> Place:
    """Parse a folder of runs, which may be in a bucket; for options and arguments that are a `Place`.

    HarnessError: it is neither a path nor the address of a bucket.
    """
    return _parse_address(written) or Place(local_path(written))


def parse_run(written: str | Path) -> Place:
    """Parse a run as `find_run`, or `s3://BUCKET/PREFIX/RUN`, where RUN may be `latest` or the beginning of an id.

    HarnessError, StoreError: see there.
    """
    return _parse_address(written) or Place(find_run(written))


def _parse_address(written: str | Path) -> Place | None:
    return Place(Place(written).address) if str(written).startswith("s3:/") else None


def local_results(place: Place, names: Sequence[str]) -> Path:
    """The folder of these runs, on this machine; from a bucket, the named files of each run are fetched. StoreError."""
    if not place.in_bucket:
        return Path(place)
    return fetch_results(place.address, names)


def local_index(run: Place) -> Path:
    """The folder beside a run in a bucket, with what an index of its runs shows, on this machine. StoreError."""
    return fetch_index(run.address)


def local_run(place: Place, *, compared: bool = False) -> Path:
    """The folder of this run, on this machine; from a bucket, it is fetched. StoreError.

    `compared`: fetch also what a comparison reads beside the run: baselines and earlier runs.
    """
    if not place.in_bucket:
        return Path(place)
    return fetch_compared(place.address, SUMMARIES, ROWS) if compared else fetch_run(place.address)


def stored_run(place: Place, folder: Path, code: int) -> int:
    """Upload what a command wrote into its copy of a run in a bucket; returns the exit code.

    `code`: of the command. Does nothing for a run on this machine.
    """
    if not place.in_bucket:
        return code
    return upload_results(place.address.split()[0], folder, code, quiet=True)


def local_out(out: Place) -> tuple[Path, Place | None]:
    """Where a run is written, and the address to which it is then uploaded: of --out.

    StoreError: there is no such bucket, or no permission.
    """
    if not out.in_bucket:
        return Path(out), None
    check_bucket(out.address)
    return RESULTS, out


def uploaded_run(bucket: Place | None, folder: Path, code: int, *, quiet: bool) -> int:
    """Upload a run that has ended, if it is to be; returns the exit code. `code`: of the run."""
    if bucket is None:
        return code
    return upload_results(bucket.address, folder, code, quiet=quiet)


def find_run(written: str | Path) -> Path:
    """Find a run; for every option and argument that is one.

    `written`: its folder, its id, the beginning of its id, or `latest`. Ids are looked up in results/; a folder may be
    anywhere. StoreError: no such run, or more than one.
    """
    text, path = str(written), local_path(written)
    if words_to_complete():
        return path
    from harness.store.run_folder import list_runs

    if text == LATEST:
        return _latest_run()
    if path.is_dir() or "/" in text.rstrip("/"):
        return path
    if (RESULTS / path).is_dir():
        return RESULTS / path
    runs = [run.path.name for run in list_runs(RESULTS)]
    matches = [name for name in runs if name.startswith(text)]
    if len(matches) == 1:
        return RESULTS / matches[0]
    if matches:
        raise StoreError(
            f"{text}: matches the ids of {len(matches)} runs in {RESULTS} ({list_names(matches)}); write more of the id"
        )
    there = f"it holds {list_names(runs)}" if runs else "it holds no runs; `harness run SUITE` makes one"
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
    return [name for name in (LATEST, *names) if name.startswith(incomplete)]


def _latest_run() -> Path:
    """The readable run that started last. Warns on stderr about unreadable ones."""
    from harness.characters import printable
    from harness.store.run_folder import latest_run, unreadable_runs

    run = latest_run(RESULTS)
    for message in unreadable_runs(RESULTS):
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    return run.path
