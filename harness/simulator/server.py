"""An embedded Bedrock on loopback that unmodified SDKs and the AWS CLI can talk to.

| request | answer |
| --- | --- |
| POST /model/{modelId}/invoke | InvokeModel |
| POST /model/{modelId}/invoke-with-response-stream | InvokeModelWithResponseStream |
| POST /model/{modelId}/converse | Converse |
| POST /model/{modelId}/converse-stream | ConverseStream |
| POST /model/{modelId}/count-tokens | CountTokens |
| POST /anthropic/v1/messages, …/count_tokens | the Messages API; a stream is server-sent events |
| POST /openai/v1/chat/completions, /v1/chat/completions | chat completions |
| GET /foundation-models, /inference-profiles, … | the control plane (see control_plane.py) |
| POST /, GET /{bucket}?lifecycle | STS, Service Quotas and more (see aws/services.py) |
| GET /_simulator/truth | `{"requests": [truth.ServedRequest, …]}` of the finished replies; `?reset` then clears them |
| GET /_simulator/health | `{"status": "ok", "under_way": n}`: the replies in progress |
| anything else | 404 UnknownOperationException |
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from harness.errors import EndpointError
from harness.simulator.aws.account import read_logging
from harness.simulator.aws.control_plane import Account
from harness.simulator.aws.signature import Keys
from harness.simulator.faults import FaultRates, Stall
from harness.simulator.http.connection import HttpConnection
from harness.simulator.http.pump import Pump
from harness.simulator.injection.plan import FaultPlan, FaultRule
from harness.simulator.invocation_log import InvocationLog
from harness.simulator.model.answers import AnswerBook, load_answer_key
from harness.simulator.model.capacity import Limits
from harness.simulator.model.profiles import fixed_timing, load_profile_overrides
from harness.simulator.performance import AnswerGenerator, Behaviour
from harness.simulator.service import Service
from harness.simulator.truth import Truth

_LOOPBACK = ("127.0.0.1", "::1")
_BACKLOG = 4096


class SimulatorOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a simulator. Rates are shares of requests, 0 to 1."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free port."""
    seed: int = 1
    answer_key: Path | None = None
    """If None, every prompt gets filler text."""
    throttle_rate: float = 0.0
    unavailable_rate: float = 0.0
    interrupt_rate: float = 0.0
    """Share of the started streams that end in an error half way."""
    speed: float = 1.0
    """10 answers ten times as fast as the models."""
    fixed: tuple[float, float, int] | None = None
    """TTFT in seconds, gap in seconds, chunks: the same for every answer, for benchmarks. `speed` does not apply."""
    profiles: Path | None = None
    """File with overrides of the models' profiles (see model/profiles.py)."""
    secret: str | None = None
    """The secret access key that must sign requests. None accepts any signature, unchecked."""
    key_id: str | None = None
    """The access key id that goes with the secret. None accepts any."""
    faults: tuple[FaultRule, ...] = ()
    """Faults by request (see injection/plan.py), apart from the rates."""
    stall: Stall | None = None
    limits: Limits = Limits()
    """The limits of each route."""
    denied: frozenset[str] = frozenset()
    """Base ids of the models to which the account has no access."""
    invocation_log: Path | None = None
    """File to which every model call is logged."""
    logging: str = "none"
    """The log destination in the account's settings: `s3://BUCKET/PREFIX`, `logs:GROUP` or `none`."""
    stop_with_stdin: bool = False
    """Stop when stdin ends, so that the process never outlives its parent."""

    def __repr__(self) -> str:
        """Leaves out the secret."""
        return f"SimulatorOptions(host={self.host!r}, port={self.port}, seed={self.seed}, …)"


