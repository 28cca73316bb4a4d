"""Paths, runs and buckets on the command line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError, StoreError


class Place(str):
    """A run, or a folder of runs, as a parser below has checked it: a path on this machine, or `s3://BUCKET/PREFIX`."""

    __slots__ = ()

    @property
    def in_bucket(self) -> bool:
        return self.startswith(BUCKET)


BUCKET = "s3://"
RESULTS = Path("results")
"""The default folder for runs."""
LATEST = Path("latest")
"""The word for the run that started last."""
DEFAULT_RESULTS, DEFAULT_RUN = Place(RESULTS), Place(LATEST)
LISTED = 5
"""How many runs an error lists, the latest first."""
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
    if not str(written).startswith("s3:/"):
        return None
    from harness.store.bucket.address import parse_address

    return Place(parse_address(str(written)))


def local_results(place: Place, names: Sequence[str]) -> Path:
    """The folder of these runs, on this machine; from a bucket, the named files of each run are fetched. StoreError."""
    if not place.in_bucket:
        return Path(place)
    from harness.cli.remote import fetch_results
    from harness.store.bucket.address import parse_address

    return fetch_results(parse_address(place), names)


def results_of(place: Place) -> Place:
    """The address above that of a run in a bucket."""
    return Place(place.rstrip("/").rpartition("/")[0])


def local_index(run: Place) -> Path:
    """The folder beside a run in a bucket, with what an index of its runs shows, on this machine. StoreError."""
    from harness.cli.remote import fetch_index
    from harness.store.bucket.address import parse_address

    return fetch_index(parse_address(run))


def local_run(place: Place, *, compared: bool = False) -> Path:
    """The folder of this run, on this machine; from a bucket, it is fetched. StoreError.

    `compared`: fetch also what a comparison reads beside the run: baselines and earlier runs.
    """
    if not place.in_bucket:
        return Path(place)
    from harness.cli.remote import fetch_compared, fetch_run
    from harness.store.bucket.address import parse_address

    address = parse_address(place)
    return fetch_compared(address, SUMMARIES, ROWS) if compared else fetch_run(address)


def stored_run(place: Place, folder: Path, code: int) -> int:
    """Upload what a command wrote into its copy of a run in a bucket; returns the exit code.

    `code`: of the command. Does nothing for a run on this machine.
    """
    if not place.in_bucket:
        return code
    from harness.cli.remote import upload_results
    from harness.store.bucket.address import parse_address

    return upload_results(parse_address(place).split()[0], folder, code, quiet=True)


def local_out(out: Place) -> tuple[Path, Place | None]:
    """Where a run is written, and the address to which it is then uploaded: of --out.

    StoreError: there is no such bucket, or no permission.
    """
    if not out.in_bucket:
        return Path(out), None
    from harness.cli.remote import check_bucket
    from harness.store.bucket.address import parse_address

    check_bucket(parse_address(out))
    return RESULTS, out


def uploaded_run(bucket: Place | None, folder: Path, code: int, *, quiet: bool) -> int:
    """Upload a run that has ended, if it is to be; returns the exit code. `code`: of the run."""
    if bucket is None:
        return code
    from harness.cli.remote import upload_results
    from harness.store.bucket.address import parse_address

    return upload_results(parse_address(bucket), folder, code, quiet=quiet)


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
