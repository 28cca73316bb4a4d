"""Fixtures that every room's tests may use."""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from botocore.loaders import create_loader
from hypothesis import HealthCheck, settings

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Quantiles, RunSummary, TargetSummary, write_summary
from harness.catalog.target import Target
from harness.load.interrupts import SIGNALS
from harness.simulator.server import SimulatorOptions, running_simulator
from harness.store.manifest import Host, Manifest
from harness.store.run_folder import RunFolder
from tests.canary import CREDENTIALS, CanarySearch

if TYPE_CHECKING:
    from tests.s3 import S3

TESTS = Path(__file__).parent

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")  # neither by chance nor by the clock; `benchmarks/fuzz.py` goes on searching


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # pytest-xdist's workers report to the process that searches
        config.pluginmanager.register(CanarySearch())


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Of `-n auto`: three processes for two cores, because a test waits for servers for a quarter of its time."""
    return 3 * (yield) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of the cluster come first: one process runs them one by one for minutes, at the end all alone."""
    items.sort(key=lambda each: each.path.name != "test_cluster.py")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test that is marked `alone` waits until no other runs, in any process, and all others wait for it."""
    kind = fcntl.LOCK_SH if item.get_closest_marker("alone") is None else fcntl.LOCK_EX
    with _opened(TESTS) as queue, _opened(TESTS / "conftest.py") as running:
        fcntl.flock(queue, fcntl.LOCK_EX)  # nobody passes one that waits to be alone
        fcntl.flock(running, kind)
        fcntl.flock(queue, fcntl.LOCK_UN)
        return (yield)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY)
    try:
        yield number
    finally:
        os.close(number)


@pytest.fixture(autouse=True)
def _made_up_credentials(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The user's own credentials cannot leave, and these are searched for everywhere (see `canary.py`).

    Only the commands that tests start get the bearer token: SDKs prefer it to the keys that a test gives them.
    """
    if request.node.get_closest_marker("live") is None:
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A run that was interrupted twice ignores signals from then on, which later tests and their children would too."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.fixture(scope="session", autouse=True)
def _service_models_are_read_once() -> Iterator[None]:
    """All sessions of the SDKs share what they have read of AWS's service models: half of what a client costs."""
    with patch("botocore.session.create_loader", cache(create_loader)):
        yield


@pytest.fixture
async def simulator() -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """`url = await simulator(**options)` starts a simulator on the test's own loop (see SimulatorOptions)."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> str:
            return await stack.enter_async_context(running_simulator(SimulatorOptions(**options)))

        yield start


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """moto's S3 on loopback; see `s3`."""
    from tests.s3 import running_s3

    with running_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3:
    """S3 with an empty bucket, to which this process's environment points, and a cache folder of the test's own."""
    s3_server.reset()
    for name, value in s3_server.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    for name in (
        "PROFILE",
        "SESSION_TOKEN",
        "REGION",
        "DEFAULT_REGION",
        "ENDPOINT_URL",
        "IGNORE_CONFIGURED_ENDPOINT_URLS",
    ):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    return s3_server


T = TypeVar("T")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], T]], T]:
    """`made_once("pictures", draw)`: what `draw()` returns, from the first of pytest's processes that asks for it.

    The others wait and get a copy, so it must be picklable.
    """

    def find(name: str, make: Callable[[], T]) -> T:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            return make()
        file = tmp_path_factory.getbasetemp().parent / f"{name}.pickle"
        with _opened(tmp_path_factory.getbasetemp().parent) as folder:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if file.exists():
                found: T = pickle.loads(file.read_bytes())
                return found
            made = make()
            file.write_bytes(pickle.dumps(made))
            return made

    return find


PAST_TARGETS = ("claude-sonnet-4-6/us/converse", "claude-haiku-4-5/global/converse")
NIGHT_NS = 86_400_000_000_000
FIRST_NIGHT_NS = 1_790_992_800_000_000_000  # 2026-10-02T02:00:00Z


