"""`harness import`: a suite out of Bedrock's invocation log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.characters import printable
from harness.cli.places import local_path

if TYPE_CHECKING:
    from harness.endpoints.invocation_log.records import InvocationLog
    from harness.endpoints.invocation_log.traffic import Gathered
    from harness.suite.from_log.redact import Redactor
    from harness.suite.from_log.suite_file import ImportedSuite
    from harness.suite.from_log.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What `harness import` did."""

    suite: str
    trace: str
    calls: int
    distinct_prompts: int
    """Before sampling; after redaction."""
    prompts: int
    first_call: datetime
    last_call: datetime
    stand_ins: int
    """Calls of the trace whose own prompt is not in the suite."""
    left_out: dict[str, int]
    """Calls by the reason why their prompt cannot be asked again; they are in the trace."""
    failed: int
    """Calls that ended in an error: neither in the suite nor in the trace."""
    other_models: dict[str, int]
    redacted: dict[str, int]
    broken: int
    broken_places: tuple[str, ...]
    targets: tuple[str, ...]
    baseline: str
    warnings: tuple[str, ...]
    next_command: str


def import_log(
    log: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, logs:GROUP, a file or a folder.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(help="The suite to write, suites/NAME.yaml.", show_default=False, parser=local_path),
    ],
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="A model to compare with today's; may be given several times.", show_default=False),
    ] = None,
    routing: Annotated[
        str | None, typer.Option(help="The candidates' routing. Default: today's.", show_default=False)
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Distinct prompts to keep.")] = 200,
    seed: Annotated[int, typer.Option(help="Same log and seed: same sample.")] = 1,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="From 2026-11-01, or 2026-11-01T09:00, on: UTC, unless it ends in an offset such as +02:00.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Before this time, written as for --since.", show_default=False),
    ] = None,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Regular expression of what is to be taken out, beside the built-in ones; may be repeated.",
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="aws or a loopback URL, to be asked for the log.")] = "aws",
    region: Annotated[
        str | None, typer.Option(help="Of the bucket or log group. Default: AWS_REGION.", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Make a suite of logged traffic: sampled, deduplicated, redacted, with today's model as the baseline.

    \b
    harness import s3://my-logs/bedrock --out suites/mine.yaml --candidate claude-sonnet-4-6 --since 2026-11-01
    harness run suites/mine.yaml --endpoint aws

    E-mail addresses, phone, card and account (IBAN) numbers, AWS and Anthropic keys and your own credentials are
    taken out. Read the suite before you share it: names and addresses are not found. SUITE.trace.jsonl keeps when each
    call came and how large it was; load: {arrival: trace, trace: SUITE.trace.jsonl} sends them as they came.
    """
    import asyncio

    from harness.suite.from_log.redact import Redactor
    from harness.suite.from_log.suite_file import Candidates, draw_suite
    from harness.suite.from_log.traffic import Traffic

    trace = out.with_suffix(".trace.jsonl")
    _refuse_existing(out, trace)
    redactor, traffic = Redactor(redact or ()), Traffic(sample=sample, seed=seed)
    window = _read_window(since, until)
    gathered, opened = asyncio.run(_read(log, endpoint, region, window, redactor, traffic))
    candidates = Candidates(models=tuple(candidate or ()), routing=routing)
    drawn = draw_suite(out.stem, traffic, candidates, about=_about(log, traffic, out, trace))
    stand_ins = _write(out, trace, drawn, traffic)
    told = Imported(
        suite=str(out),
        trace=str(trace),
        calls=traffic.calls,
        distinct_prompts=traffic.distinct,
        prompts=len(traffic.prompts),
        first_call=traffic.span[0],
        last_call=traffic.span[1],
        stand_ins=stand_ins,
        left_out=dict(gathered.left_out.most_common()),
        failed=gathered.failed,
        other_models=dict(gathered.other_models.most_common()),
        redacted={kind: times for kind, times in redactor.counts.most_common() if times},
        broken=opened.broken_count,
        broken_places=tuple(f"{each.place}: {each.why}" for each in opened.broken),
        targets=drawn.targets,
        baseline=drawn.baseline,
        warnings=drawn.warnings,
        next_command=f"harness run {out} --endpoint aws",
    )
    if json_output:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    else:
        _print(told)


async def _read(
    log: str,
    endpoint: str,
    region: str | None,
    window: tuple[datetime | None, datetime | None],
    redactor: Redactor,
    traffic: Traffic,
) -> tuple[Gathered, InvocationLog]:
    """Read the log into `traffic`."""
    from harness.catalog.regions import USUAL_REGION
    from harness.cli.running.log_places import log_connection
    from harness.endpoints.account.account import configured_region
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.endpoints.invocation_log.records import open_log
    from harness.endpoints.invocation_log.traffic import gather

    if is_loopback(endpoint) or not log.startswith(("s3://", "logs:")):
        forget_aws()
    place = log_connection(endpoint, region or configured_region() or USUAL_REGION)
    async with open_log(log, place, since=window[0], until=window[1]) as opened:
        return await gather(opened, traffic, redactor), opened


def _read_window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Both bounds in UTC. HarnessError: one is no time, or nothing is between them."""
    from harness.errors import HarnessError

    window = (_moment("--since", since), _moment("--until", until))
    if window[0] is not None and window[1] is not None and window[0] >= window[1]:
        raise HarnessError(f"--since {since} is not before --until {until}: no call is between them; swap the two")
    return window


def _moment(option: str, written: str | None) -> datetime | None:
    from harness.clock import parse_utc
    from harness.errors import HarnessError

    try:
        return None if written is None else parse_utc(written)
    except ValueError:
        how = "write 2026-11-01, 2026-11-01T09:00 (UTC) or 2026-11-01T09:00+02:00"
        raise HarnessError(f"{option} {written}: not a date or a time; {how}") from None


def _refuse_existing(*paths: Path) -> None:
    from harness.errors import HarnessError

    for path in paths:
        if path.exists():
            raise HarnessError(f"{path} is there already; choose another name or remove it")
    if paths[0].suffix not in (".yaml", ".yml"):
        raise HarnessError(f"--out {paths[0]}: a suite is a YAML file; write for example suites/mine.yaml")


def _about(log: str, traffic: Traffic, out: Path, trace: Path) -> list[str]:
    """The comment at the suite's head."""
    if not traffic.calls:
        return []
    first, last = traffic.span
    return [
        f"Made by `harness import` of {traffic.calls:,} calls from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC",
        f"in {log}: {len(traffic.prompts):,} of {traffic.distinct:,} distinct prompts.",
        f"When the calls came and how large they were: {trace.name}. To send them as they came, put this for `load`:",
        f"load: {{arrival: trace, trace: {trace.name}}}    # replay: sizes asks generated text of the same lengths",
        "",
        "Nothing here grades an answer: what a model said yesterday is no truth. Latency, errors and cost are",
        "compared; for quality, give prompts an `expect` or `checks`, and the gate a `pass_rate`.",
        "",
        f"harness run {out} --endpoint aws --dry-run    # what it would cost; sends nothing",
        f"harness run {out} --endpoint aws",
    ]


def _write(out: Path, trace: Path, drawn: ImportedSuite, traffic: Traffic) -> int:
    """Write the suite and its trace; returns the stand-ins of the trace. HarnessError: they cannot be written."""
    import msgspec

    from harness.errors import HarnessError

    encoder, stand_ins = msgspec.json.Encoder(), 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with trace.open("xb") as file:
            for arrived in traffic.arrivals():
                stand_ins += arrived.stand_in
                file.write(encoder.encode(arrived) + b"\n")
        with out.open("x", encoding="utf-8") as text:
            text.write(drawn.text)
    except OSError as error:
        raise HarnessError(f"{error.filename} cannot be written: {error.strerror}") from error
    return stand_ins


def _print(told: Imported) -> None:

    for line in _lines(told):
        typer.echo(printable(line))
    for warning in told.warnings:
        typer.echo(f"warning: {printable(warning)}", err=True)
    typer.echo(
        f"\nNothing grades these prompts: a model's answer of yesterday is no truth, so latency, errors and cost are\n"
        f"compared, and quality once you add `expect` or `checks`. Read {told.suite}, then:\n  {told.next_command}"
    )


def _lines(told: Imported) -> Iterator[str]:
    yield (
        f"{told.suite}: {told.prompts:,} of {told.distinct_prompts:,} distinct prompts in {told.calls:,} calls "
        f"({told.first_call:%Y-%m-%d %H:%M} to {told.last_call:%Y-%m-%d %H:%M} UTC)"
    )
    yield f"{told.trace}: when {told.calls:,} calls came; {told.stand_ins:,} are stood in for by a prompt of their size"
    yield f"targets: {', '.join(told.targets)}; baseline: {told.baseline}"
    counts = (
        ("redacted", told.redacted),
        ("left out of the prompts", told.left_out),
        ("calls of other models, left out", told.other_models),
        ("failed calls, left out", {"with an error code": told.failed} if told.failed else {}),
    )
    for what, found in counts:
        if found:
            yield f"{what}: {', '.join(f'{name} {count:,}' for name, count in found.items())}"
    if told.broken:
        yield f"lines that cannot be read: {told.broken:,}, the first: {told.broken_places[0]}"
