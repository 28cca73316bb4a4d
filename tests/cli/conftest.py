"""The real command in its own process, and an embedded Bedrock for it to talk to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from harness.cli import main
from harness.report.figures import FIGURES
from tests.canary import CREDENTIALS, credentials_in

Harness = Callable[..., subprocess.CompletedProcess[str]]

SUITE = """\
suite: tiny
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: aioboto3}
  - {model: claude-sonnet-4-6, routing: us, api: invoke, client: anthropic}
  - {model: claude-sonnet-4-6, routing: us, api: invoke, client: aioboto3, stream: false, label: whole}
load: {concurrency: 2, repeats: 2, warmup: 1}
prompts:
  - {id: france, prompt: Capital of France? One word., expect: Paris, tags: [facts]}
  - {id: sum, prompt: What is 2 + 3?, expect: "5", checks: [{type: numeric}], tags: [arithmetic]}
  - {id: sea, prompt: The largest ocean? One word., expect: Pacific, checks: [{type: contains}], tags: [facts]}
"""
WITH_FIGURES = """\
import sys, types
sys.argv[0] = "harness"
names = {names!r}
if names is not None:
    if names:
        from harness.report.figures import FIGURES
    sys.modules["harness.report.figures"] = types.SimpleNamespace(FIGURES={{name: FIGURES[name] for name in names}})
from harness.cli import main
main()
"""
"""`harness` for `python -c`, drawing these figures of a run; None: all."""


def environment(**more: str) -> dict[str, str]:
    """The user's environment with made-up credentials for AWS, without its other variables, and with 100 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANTHROPIC_"))}
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    found = {**kept, **CREDENTIALS, **plain, **more}
    return {name: value for name, value in found.items() if value or name not in CREDENTIALS}


def run_harness(
    folder: Path, *arguments: str | Path, figures: Sequence[str] | None = ("errors",), **more: str
) -> subprocess.CompletedProcess[str]:
    """Run `harness ARGUMENTS` in a folder until it ends, drawing these figures of a run (None: all)."""
    done = subprocess.run(
        [sys.executable, "-c", WITH_FIGURES.format(names=figures), *map(str, arguments)],
        cwd=folder,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return _without_credentials(done)


def call_harness(
    folder: Path, *arguments: str | Path, figures: bool = False, **more: str
) -> subprocess.CompletedProcess[str]:
    """The same within this process, which has imported everything; without figures by default.

    Patches what a process has of its own: the environment. Figures take four times as long as the rest of a report, and
    few tests need them, so their table is empty.
    """
    line = list(map(str, arguments))
    out, err, code = StringIO(), StringIO(), 0
    with ExitStack() as stack:
        stack.enter_context(chdir(folder))
        stack.enter_context(redirect_stdout(out))
        stack.enter_context(redirect_stderr(err))
        stack.enter_context(patch.dict(os.environ, environment(**more), clear=True))
        if not figures:
            stack.enter_context(patch.dict(FIGURES, clear=True))
            stack.enter_context(patch("harness.report.write.draw_comparison", lambda *_: []))
        try:
            main(line)
        except SystemExit as end:
            code = int(end.code or 0)
    return _without_credentials(subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue()))


def _without_credentials(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert [] == credentials_in(done.stdout + done.stderr), done.args
    return done


@pytest.fixture
def hangup() -> Iterator[None]:
    """Children of this test get SIGHUP's default, also where the tests themselves run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    """`harness ARGUMENTS` in the test's own folder, within this process; `figures=True` draws figures."""
    return partial(call_harness, tmp_path)


@pytest.fixture(name="command")
def _command(harness: Harness) -> Harness:
    """The same."""
    return harness


@pytest.fixture
def process(tmp_path: Path) -> Harness:
    """The same in a process of its own, for what depends on that."""
    return partial(run_harness, tmp_path)


@pytest.fixture
def start_harness(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `harness ARGUMENTS` in the test's own folder; anything still running at the end is killed.

    `figures`: which figures of a run to draw (None: all).
    """
    with ExitStack() as stack:

        def start(*arguments: str | Path, figures: Sequence[str] | None = (), **more: str) -> subprocess.Popen[str]:
            child = subprocess.Popen(
                [sys.executable, "-c", WITH_FIGURES.format(names=figures), *map(str, arguments)],
                cwd=tmp_path,
                env=environment(**more),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(child)
            stack.callback(child.kill)
            return child

        yield start


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of three prompts and three targets: both apis, both clients, streaming and not."""
    path = tmp_path / "tiny.yaml"
    path.write_text(SUITE)
    return path


class Bedrock:
    """A simulator in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def truth(self) -> list[dict[str, Any]]:
        """The server's own timestamps of every request since the last call."""
        with urllib.request.urlopen(f"{self.url}/_simulator/truth?reset") as answer:
            requests: list[dict[str, Any]] = json.load(answer)["requests"]
            return requests


@contextmanager
def start_bedrock(folder: Path, *more: str) -> Iterator[Bedrock]:
    """`harness simulate` with the tiny suite's answers."""
    (folder / "tiny.yaml").write_text(SUITE)
    command = [sys.executable, "-m", "harness", "simulate", "--port", "0", "--json", "--stop-with-stdin"]
    with subprocess.Popen(
        [*command, "--suite", "tiny.yaml", *more],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield Bedrock(json.loads(child.stdout.readline())["url"])
        finally:
            child.stdin.close()


@pytest.fixture(scope="session")
def bedrock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bedrock]:
    """An embedded Bedrock, fast enough for a test and slow enough that this client is not the bottleneck."""
    with start_bedrock(tmp_path_factory.mktemp("bedrock"), "--speed", "2") as running:
        yield running


@pytest.fixture
def make_bedrock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Bedrock]]:
    """`make_bedrock("--throttle-rate", "0.5")`: another one, with options of `harness simulate`."""
    with ExitStack() as stack:
        yield lambda *more: stack.enter_context(start_bedrock(tmp_path_factory.mktemp("bedrock"), *more))


