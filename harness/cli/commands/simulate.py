"""`harness simulate`: the embedded Bedrock on its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.places import local_path
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.simulator.faults import Stall


def simulate(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 9000,
    suite: Annotated[
        Path | None,
        typer.Option(
            help="Answer this suite's prompts from its `expect` values.",
            show_default=False,
            parser=local_path,
        ),
    ] = None,
    answer_key: Annotated[
        Path | None,
        typer.Option(help="The same, from a JSON answer key.", show_default=False, hidden=True, parser=local_path),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Models that behave otherwise, as JSON: {"claude-haiku-4-5": {"skill": 0.8, "ttft_s": 0.9, '
            '"tokens_per_s": 90, "verbosity": 2}}.',
            show_default=False,
            parser=local_path,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed: same answers and latencies.")] = 1,
    throttle_rate: Annotated[float, typer.Option(help="Share of requests answered 429.", min=0, max=1)] = 0.0,
    unavailable_rate: Annotated[float, typer.Option(help="Share of requests answered 503.", min=0, max=1)] = 0.0,
    interrupt_rate: Annotated[
        float, typer.Option(help="Share of streams that break off half way.", min=0, max=1)
    ] = 0.0,
    speed: Annotated[float, typer.Option(help="10 answers ten times quicker than the models do.", min=0.001)] = 1.0,
    fixed: Annotated[
        str | None,
        typer.Option(
            metavar="TTFT,GAP,CHUNKS",
            help="The same timing for every stream, for benchmarks, e.g. 200ms,15ms,100.",
            show_default=False,
        ),
    ] = None,
    stall: Annotated[
        str | None,
        typer.Option(
            metavar="AFTER,FOR",
            help="Answer nothing for a time, so long after the first request, e.g. 10s,2s.",
            show_default=False,
        ),
    ] = None,
    capacity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ROUTING=]N",
            help="Streams of a model that a route serves at once, the rest queues; repeatable: 40, global=80.",
            show_default=False,
        ),
    ] = None,
    tokens_per_minute: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[ROUTING=]N",
            help="A model's quota on a route, counted as Bedrock does; beyond it is a 429. Repeatable.",
            show_default=False,
        ),
    ] = None,
    deny: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="No access to this model; repeatable.", show_default=False),
    ] = None,
    invocation_log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Append Bedrock's invocation log to this file.", show_default=False, parser=local_path
        ),
    ] = None,
    logging: Annotated[
        str,
        typer.Option(metavar="WHERE", help="Where the account's log is said to go: s3://BUCKET/PREFIX, logs:GROUP."),
    ] = "none",
    stop_with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Run an embedded Bedrock on loopback, for any client, until Ctrl-C.

    It speaks InvokeModel, Converse, the Messages API and chat completions, streamed or not, and answers for the control
    plane, STS and Service Quotas. Point a client at it with made-up credentials:

    \b
    harness simulate --suite suites/quickstart.yaml
    harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:9000 python my_program.py

    With HARNESS_SIMULATOR_SECRET set (and HARNESS_SIMULATOR_KEY_ID, if the key's id matters), requests must be signed
    with that secret access key.

    GET /_simulator/truth answers with the server's own time stamps of every request.
    """
    import tempfile

    from harness.catalog.models import find_model
    from harness.simulator.model.capacity import Limits
    from harness.simulator.server import SimulatorOptions, serve

    def announce(url: str) -> None:
        print(json.dumps({"url": url}) if json_output else f"listening on {url} (Ctrl-C stops it)", flush=True)

    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        if suite is not None:
            from harness.cli.running.embedded import write_answer_key
            from harness.cli.running.overrides import load_checked

            answer_key = write_answer_key(load_checked(suite), Path(folder) / "answers.json")
        options = SimulatorOptions(
            port=port,
            answer_key=answer_key,
            profiles=profiles,
            seed=seed,
            throttle_rate=throttle_rate,
            unavailable_rate=unavailable_rate,
            interrupt_rate=interrupt_rate,
            speed=speed,
            fixed=None if fixed is None else read_fixed(fixed),
            secret=os.environ.get("HARNESS_SIMULATOR_SECRET") or None,
            key_id=os.environ.get("HARNESS_SIMULATOR_KEY_ID") or None,
            stall=None if stall is None else read_stall(stall),
            limits=Limits(
                streams=read_limits("--capacity", capacity),
                tokens_per_minute=read_limits("--tokens-per-minute", tokens_per_minute),
            ),
            denied=frozenset(find_model(name).base_id for name in deny or ()),
            invocation_log=invocation_log,
            logging=logging,
            stop_with_stdin=stop_with_stdin,
        )
        serve(options, announce)


def read_fixed(written: str) -> tuple[float, float, int]:
    """`200ms,15ms,100` → TTFT and gap in seconds, number of chunks. HarnessError: anything else."""
    from harness.suite.fields import UnitError, parse_duration

    try:
        ttft, gap, chunks = _parts(written, 3)
        return parse_duration(ttft), parse_duration(gap), int(chunks)
    except (UnitError, ValueError) as error:
        raise HarnessError(f"--fixed {written}: {error}; write TTFT,GAP,CHUNKS, for example 200ms,15ms,100") from error


def read_stall(written: str) -> Stall:
    """`10s,2s` → when it begins and how long it lasts. HarnessError: anything else."""
    from harness.simulator.faults import Stall
    from harness.suite.fields import UnitError, parse_duration

    try:
        after, lasts = _parts(written, 2)
        return Stall(after_ns=int(parse_duration(after) * 1e9), lasts_ns=int(parse_duration(lasts) * 1e9))
    except (UnitError, ValueError) as error:
        raise HarnessError(f"--stall {written}: {error}; write AFTER,FOR, for example 10s,2s") from error


def _parts(written: str, wanted: int) -> list[str]:
    """What stands between commas. ValueError: not as many as `wanted`."""
    parts = written.split(",")
    if len(parts) != wanted:
        raise ValueError(f"{wanted} values are asked for, this is {len(parts)}")
    return parts


def read_limits(option: str, written: list[str] | None) -> dict[str, float]:
    """`["40", "global=80"]` → limits by routing, `` for every other. HarnessError: no number above zero, no routing."""
    from harness.catalog.models import known_routings

    limits = {}
    known = known_routings()
    for each in written or ():
        routing, _, number = each.rpartition("=")
        if routing and routing not in known:
            raise HarnessError(f"{option} {each}: {routing!r} is not a routing (known: {', '.join(known)})")
        try:
            limits[routing] = float(number)
        except ValueError:
            limits[routing] = 0.0
        if not limits[routing] >= 1:
            raise HarnessError(f"{option} {each}: write a number from 1 on, for a route global=80 for example")
    return limits
