"""`harness simulate`: the embedded Bedrock on its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import JsonOption
from harness.cli.places import local_path
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.simulator.faults import Stall
    from harness.simulator.injection.plan import FaultRule
    from harness.simulator.model.capacity import Limits
    from harness.simulator.server import SimulatorOptions


SuiteOption = Annotated[
    Path | None, typer.Option(help="Answer this suite's prompts from its `expect` values.", parser=local_path)
]
ProfilesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="How models behave, as JSON: "
        '{"claude-haiku-4-5": {"skill": 0.8, "ttft_s": 0.9, "tokens_per_s": 90, "verbosity": 2}}.',
        parser=local_path,
    ),
]
ThrottleOption = Annotated[float, typer.Option(help="Answer this share of requests with 429.", min=0, max=1)]
UnavailableOption = Annotated[float, typer.Option(help="Answer this share of requests with 503.", min=0, max=1)]
InterruptOption = Annotated[float, typer.Option(help="Cut off this share of streams halfway.", min=0, max=1)]
FaultsOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|JSON",
        help="Which requests get which fault, as JSON: "
        '[{"fault": "throttled", "share": 0.02}, {"fault": "reset_during", "model": "claude-haiku-4-5", '
        '"requests": [3, 7]}]. docs/faults.md lists the faults.',
    ),
]
FixedOption = Annotated[
    str | None,
    typer.Option(metavar="TTFT,GAP,CHUNKS", help="Send every stream with this timing, for benchmarks: 200ms,15ms,100."),
]
StallOption = Annotated[
    str | None,
    typer.Option(metavar="AFTER,FOR", help="Stall: 10s,2s answers nothing for 2 s, from 10 s after the first request."),
]
CapacityOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[ROUTING=]N",
        help="Serve at most this many streams of a model at once and queue the rest. For one routing: global=80. "
        "Repeatable.",
    ),
]
TokensOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[ROUTING=]N",
        help="Quota of each model, counted as Bedrock does; beyond it requests are answered with 429. Repeatable.",
    ),
]
DenyOption = Annotated[list[str] | None, typer.Option(metavar="MODEL", help="Refuse access to this model. Repeatable.")]
LogOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Append Bedrock's invocation log to this file.", parser=local_path)
]
LoggingOption = Annotated[
    str,
    typer.Option(metavar="WHERE", help="Where the account says that it logs: s3://BUCKET/PREFIX, logs:GROUP or none."),
]


def simulate(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 picks a free one.", min=0, max=65535)] = 9000,
    suite: SuiteOption = None,
    answer_key: Annotated[Path | None, typer.Option(hidden=True, parser=local_path)] = None,
    profiles: ProfilesOption = None,
    seed: Annotated[int, typer.Option(help="Seed of answers and latencies.")] = 1,
    throttle_rate: ThrottleOption = 0.0,
    unavailable_rate: UnavailableOption = 0.0,
    interrupt_rate: InterruptOption = 0.0,
    faults: FaultsOption = None,
    speed: Annotated[float, typer.Option(help="Answer this many times faster than the models do.", min=0.001)] = 1.0,
    fixed: FixedOption = None,
    stall: StallOption = None,
    capacity: CapacityOption = None,
    tokens_per_minute: TokensOption = None,
    deny: DenyOption = None,
    invocation_log: LogOption = None,
    logging: LoggingOption = "none",
    stop_with_stdin: Annotated[bool, typer.Option(hidden=True)] = False,
    json_output: JsonOption = False,
) -> None:
    """Run the embedded Bedrock for any client, until Ctrl-C.

    It speaks InvokeModel, Converse, the Messages API and chat completions, streamed or not, and has the control plane,
    STS and Service Quotas. Use it with made-up credentials:

    \b
    harness simulate --suite suites/quickstart.yaml
    harness simulate --suite suites/quickstart.yaml --faults '[{"fault": "throttled_seconds", "share": 0.1}]'
    harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:9000 python my_program.py

    If HARNESS_SIMULATOR_SECRET is set (and HARNESS_SIMULATOR_KEY_ID, if the key's id matters), requests must be signed
    with that secret access key.

    GET /_simulator/truth returns the server's own timestamps of every request.
    """
    from harness.simulator.server import SimulatorOptions

    options = SimulatorOptions(
        port=port,
        answer_key=answer_key,
        profiles=profiles,
        seed=seed,
        throttle_rate=throttle_rate,
        unavailable_rate=unavailable_rate,
        interrupt_rate=interrupt_rate,
        faults=_rules(faults),
        speed=speed,
        fixed=None if fixed is None else read_fixed(fixed),
        secret=os.environ.get("HARNESS_SIMULATOR_SECRET") or None,
        key_id=os.environ.get("HARNESS_SIMULATOR_KEY_ID") or None,
        stall=None if stall is None else read_stall(stall),
        limits=_limits(capacity, tokens_per_minute),
        denied=_denied(deny),
        invocation_log=invocation_log,
        logging=logging,
        stop_with_stdin=stop_with_stdin,
    )
    _serve(options, suite, as_json=json_output)


def _serve(options: SimulatorOptions, suite: Path | None, *, as_json: bool) -> None:
    """Serve until Ctrl-C. `suite`: answer its prompts, instead of those of the options' answer key."""
    import tempfile

    from msgspec.structs import replace

    from harness.simulator.server import serve

    def announce(url: str) -> None:
        print(json.dumps({"url": url}) if as_json else f"listening on {url} (Ctrl-C stops it)", flush=True)

    with tempfile.TemporaryDirectory(prefix="harness-") as folder:
        if suite is not None:
            from harness.cli.running.endpoint import write_answer_key
            from harness.cli.running.overrides import load_checked

            key = write_answer_key(load_checked(suite), Path(folder) / "answers.json")
            options = replace(options, answer_key=key)
        serve(options, announce)


def _rules(faults: str | None) -> tuple[FaultRule, ...]:
    from harness.simulator.injection.plan import read_rules

    return () if faults is None else read_rules(faults)


def _limits(capacity: list[str] | None, tokens_per_minute: list[str] | None) -> Limits:
    from harness.simulator.model.capacity import Limits

    return Limits(
        streams=read_limits("--capacity", capacity),
        tokens_per_minute=read_limits("--tokens-per-minute", tokens_per_minute),
    )


def _denied(models: list[str] | None) -> frozenset[str]:
    """Base ids of the models. HarnessError: an unknown one."""
    from harness.catalog.models import find_model

    return frozenset(find_model(name).base_id for name in models or ())


def read_fixed(written: str) -> tuple[float, float, int]:
    """Parse `200ms,15ms,100`: TTFT and gap in seconds, number of chunks. HarnessError: anything else."""
    from harness.suite.fields import UnitError, parse_duration

    try:
        ttft, gap, chunks = _parts(written, 3)
        return parse_duration(ttft), parse_duration(gap), int(chunks)
    except (UnitError, ValueError) as error:
        raise HarnessError(f"--fixed {written}: {error}; write TTFT,GAP,CHUNKS, for example 200ms,15ms,100") from error


def read_stall(written: str) -> Stall:
    """Parse `10s,2s`: when a stall begins and how long it lasts. HarnessError: anything else."""
    from harness.simulator.faults import Stall
    from harness.suite.fields import UnitError, parse_duration

    try:
        after, lasts = _parts(written, 2)
        return Stall(after_ns=int(parse_duration(after) * 1e9), lasts_ns=int(parse_duration(lasts) * 1e9))
    except (UnitError, ValueError) as error:
        raise HarnessError(f"--stall {written}: {error}; write AFTER,FOR, for example 10s,2s") from error


def _parts(written: str, wanted: int) -> list[str]:
    """The parts between commas. ValueError: not `wanted` many."""
    parts = written.split(",")
    if len(parts) != wanted:
        raise ValueError(f"{wanted} values are needed, not {len(parts)}")
    return parts


def read_limits(option: str, written: list[str] | None) -> dict[str, float]:
    """Parse `["40", "global=80"]`: routing → limit, with "" for all other routings. HarnessError: anything else."""
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
            raise HarnessError(f"{option} {each}: write a number of at least 1, or ROUTING=N such as global=80")
    return limits