@pytest.fixture
def past_runs() -> Callable[..., list[RunFolder]]:
    """`past_runs(folder, 30, slower_from=20)`: nightly runs with a manifest and a summary, and no rows.

    Noise of 3 % in the latencies, seeded. `slower_from`: from this run on the first target's latencies are 1.4 times
    as long, and aiobotocore is a newer one. `changes(i)`: fields of the i-th manifest; `finding(i)`: its findings.
    """

    def build(
        folder: Path,
        n: int,
        *,
        slower_from: int | None = None,
        suite: str = "nightly",
        targets: tuple[str, ...] = PAST_TARGETS,
        changes: Callable[[int], dict[str, Any]] = lambda _: {},
        findings: Callable[[int], list[Any]] = lambda _: [],
        seed: int = 1,
    ) -> list[RunFolder]:
        rng = np.random.default_rng(seed)
        runs = []
        for i in range(n):
            late = slower_from is not None and i >= slower_from
            manifest = _past_manifest(i, suite, targets, botocore="2.26.0" if late else "2.25.1", **changes(i))
            summaries = [
                _past_target(target, (1.4 if late and target == targets[0] else 1.0) * rng.lognormal(0, 0.03), rng)
                for target in targets
            ]
            run = RunFolder(folder / manifest.run_id)
            run.path.mkdir(parents=True)
            run.write_manifest(manifest)
            write_summary(run.summary_path, _past_summary(manifest, summaries, findings(i)))
            runs.append(run)
        return runs

    return build


def _past_manifest(i: int, name: str, targets: tuple[str, ...], botocore: str, **changes: Any) -> Manifest:
    manifest = Manifest(
        run_id=f"{i:04d}-{name}",
        state="complete",
        simulated=True,
        endpoint="simulator",
        suite=name,
        suite_digest="0123456789ab",
        seed=1,
        targets=tuple(_past_config(name) for name in targets),
        origin_utc_ns=FIRST_NIGHT_NS + i * NIGHT_NS,
        origin_monotonic_ns=0,
        planned=None,
        host=Host(system="Linux 6.1", machine="x86_64", cpus=2, python="CPython 3.11.2"),
        versions={"harness": "0.1.0", "aiobotocore": botocore},
    )
    return msgspec.structs.replace(manifest, **changes)


def _past_config(name: str) -> Target:
    model = name.partition("/")[0]
    return Target(name=name, model=model, base_model=f"anthropic.{model}", model_id=f"us.anthropic.{model}",
                  routing="us", api="converse", client="aioboto3", region="us-east-1")  # fmt: skip


def _past_target(name: str, slowness: float, rng: np.random.Generator) -> TargetSummary:
    model = name.partition("/")[0]
    base = 0.9 if "sonnet" in model else 0.4
    passed, failed = int(rng.binomial(200, 0.93)), int(rng.binomial(200, 0.004))
    rates = {"success_rate": _rate(200 - failed, 200), "pass_rate": _rate(passed, 200)}
    nothing = dict.fromkeys(("ttft_from_sent_s", "tpot_s", "queue_delay_s", "stream_tokens_per_s",
                             "output_tokens_per_s", "achieved_per_s", "offered_per_s", "goodput_per_s"))  # fmt: skip
    cost = 0.002 * base * rng.lognormal(0, 0.01)
    return TargetSummary(
        target=name, base_model=f"anthropic.{model}", routing="us", api="converse", client="aioboto3",
        region="us-east-1", requests=200, attempts=200, succeeded=200 - failed, scored=200, passed=passed,
        pass_rate_by_tag={}, ttft_s=_quantiles(base * slowness), e2e_s=_quantiles(4 * base * slowness),
        error_kinds={}, throttled_attempts=0, input_tokens=1, output_tokens=1, cache_read_tokens=0,
        cache_write_tokens=0, cost_usd=200 * cost, cost_per_request_usd=cost, cost_per_1000_usd=1000 * cost,
        cost_per_correct_usd=None, **rates, **nothing,
    )  # fmt: skip


def _rate(k: int, n: int) -> Interval:
    return Interval(value=k / n, low=max(0.0, k / n - 0.03), high=min(1.0, k / n + 0.03))


def _quantiles(p50: float) -> Quantiles:
    steps = [Interval(value=p50 * factor, low=p50 * factor * 0.95, high=p50 * factor * 1.06) for factor in (1, 1.5, 2)]
    p99 = Interval(value=p50 * 3, low=p50 * 2)
    return Quantiles(n=200, p50=steps[0], p90=steps[1], p95=steps[2], p99=p99, mean=p50)


def _past_summary(manifest: Manifest, targets: list[TargetSummary], findings: list[Any]) -> RunSummary:
    return RunSummary(
        schema_version=1, run_id=manifest.run_id, suite=manifest.suite, suite_digest=manifest.suite_digest,
        started_utc="2026-10-02T02:00:00Z", duration_s=60.0, simulated=manifest.simulated, endpoint=manifest.endpoint,
        state=manifest.state, level=0.95, arrival="closed", targets=targets, winners=[], findings=findings,
        total_cost_usd=1.0,
    )  # fmt: skip
