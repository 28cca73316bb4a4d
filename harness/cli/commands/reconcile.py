"""`harness reconcile`: a run matched with Bedrock's own invocation log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.characters import printable
from harness.cli.places import RESULTS, local_path

if TYPE_CHECKING:
    from rich.table import Table

    from harness.analysis.reconcile.reconciliation import Reconciliation
    from harness.endpoints.invocation_log.files import Broken
    from harness.store.run_folder import RunFolder

REGIONS = 4
"""Regions told for each target; reconcile.json has all."""
DETAILS = 10
"""Examples of each kind on the terminal; reconcile.json holds more."""


def reconcile(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder. Default: the latest under results/.", show_default=False, parser=local_path
        ),
    ] = None,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="s3://BUCKET/PREFIX, logs:GROUP, a file or a folder. Default: where the account logs.",
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="aws or a URL, to be asked for the log. Default: the run's.", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print reconcile.json.")] = False,
) -> None:
    """Match every attempt of a run with Bedrock's invocation log by request id, and write reconcile.json.

    \b
    harness reconcile
    harness reconcile results/20261122T024500Z-quickstart-a1b2c3 --log s3://my-logs/bedrock
    harness reconcile --log logs:/aws/bedrock/invocations --json

    Exit codes: 0 run and log agree · 2 no such run or log, no access · 4 they do not: an answered call is not in the
    log, tokens, cost or outcome differ, or the run's caller made a call that the run does not know.
    """
    import asyncio

    from harness.errors import RunInvalid
    from harness.store.opening import open_run
    from harness.store.run_folder import latest_run

    folder = open_run(run if run is not None else latest_run(RESULTS).path)
    found = asyncio.run(_match(folder, log or [], endpoint))
    text = _write(folder, found)
    if json_output:
        typer.echo(text)
    else:
        _print(found, folder)
    raise typer.Exit(0 if found.agrees else RunInvalid.exit_code)


async def _match(folder: RunFolder, sources: Sequence[str], endpoint: str | None) -> Reconciliation:
    """Read the log into a temporary file and match the run with it."""
    import tempfile

    from harness.analysis.reconcile.logged import run_window, spool
    from harness.analysis.reconcile.reconcile import reconcile, time_span_ns
    from harness.analysis.reconcile.reconciliation import LogRead
    from harness.cli.running.log_places import find_logs, log_connection
    from harness.cli.running.sending import trusted_endpoint
    from harness.clock import utc_now
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.endpoints.invocation_log.records import open_log

    manifest = folder.read_manifest()
    asked = trusted_endpoint(manifest.endpoint, endpoint, folder.path)
    if is_loopback(asked):
        forget_aws()
    suite = folder.read_suite()
    since, until = run_window(manifest, *time_span_ns(folder))
    regions = list(dict.fromkeys(target.region for target in manifest.targets))
    places = [(source, regions[0]) for source in sources]
    without: list[str] = []
    if not places:
        places, without = await find_logs(asked, regions)
    broken: list[Broken] = []
    count = 0
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        for source, region in places:
            async with open_log(source, log_connection(asked, region), since=since, until=until) as log:
                await spool(log.records(), file)
            broken += log.broken
            count += log.broken_count
        file.flush()
        read = LogRead(
            sources=tuple(source for source, _ in places),
            without_log=tuple(without),
            since=since,
            until=until,
            broken=count,
            broken_places=tuple(f"{each.place}: {each.why}" for each in broken),
        )
        return reconcile(folder, Path(file.name), read, suite=suite, now=utc_now())


def _write(folder: RunFolder, found: Reconciliation) -> str:
    """Write reconcile.json; returns its text."""
    import msgspec

    from harness.secrets import redact
    from harness.store.files import write_atomically

    text = redact(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    write_atomically(folder.path / "reconcile.json", f"{text}\n".encode())
    return text


def _print(found: Reconciliation, folder: RunFolder) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(_table(found))
    for line in [*_served(found), *_scope(found), *_reasons(found), *_differences(found), *_records(found)]:
        console.print(printable(line), soft_wrap=True)
    console.print("run and log agree" if found.agrees else "run and log do NOT agree", style="bold")
    console.print(printable(f"Details: {folder.path / 'reconcile.json'}"), soft_wrap=True)


def _table(found: Reconciliation) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.report.wording import usd

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("target", overflow="fold", ratio=1)
    for heading in ("attempts", "logged", "not", "differ", "cost, run", "cost, log"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found.targets:
        table.add_row(
            Text(printable(each.target)),
            *(f"{count:,}" for count in (each.attempts, each.logged, each.attempts - each.logged, each.differing)),
            *("–" if cost is None else usd(cost) for cost in (each.cost_usd, each.logged_cost_usd)),
        )
    return table


def _served(found: Reconciliation) -> Iterator[str]:
    """Where the calls were answered: the Regions that answered most of a target's."""
    for each in found.targets:
        regions = sorted(each.served_in.items(), key=lambda item: -item[1])
        if regions:
            shown = ", ".join(f"{region} {count:,}" for region, count in regions[:REGIONS])
            more = f" and {len(regions) - REGIONS} more Regions" if len(regions) > REGIONS else ""
            yield f"  {each.target} was served in {shown}{more}"


def _scope(found: Reconciliation) -> Iterator[str]:
    if found.simulated:
        yield "SIMULATED, not Amazon Bedrock"
    if found.sources:
        where = ", ".join(found.sources)
        span = f"from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
        yield f"log: {where}: {found.records:,} records {span}"
    if found.without_log:
        yield f"! invocation logging is off in {', '.join(found.without_log)}; `harness doctor` says how to turn it on"
    if found.broken:
        yield f"! {found.broken:,} lines of the log cannot be read, the first: {found.broken_places[0]}"


def _reasons(found: Reconciliation) -> Iterator[str]:
    from harness.analysis.reconcile.reconciliation import DISAGREEING, REASONS

    for reason, told in REASONS.items():
        count = sum(each.unlogged.get(reason, 0) for each in found.targets)
        if count:
            yield f"{'!' if reason in DISAGREEING else '·'} {count:,} attempts {told}"
    unseen = sum(each.unseen_cost_usd for each in found.targets)
    if unseen:
        yield f"· calls whose reply the run did not get to the end of cost ${unseen:.4f} more, by the log"


def _differences(found: Reconciliation) -> Iterator[str]:
    for each in found.differences[:DETAILS]:
        yield f"! {each.aws_request_id} ({each.target}): {each.what} is {each.run} in the run, {each.log} in the log"


def _records(found: Reconciliation) -> Iterator[str]:
    if found.other_traffic:
        yield f"· {found.other_traffic:,} records of the same models and time are other callers' traffic"
    if found.unanswered:
        yield f"· {found.unanswered:,} records are accounted for by attempts to which no reply came"
    if found.not_in_run:
        yield f"! {found.not_in_run:,} records of the run's own caller are not in the run, such as:"
        for each in found.foreign[:DETAILS]:
            yield f"  {each.aws_request_id} at {each.at}, {each.model_id} in {each.region}"
