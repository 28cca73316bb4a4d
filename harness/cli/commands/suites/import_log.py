"""`harness import`: makes a suite from Bedrock's invocation log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from harness.characters import printable
from harness.cli.options import JsonOption, SinceOption, UntilOption
from harness.cli.output import print_json
from harness.cli.places import local_path

if TYPE_CHECKING:
    from harness.endpoints.invocation_log.records import InvocationLog
    from harness.endpoints.invocation_log.traffic import SkippedCalls
    from harness.suite.from_log.redact import Redactor
    from harness.suite.from_log.suite_file import ImportedSuite
    from harness.suite.from_log.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Imported:
    """The result of `harness import`."""

    suite: str
    trace: str
    calls: int
    distinct_prompts: int
    """After redaction, before sampling."""
    prompts: int
    first_call: datetime
    last_call: datetime
    stand_ins: int
    """Calls whose own prompt is not in the suite; the trace has one of similar size."""
    left_out: dict[str, int]
    """Why a prompt cannot be sent again → number of calls; they are in the trace."""
    failed: int
    """Calls that ended in an error; neither in the suite nor in the trace."""
    other_models: dict[str, int]
    redacted: dict[str, int]
    broken: int
    broken_places: tuple[str, ...]
    targets: tuple[str, ...]
    baseline: str
    warnings: tuple[str, ...]
    next_command: str


def import_log(
    log: Annotated[str, typer.Argument(help="s3://BUCKET/PREFIX, logs:GROUP, a file or a folder.")],
    out: Annotated[
        Path,
        typer.Option(help="Write the suite to this file, suites/NAME.yaml.", parser=local_path),
    ],
    candidate: Annotated[
        list[str] | None, typer.Option(help="Model to compare with the one in use. Repeatable.")
    ] = None,
    routing: Annotated[str | None, typer.Option(help="Routing of the candidates. Default: the one in use.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="Keep this many distinct prompts.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the sample: the same log and seed give the same suite.")] = 1,
    since: SinceOption = None,
    until: UntilOption = None,
    redact: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Also redact what this regular expression matches. Repeatable."),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="Where the log is read: aws or a loopback URL.")] = "aws",
    region: Annotated[str | None, typer.Option(help="Region of the bucket or log group. Default: AWS_REGION.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Make a suite from Bedrock's invocation log.

    Its prompts are sampled, deduplicated and redacted; the model in use is the baseline.

    \b
    harness import s3://my-logs/bedrock --out suites/mine.yaml --candidate claude-sonnet-4-6 --since 2026-11-01
    harness run suites/mine.yaml --endpoint aws

    E-mail addresses, phone, card and account (IBAN) numbers, AWS and Anthropic keys and your own credentials are
    redacted. Names and postal addresses are not, so read the suite before you share it. SUITE.trace.jsonl holds the
    time and size of each call; load: {arrival: trace, trace: SUITE.trace.jsonl} sends the prompts at those times.
    """
    import asyncio

    from harness.suite.from_log.redact import Redactor
    from harness.suite.from_log.suite_file import Candidates, make_suite_file
    from harness.suite.from_log.traffic import Traffic

    trace = out.with_suffix(".trace.jsonl")
    _refuse_existing(out, trace)
    redactor, traffic = Redactor(redact or ()), Traffic(sample=sample, seed=seed)
    _check_window(since, until)
    read = asyncio.run(_read(log, endpoint, region, (since, until), redactor, traffic))
    candidates = Candidates(models=tuple(candidate or ()), routing=routing)
    drawn = make_suite_file(out.stem, traffic, candidates, about=_about(log, traffic, out, trace))
    stand_ins = _write(out, trace, drawn, traffic)
    imported = _imported(read, drawn, out, trace, stand_ins=stand_ins)
    if json_output:
        print_json(imported)
    else:
        _print(imported)


class _Read(NamedTuple):
    """What was read of a log."""

    log: InvocationLog
    skipped: SkippedCalls
    traffic: Traffic
    redactor: Redactor


def _imported(read: _Read, drawn: ImportedSuite, out: Path, trace: Path, *, stand_ins: int) -> Imported:
    traffic = read.traffic
    return Imported(
        suite=str(out),
        trace=str(trace),
        calls=traffic.calls,
        distinct_prompts=traffic.distinct,
        prompts=len(traffic.prompts),
        first_call=traffic.span[0],
        last_call=traffic.span[1],
        stand_ins=stand_ins,
        left_out=dict(read.skipped.left_out.most_common()),
        failed=read.skipped.failed,
        other_models=dict(read.skipped.other_models.most_common()),
        redacted={kind: times for kind, times in read.redactor.counts.most_common() if times},
        broken=read.log.broken_count,
        broken_places=tuple(f"{each.place}: {each.why}" for each in read.log.broken),
        targets=drawn.targets,
        baseline=drawn.baseline,
        warnings=drawn.warnings,
        next_command=f"harness run {out} --endpoint aws",
    )


