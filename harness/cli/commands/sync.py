"""`harness sync`: copies runs from a folder to a bucket, or from a bucket to a folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption
from harness.cli.output import print_json
from harness.cli.places import Place, parse_results

if TYPE_CHECKING:
    from harness.cli.syncing import Sync
    from harness.store.bucket.runs import CopiedRun


def sync(
    source: Annotated[
        Place, typer.Argument(help="A folder of runs or a run, here or at s3://BUCKET/PREFIX.", parser=parse_results)
    ],
    dest: Annotated[
        Place,
        typer.Argument(help="The folder of runs to copy to, here or at s3://BUCKET/PREFIX.", parser=parse_results),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be copied. Copies nothing.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Copy runs that are new or changed between a folder and a bucket.

    What has arrived is not sent again, so a sync that was cut off may be repeated. A run at the destination that the
    source does not have stays, and so does one with more attempts than the source's. A run that is being written is
    left for the next time. Baselines that the destination lacks are copied, and the bucket's index.html is brought up
    to date.

    \b
    harness sync results s3://my-bench/results
    harness sync results/20261122T024500Z-quickstart-a1b2c3 s3://my-bench/results
    harness sync s3://my-bench/results results --dry-run
    harness sync s3://my-bench/results/20261122T024500Z-quickstart-a1b2c3 results

    Exit codes: 0 all runs are at the destination · 2 bad input, no access · 5 a run had to be left out.
    """
    from harness.cli.syncing import sync_runs
    from harness.errors import UNDELIVERED_CODE

    done = sync_runs(source, dest, dry_run=dry_run)
    if json_output:
        print_json(done)
    else:
        for line in _lines(done, dry_run=dry_run):
            typer.echo(line)
    raise typer.Exit(UNDELIVERED_CODE if done.left_out else 0)


def _lines(done: Sync, *, dry_run: bool) -> Iterator[str]:
    """One line for each run that was copied, and one that counts them all."""
    from harness.characters import counted, printable

    verb = "would copy" if dry_run else "copied"
    changed = [each for each in done.runs if each.files]
    for each in changed:
        yield printable(f"{verb} {each.run}: {_amount(each)}")
    unchanged = len(done.runs) - len(changed)
    left_out = f", {len(done.left_out)} left out" if done.left_out else ""
    yield f"{verb} {counted(len(changed), 'run')}, {unchanged:,} unchanged{left_out}"


def _amount(copied: CopiedRun) -> str:
    from harness.characters import counted

    return f"{counted(copied.files, 'file')}, {copied.size / 1e6:,.1f} MB"
