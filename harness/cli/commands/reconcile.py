"""`harness reconcile`: a run matched with Bedrock's own invocation log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.places import RESULTS, local_path

if TYPE_CHECKING:
    from harness.analysis.reconcile.reconciliation import Reconciliation
    from harness.endpoints.invocation_log.files import Broken
    from harness.store.run_folder import RunFolder


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
        from rich.console import Console

        from harness.report.reconcile import reconcile_report
        from harness.report.terminal import print_report

        print_report(reconcile_report(found), Console(highlight=False), written=folder.path / "reconcile.json")
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
    from harness.suite.loader import load_frozen

    manifest = folder.read_manifest()
    asked = trusted_endpoint(manifest.endpoint, endpoint, folder.path)
    if is_loopback(asked):
        forget_aws()
    suite = load_frozen(folder.suite_path)
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