def make_valid_run(
    folder: Path, *arguments: str, before: Callable[[], object] = lambda: None, figures: bool = False
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """`harness run ARGUMENTS`, and its folder, for many tests. Repeated if it was invalid on a busy machine.

    `before`: called before each run.
    """
    for _ in range(3):
        shutil.rmtree(folder / "results", ignore_errors=True)
        before()
        done = call_harness(folder, "run", *arguments, figures=figures)
        if done.returncode != 4:
            break
    assert 0 == done.returncode, done.stdout + done.stderr
    (run,) = (folder / "results").glob("*/")
    return done, run


class Finished(NamedTuple):
    """A finished run of the tiny suite."""

    folder: Path
    stdout: str
    stderr: str
    truth: dict[str, dict[str, Any]]
    """Request id → the server's own timestamps."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, bedrock: Bedrock) -> Finished:
    """One run of the tiny suite, with seed 3."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(SUITE)
    line = ("tiny.yaml", "--endpoint", bedrock.url, "--seed", "3", "--quiet")
    done, run = make_valid_run(folder, *line, before=bedrock.truth, figures=True)
    assert "" == done.stderr
    return Finished(run, done.stdout, done.stderr, {each["request_id"]: each for each in bedrock.truth()})


UPGRADE = """\
suite: upgrade
targets:
  - {model: claude-sonnet-4-5, routing: us, api: converse, label: old}
  - {model: claude-sonnet-4-5, routing: us, api: invoke, label: same}
  - {model: claude-sonnet-4-6, routing: us, api: converse, label: dull}
  - {model: claude-sonnet-4-5, routing: global, api: converse, label: slow}
  - {model: claude-opus-4-5, routing: us, api: converse, label: wordy}
baseline: old
load: {concurrency: 14, warmup: 3}
gate: {pass_rate: 10pp, error_rate: 10pp, ttft_p50: 50%, cost_per_request: 20%}
prices:
  - {model: claude-opus-4-5, input: 3.3, output: 16.5}
prompts:
"""
BASE = {"skill": 0.9, "ttft_s": 0.8, "tokens_per_s": 100}
PROFILES = {
    "claude-sonnet-4-5": BASE,
    "claude-sonnet-4-6": {**BASE, "skill": 0.1},
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0": {**BASE, "ttft_s": 2.0},
    "claude-opus-4-5": {**BASE, "verbosity": 4},
}


def upgrade_suite(prompts: int, old: str = "", new: str = "") -> str:
    """A suite with five targets: the baseline, one as good, and three that are each worse in one way."""
    asked = [
        f'  - {{id: sum-{i}, prompt: "What is {i} + {i + 7}?", expect: {2 * i + 7}, checks: [{{type: numeric}}], '
        f"tags: [{'even' if i % 2 == 0 else 'odd'}]}}\n"
        for i in range(prompts)
    ]
    return UPGRADE.replace(old, new) + "".join(asked)


@pytest.fixture(name="upgrade_suite")
def _upgrade_suite() -> Callable[..., str]:
    """`upgrade_suite(8)`: that suite with eight prompts; further arguments replace a part of it."""
    return upgrade_suite


class Upgrade(NamedTuple):
    """A finished run of that suite, and the simulator that answered it."""

    folder: Path
    run: Path
    url: str


@pytest.fixture(scope="session")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgrade]:
    """Forty prompts to five targets whose models differ as PROFILES says, slow enough for a busy machine."""
    folder = tmp_path_factory.mktemp("upgrade")
    (folder / "upgrade.yaml").write_text(upgrade_suite(40))
    (folder / "profiles.json").write_text(json.dumps(PROFILES))
    with start_bedrock(folder, "--suite", "upgrade.yaml", "--profiles", "profiles.json", "--speed", "2") as running:
        _, run = make_valid_run(folder, "upgrade.yaml", "--endpoint", running.url, "--quiet")
        yield Upgrade(folder, run, running.url)


class Compared(NamedTuple):
    """`harness compare` on that run, once as text and once as JSON."""

    folder: Path
    run: Path
    stdout: str
    json: str


@pytest.fixture(scope="session")
def compared(upgrade: Upgrade) -> Compared:
    """Its targets against the suite's baseline."""
    brief = call_harness(upgrade.folder, "compare", upgrade.run, figures=True)
    assert (0, "") == (brief.returncode, brief.stderr)
    elsewhere = ("--json", "--out", upgrade.folder / "elsewhere")
    report = call_harness(upgrade.folder, "compare", upgrade.run, *elsewhere, figures=True)
    assert (0, "") == (report.returncode, report.stderr)
    return Compared(upgrade.folder, upgrade.run, brief.stdout, report.stdout)


@pytest.fixture
def again(upgrade: Upgrade, tmp_path: Path) -> Path:
    """The same run under another id, as if it were a later one."""
    path = Path(shutil.copytree(upgrade.run, tmp_path / "results" / "20990101T000000Z-upgrade-ffffff"))
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "run_id": path.name}))
    return path
