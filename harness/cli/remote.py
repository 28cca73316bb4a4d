"""Runs in a bucket: brings what a command needs of them to this machine, and takes there what it made."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from harness.characters import counted, printable
from harness.errors import UNDELIVERED_CODE, StoreError

if TYPE_CHECKING:
    from harness.store.bucket.address import BucketAddress
    from harness.store.bucket.mirror import Mirror
    from harness.store.bucket.objects import Bucket, Connection
    from harness.store.bucket.runs import RemoteRun

LATEST = "latest"
"""The word for the run that started last."""
INDEXED = 20
"""How many of the latest runs have their pages here when an index is opened; a page has megabytes."""
LISTED = 5
"""How many runs an error lists, the latest first."""


def fetch_results(address: BucketAddress, names: Collection[str]) -> Path:
    """Fetch these files of all runs at an address; returns the folder. Warns on stderr about runs that are left out.

    `names`: also `baselines.json`, which lies beside the runs. StoreError: the bucket cannot be read, or has no runs.
    """
    from harness.store.baselines import FILE, MAX_BYTES

    with open_mirror(address) as (connection, mirror):
        connection.run(mirror.fetch(mirror.remote.readable(), names))
        if FILE in names:
            connection.run(mirror.fetch_beside(FILE, max_bytes=MAX_BYTES))
        warn_left_out(mirror.troubles())
        if not mirror.remote.readable():
            raise StoreError(f"{address}: holds no runs; `harness run SUITE --out {address}` makes one")
        return mirror.folder


def fetch_index(address: BucketAddress) -> Path:
    """Fetch what an index of the runs beside a run shows, and the pages of the latest ones; returns the folder.

    StoreError: see `fetch_run`.
    """
    from harness.analysis.run_list import FILES, PAGES

    above, written = address.split()
    with open_mirror(above) as (connection, mirror):
        find_remote_run(connection, mirror, written)
        runs = sorted(mirror.remote.readable(), key=lambda run: run.name)
        connection.run(mirror.fetch(runs, FILES))
        connection.run(mirror.fetch(runs[-INDEXED:], PAGES))
        warn_left_out(mirror.troubles())
        return mirror.folder


def fetch_run(address: BucketAddress) -> Path:
    """Fetch a run; returns its folder. StoreError: see `fetch_results`; there is no such run, or more than one."""
    above, written = address.split()
    with open_mirror(above) as (connection, mirror):
        return _fetch_whole(connection, mirror, find_remote_run(connection, mirror, written))


def fetch_compared(address: BucketAddress, summaries: Collection[str], rows: Collection[str]) -> Path:
    """Fetch a run, and what a comparison reads beside it; returns its folder. StoreError: see `fetch_run`.

    That is the summaries of all runs, the suite's baselines, and the rows of the latest runs before any of these.
    """
    from harness.store.baselines import FILE, MAX_BYTES, read_baselines
    from harness.store.run_folder import RunFolder

    above, written = address.split()
    with open_mirror(above) as (connection, mirror):
        run = find_remote_run(connection, mirror, written)
        folder = _fetch_whole(connection, mirror, run)
        connection.run(mirror.fetch(mirror.remote.readable(), summaries))
        connection.run(mirror.fetch_beside(FILE, max_bytes=MAX_BYTES))
        named = read_baselines(mirror.folder).get(RunFolder(folder).read_manifest().suite, {}).values()
        baselines = [mirror.remote.runs[each] for each in named if each in mirror.remote.runs]
        connection.run(mirror.fetch([each for each in baselines if each.trouble is None], rows))
        earlier = {name for each in (run, *baselines) for name in _before(mirror.folder, each.name)}
        connection.run(mirror.fetch([mirror.remote.runs[name] for name in earlier], rows))
        warn_left_out(mirror.troubles())
        return folder


def _before(results: Path, run: str) -> list[str]:
    """The latest runs that count of a run's suite before it, of which comparisons read the rows."""
    from harness.analysis.past_runs import MOST_RUNS, valid_runs
    from harness.store.run_folder import RunFolder

    try:
        manifest = RunFolder(results / run).read_manifest()
    except StoreError:
        return []
    past = valid_runs(
        results,
        lambda other: other.suite_digest == manifest.suite_digest and other.origin_utc_ns < manifest.origin_utc_ns,
    )
    return [each.folder.path.name for each in islice(past, MOST_RUNS)]


def _fetch_whole(connection: Connection, mirror: Mirror, run: RemoteRun) -> Path:
    connection.run(mirror.fetch([run], None))
    if run.name in mirror.damaged:
        raise StoreError(mirror.damaged[run.name])
    mirror.remove_own_files(run.name)
    return mirror.folder / run.name


@contextmanager
def open_mirror(address: BucketAddress) -> Iterator[tuple[Connection, Mirror]]:
    """The up-to-date copy of an address in the cache folder, which other processes wait for."""
    from harness.store.bucket.mirror import Mirror, make_cache_folder
    from harness.store.bucket.objects import connect_bucket
    from harness.store.files import one_writer

    with connect_bucket(address) as connection:
        folder = make_cache_folder(address, connection.bucket.endpoint)
        with one_writer(folder):
            mirror = Mirror(connection.bucket, folder)
            connection.run(mirror.refresh())
            yield connection, mirror


