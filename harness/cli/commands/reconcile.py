"""`harness reconcile`: matches a run with Bedrock's invocation log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption, RunArgument
from harness.cli.output import print_json
from harness.cli.places import DEFAULT_RUN, local_run, stored_run

if TYPE_CHECKING:
    from harness.analysis.reconcile.reconciliation import Reconciliation
    from harness.endpoints.invocation_log.sources import UnreadablePiece
    from harness.store.run_folder import RunFolder


def reconcile(
    run: RunArgument = DEFAULT_RUN,
    log: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="s3://BUCKET/PREFIX, logs:GROUP, a file or a folder. Default: where the account logs. Repeatable.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Where the log is read: aws or a URL. Default: the run's.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Match a run with Bedrock's invocation log.

    Matches attempts by request id and writes the result to reconcile.json.

    \b
    harness reconcile
    harness reconcile 20261122T024500Z-quickstart-a1b2c3 --log s3://my-logs/bedrock
    harness reconcile latest --log logs:/aws/bedrock/invocations --json

    Exit codes: 0 run and log agree · 2 no such run or log, no access · 4 they differ: an answered call is missing from
    the log, tokens, cost or outcome differ, or the run's caller made a call that the run does not have.
    """
    import asyncio

    from harness.endpoints.address import aws_settings_restored
    from harness.errors import RunInvalid
    from harness.store.opening import open_run

    folder = open_run(local_run(run))
    with aws_settings_restored():
        result = asyncio.run(_match(folder, log or [], endpoint))
    _write(folder, result)
    if json_output:
        print_json(result)
    else:
        from rich.console import Console

        from harness.report.reconcile import reconcile_report
        from harness.report.terminal import print_report

        print_report(reconcile_report(result), Console(highlight=False), written=folder.path / "reconcile.json")
    raise typer.Exit(stored_run(run, folder.path, 0 if result.agrees else RunInvalid.exit_code))


async def _match(folder: RunFolder, sources: Sequence[str], endpoint: str | None) -> Reconciliation:
    """Read the log into a temporary file and match the run with it."""
    import tempfile

    from harness.analysis.reconcile.logged import run_window, spool
    from harness.analysis.reconcile.reconcile import reconcile, time_span_ns
    from harness.analysis.reconcile.reconciliation import LogRead
    from harness.cli.running.endpoint import find_logs, log_connection, trusted_endpoint
    from harness.clock import utc_now
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.endpoints.invocation_log.records import open_log

    manifest = folder.read_manifest()
    read_from = trusted_endpoint(manifest.endpoint, endpoint, folder.path)
    if is_loopback(read_from):
        forget_aws()
    suite = folder.read_suite()
    since, until = run_window(manifest, *time_span_ns(folder))
    regions = list(dict.fromkeys(target.region for target in manifest.targets))
    places = [(source, regions[0]) for source in sources]
    without: list[str] = []
    if not places:
        places, without = await find_logs(read_from, regions)
    broken: list[UnreadablePiece] = []
    count = 0
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        for source, region in places:
            async with open_log(source, log_connection(read_from, region), since=since, until=until) as log:
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


def _write(folder: RunFolder, result: Reconciliation) -> None:
    """Write reconcile.json."""
    import msgspec

    from harness.secrets import redact
    from harness.store.files import write_atomically

    text = redact(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
    write_atomically(folder.path / "reconcile.json", f"{text}\n".encode())