async def _read(
    log: str,
    endpoint: str,
    region: str | None,
    window: tuple[datetime | None, datetime | None],
    redactor: Redactor,
    traffic: Traffic,
) -> _Read:
    """Read the log into `traffic`."""
    from harness.catalog.regions import DEFAULT_REGION
    from harness.cli.running.endpoint import log_connection
    from harness.endpoints.account.account import configured_region
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.endpoints.invocation_log.records import open_log
    from harness.endpoints.invocation_log.traffic import gather

    if is_loopback(endpoint) or not log.startswith(("s3://", "logs:")):
        forget_aws()
    place = log_connection(endpoint, region or configured_region() or DEFAULT_REGION)
    async with open_log(log, place, since=window[0], until=window[1]) as opened:
        return _Read(opened, await gather(opened, traffic, redactor), traffic, redactor)


def _check_window(since: datetime | None, until: datetime | None) -> None:
    """HarnessError: no time lies between the two."""
    from harness.errors import HarnessError

    if since is not None and until is not None and since >= until:
        raise HarnessError(f"--since {since:%Y-%m-%dT%H:%M} is not before --until {until:%Y-%m-%dT%H:%M}; swap the two")


def _refuse_existing(*paths: Path) -> None:
    from harness.errors import HarnessError

    for path in paths:
        if path.exists():
            raise HarnessError(f"{path} already exists; choose another name or remove it")
    if paths[0].suffix not in (".yaml", ".yml"):
        raise HarnessError(f"--out {paths[0]}: a suite is a YAML file; use a name such as suites/mine.yaml")


def _about(log: str, traffic: Traffic, out: Path, trace: Path) -> list[str]:
    """The comment at the top of the suite."""
    if not traffic.calls:
        return []
    first, last = traffic.span
    return [
        f"Made by `harness import` of {traffic.calls:,} calls from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC",
        f"in {log}: {len(traffic.prompts):,} of {traffic.distinct:,} distinct prompts.",
        f"The time and size of each call: {trace.name}. To send the prompts at those times, write this for `load`:",
        f"load: {{arrival: trace, trace: {trace.name}}}    # replay: sizes sends generated text of the same lengths",
        "",
        "This suite compares latency, errors and cost. It does not grade answers, since logged answers are not",
        "references; to compare quality, add `expect` or `checks` to the prompts, and `pass_rate` to the gate.",
        "",
        f"harness run {out} --endpoint aws --dry-run    # shows the cost; sends nothing",
        f"harness run {out} --endpoint aws",
    ]


def _write(out: Path, trace: Path, drawn: ImportedSuite, traffic: Traffic) -> int:
    """Write the suite and its trace; returns the number of stand-ins. HarnessError: a file cannot be written."""
    import msgspec

    from harness.errors import HarnessError
    from harness.store.files import new_file

    encoder, stand_ins = msgspec.json.Encoder(), 0
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with new_file(trace) as calls, new_file(out) as suite:
            for arrived in traffic.arrivals():
                stand_ins += arrived.stand_in
                calls.write(encoder.encode(arrived) + b"\n")
            suite.write(drawn.text.encode())
    except OSError as error:
        raise HarnessError(f"{error.filename or out} cannot be written: {error.strerror}") from error
    return stand_ins


def _print(done: Imported) -> None:
    for line in _lines(done):
        typer.echo(printable(line))
    for warning in done.warnings:
        typer.echo(f"warning: {printable(warning)}", err=True)
    typer.echo(
        "\nThis suite compares latency, errors and cost. It does not grade answers, since logged answers are not\n"
        f"references; to compare quality, add `expect` or `checks`. Review {done.suite}, then run:\n"
        f"  {done.next_command}"
    )


def _lines(done: Imported) -> Iterator[str]:
    yield (
        f"{done.suite}: {done.prompts:,} of {done.distinct_prompts:,} distinct prompts in {done.calls:,} calls "
        f"({done.first_call:%Y-%m-%d %H:%M} to {done.last_call:%Y-%m-%d %H:%M} UTC)"
    )
    yield f"{done.trace}: the times of {done.calls:,} calls; {done.stand_ins:,} of them use a prompt of similar size"
    yield f"targets: {', '.join(done.targets)}; baseline: {done.baseline}"
    counts = (
        ("redacted", done.redacted),
        ("left out of the prompts", done.left_out),
        ("calls to other models, left out", done.other_models),
        ("failed calls, left out", {"with an error code": done.failed} if done.failed else {}),
    )
    for what, each in counts:
        if each:
            yield f"{what}: {', '.join(f'{name} {count:,}' for name, count in each.items())}"
    if done.broken:
        yield f"unreadable lines: {done.broken:,}; the first is {done.broken_places[0]}"