def find_remote_run(connection: Connection, mirror: Mirror, written: str) -> RemoteRun:
    """A run by its name, the beginning of its name, or `latest`. StoreError: no such run, or more than one."""
    from harness.store.run_folder import latest_run

    remote, address = mirror.remote, connection.bucket.address
    if written == LATEST:
        connection.run(mirror.fetch(remote.readable(), ("manifest.json",)))
        if mirror.remote.readable():
            return remote.runs[latest_run(mirror.folder).path.name]
    matches = [written] if written in remote.runs else sorted(name for name in remote.runs if name.startswith(written))
    if len(matches) == 1:
        run = remote.runs[matches[0]]
        if run.trouble is not None:
            raise StoreError(run.trouble)
        return run
    if matches:
        raise StoreError(
            f"{address.below(written)}: matches {len(matches)} runs ({list_names(matches)}); write more of it"
        )
    runs = sorted(run.name for run in remote.readable())
    there = f"it holds {list_names(runs)}" if runs else "it holds no runs"
    raise StoreError(f"{address}: has no run {written!r}; {there}")


def list_names(runs: list[str]) -> str:
    """The last LISTED runs, the latest first: `C, B, A and 4 more`."""
    more = f" and {len(runs) - LISTED} more" if len(runs) > LISTED else ""
    return ", ".join(reversed(runs[-LISTED:])) + more


def warn_left_out(messages: Collection[str]) -> None:
    """Say on stderr which runs are left out, and why."""
    for message in messages:
        print(f"warning: left out: {printable(message)}", file=sys.stderr)


def set_remote_baseline(address: BucketAddress, suite: str, name: str, run: str) -> None:
    """Make a run in a bucket its suite's baseline, whoever else sets one now. StoreError: it cannot be written."""
    from harness.store.baselines import with_baseline
    from harness.store.bucket.baselines import change_baselines
    from harness.store.bucket.objects import connect_bucket

    with connect_bucket(address) as connection:
        connection.run(change_baselines(connection.bucket, lambda stored: with_baseline(stored, suite, name, run)))


def check_bucket(address: BucketAddress) -> None:
    """Before a run: whether its bucket can be reached. If S3 only does not answer now, this warns.

    StoreError: no such bucket, no permission, no credentials.
    """
    from harness.store.bucket.errors import BucketError
    from harness.store.bucket.objects import connect_bucket

    try:
        with connect_bucket(address) as connection:
            connection.run(connection.bucket.check())
    except BucketError as error:
        if not error.away:
            raise
        print(f"warning: {printable(str(error))}; the run is stored here first", file=sys.stderr)


def upload_results(address: BucketAddress, run: Path, code: int, *, quiet: bool) -> int:
    """Upload a run after a command that ends with `code`; returns the exit code, which says whether that failed.

    The local run stays as it is; if the upload fails, stderr says how to repeat it.
    """
    from harness.store.bucket.objects import connect_bucket
    from harness.store.bucket.upload import upload_run

    later = f"the run is complete in {run}; `harness sync {run} {address}` uploads it"
    try:
        with connect_bucket(address) as connection:
            uploaded = connection.run(upload_run(connection.bucket, run))
            if not quiet:
                size = f"{counted(uploaded.files, 'file')} ({uploaded.size / 1e6:,.1f} MB)"
                print(f"uploaded {size} to {address.below(run.name)}", file=sys.stderr)
        if uploaded.files:
            update_bucket_index(address)
    except (StoreError, OSError) as error:
        print(f"error: {printable(str(error))}\n{later}", file=sys.stderr)
        return code or UNDELIVERED_CODE
    except KeyboardInterrupt:
        print(f"stopped uploading; {later}", file=sys.stderr)
        raise
    return code


def update_bucket_index(address: BucketAddress) -> None:
    """Write `index.html` over all runs at an address. If that is impossible, only warn: the runs are fine."""
    try:
        with open_mirror(address) as (connection, mirror):
            connection.run(_write_index(connection.bucket, mirror))
    except (StoreError, OSError) as error:
        print(f"warning: the index of the runs is not up to date: {printable(str(error))}", file=sys.stderr)


async def _write_index(bucket: Bucket, mirror: Mirror) -> None:
    """Of two processes, the second to write is refused and lists the bucket again, so that no run is lost."""
    from harness.analysis.run_list import FILES, PAGES, read_run_list
    from harness.report.index import FILE, OURS, render_index
    from harness.store.bucket.upload import MOST_TRIES

    for _ in range(MOST_TRIES):
        found = await bucket.read_end(FILE, len(OURS))
        if found is not None and found[0] != OURS:
            return  # somebody's own
        await mirror.refresh()
        readable = mirror.remote.readable()
        await mirror.fetch(readable, FILES)
        pages = {run.name: tuple(page for page in PAGES if page in run.files) for run in readable}
        content = render_index(str(bucket.address), read_run_list(mirror.folder, pages=pages))
        if await bucket.write(FILE, content, instead_of=found and found[1], kind="text/html; charset=utf-8"):
            return
    raise StoreError(f"{bucket.address.below(FILE)}: others keep writing it")