@asynccontextmanager
async def running_simulator(options: SimulatorOptions) -> AsyncIterator[str]:
    """Run a simulator on the current event loop. Yields its base URL; closes all connections on exit.

    Raises EndpointError for invalid options.
    """
    generator, account = _make_generator(options), _make_account(options)
    with ExitStack() as stack:
        log = None
        if options.invocation_log is not None:
            log = InvocationLog(options.invocation_log, options.seed)
            stack.callback(log.close)
        connections: set[HttpConnection] = set()
        truth = Truth()
        service = Service(
            generator,
            truth,
            lambda: sum(connection.is_replying for connection in connections),
            account=account,
            keys=Keys(secret=options.secret, key_id=options.key_id),
            log=log,
            limits=options.limits,
            stall=options.stall,
            faults=FaultPlan(options.faults, options.seed),
        )
        async with _listening(options, service, truth, connections) as url:
            yield url


@asynccontextmanager
async def _listening(
    options: SimulatorOptions, service: Service, truth: Truth, connections: set[HttpConnection]
) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    pump = Pump(loop)
    try:
        server = await loop.create_server(
            lambda: HttpConnection(service.respond, truth.add, pump, connections),
            options.host,
            options.port,
            backlog=_BACKLOG,
        )
    except OSError as error:
        raise EndpointError(
            f"cannot listen on {options.host} port {options.port}: {error.strerror}; use another --port, or 0 for any"
        ) from error
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://[{options.host}]:{port}" if ":" in options.host else f"http://{options.host}:{port}"
    finally:
        server.close()
        pump.close()
        for connection in list(connections):
            connection.abort()
        await server.wait_closed()


def serve(options: SimulatorOptions, on_ready: Callable[[str], None]) -> None:
    """Run a simulator until SIGINT, SIGTERM or (`stop_with_stdin`) the end of stdin. `on_ready` gets the base URL."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options, on_ready))


async def _serve(options: SimulatorOptions, on_ready: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if options.stop_with_stdin:
        _watch_stdin(loop, stop)
    async with running_simulator(options) as url:
        gc.freeze()  # start-up objects never become garbage; spare full collections from scanning them
        on_ready(url)
        await stop.wait()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop.set()

    try:
        loop.add_reader(descriptor, read)
    except PermissionError:  # a file or /dev/null has no other end to wait for
        stop.set()


def _make_generator(options: SimulatorOptions) -> AnswerGenerator:
    _check(options)
    behaviour = Behaviour(
        seed=options.seed,
        speed=options.speed,
        rates=FaultRates(
            throttle=options.throttle_rate, unavailable=options.unavailable_rate, interrupt=options.interrupt_rate
        ),
        fixed=None if options.fixed is None else fixed_timing(*options.fixed),
        overrides={} if options.profiles is None else load_profile_overrides(options.profiles),
    )
    key = {} if options.answer_key is None else load_answer_key(options.answer_key)
    return AnswerGenerator(behaviour, AnswerBook(key))


def _make_account(options: SimulatorOptions) -> Account:
    try:
        return Account(denied=options.denied, logging=read_logging(options.logging))
    except ValueError as error:
        raise EndpointError(f"--logging {error}") from error


def _check(options: SimulatorOptions) -> None:
    if options.host not in _LOOPBACK:
        raise EndpointError(f"the simulator listens on loopback only, not on {options.host!r}; use {_LOOPBACK[0]}")
    rates = (options.throttle_rate, options.unavailable_rate)
    if min(rates) < 0 or sum(rates) > 1:
        raise EndpointError(
            f"throttle and unavailable rates {rates} must be shares from 0 to 1 that add up to 1 at most"
        )
    if not 0 <= options.interrupt_rate <= 1:
        raise EndpointError(f"interrupt rate {options.interrupt_rate} must be a share from 0 to 1")
    if not options.speed > 0:
        raise EndpointError(f"speed {options.speed} must be above 0; 1 is the models' own speed")
    if options.fixed is not None and (min(options.fixed[:2]) < 0 or options.fixed[2] < 1):
        raise EndpointError(f"fixed timing {options.fixed} must be TTFT ≥ 0 s, gap ≥ 0 s and at least one chunk")
