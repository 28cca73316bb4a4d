"""A new scorer, arrival process, client, figure or command is one new file and one line in a table.

Each test writes the file, adds the line to the real table, and uses what it has added as a user would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import msgspec
import pytest

from harness.cli import COMMANDS
from harness.endpoints import CLIENTS
from harness.load.arrivals import ARRIVALS
from harness.load.plan import make_plan
from harness.report.figures import FIGURES
from harness.scoring import SCORERS
from harness.suite.loader import load_suite
from harness.suite.suite import Load
from tests.cli.conftest import Bedrock, call_harness, start_bedrock
from tests.processes import only_run

SCORER = '''
import msgspec
from harness.scoring.scorer import PASS, fail

class Longer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer has more than so many characters."""
    than: int

    async def score(self, prompt, answer):
        return PASS if len(answer) > self.than else fail(f"has {len(answer)} characters")
'''
ARRIVAL = '''
from itertools import count

class Doubling:
    """Each gap is half of the one before, down to a millisecond."""
    opening_per_s = peak_per_s = 1.0

    @classmethod
    def from_load(cls, load):
        return cls()

    def offsets(self, rng):
        at = 0.0
        for i in count():
            yield at
            at += max(0.5 ** i, 0.001)
'''
CLIENT = """
from harness.endpoints.wire.client import WireClient

class CountingClient(WireClient):
    sent = 0

    async def send(self, request, tape):
        CountingClient.sent += 1
        await super().send(request, tape)
"""
FIGURE = '''
from matplotlib.figure import Figure

READ = "Each bar is a target."

def draw(view):
    """Requests of each target."""
    figure = Figure(label="Requests of each target")
    figure.subplots().bar([each.target for each in view.targets], [each.requests for each in view.targets])
    return figure

def table(view):
    return None

def describe(view):
    return "Requests are counted."
'''
COMMAND = '''
import typer

def hello(name: str) -> None:
    """Greet somebody."""
    typer.echo(f"Hello, {name}.")
'''
SUITE = """\
suite: plugged
targets: [{model: claude-haiku-4-5, routing: global, api: converse, client: wire}]
load: {concurrency: 1}
prompts:
  - {id: france, prompt: Capital of France? One word., checks: [{type: exact, expect: Paris}]}
  - {id: sea, prompt: The largest ocean? One word., checks: [{type: exact, expect: Pacific}]}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of modules to import."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture(scope="module")
def bedrock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bedrock]:
    with start_bedrock(tmp_path_factory.mktemp("bedrock"), "--speed", "20") as running:
        yield running


def run_suite(folder: Path, suite: str, bedrock: Bedrock, *, figures: bool = False) -> Path:
    """`harness run` of a suite in this process; its run's folder."""
    (folder / "plugged.yaml").write_text(suite)
    done = call_harness(folder, "run", "plugged.yaml", "--endpoint", bedrock.url, "--quiet", figures=figures)
    assert done.returncode in (0, 4), done.stdout + done.stderr  # 4: this machine was too busy to measure latencies
    return only_run(folder)


def test_a_scorer_grades_the_answers_of_a_suite_that_names_it(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bedrock: Bedrock
) -> None:
    (package / "longer.py").write_text(SCORER)
    monkeypatch.setitem(SCORERS, "longer", "longer:Longer")
    check, none = "{type: exact, expect: Paris}", "{type: exact, expect: Pacific}"
    suite = SUITE.replace(check, "{type: longer, than: 1}").replace(none, "{type: longer, than: 1000}")
    summary = json.loads((run_suite(tmp_path, suite, bedrock) / "summary.json").read_text())
    assert [(2, 1)] == [(each["scored"], each["passed"]) for each in summary["targets"]]
    (tmp_path / "wrong.yaml").write_text(SUITE.replace(check, "{type: longer, then: 1}"))
    told = call_harness(tmp_path, "validate", "wrong.yaml")
    assert (2, True) == (told.returncode, "did you mean 'than'?" in told.stderr), told.stderr
    assert "longer" in call_harness(tmp_path, "schema").stdout


def test_an_arrival_process_makes_a_plan(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "doubling.py").write_text(ARRIVAL)
    monkeypatch.setitem(ARRIVALS, "doubling", import_module("doubling").Doubling.from_load)
    (tmp_path / "s.yaml").write_text(SUITE)
    suite = msgspec.structs.replace(load_suite(tmp_path / "s.yaml"), load=Load(arrival="doubling", requests=4))
    assert [0.0, 1.0, 1.5, 1.75] == [each.offset_s for each in make_plan(suite, seed=1)]


def test_a_client_sends_a_suites_requests(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bedrock: Bedrock
) -> None:
    (package / "counting_client.py").write_text(CLIENT)
    monkeypatch.setitem(CLIENTS, "counting", "counting_client:CountingClient")
    bedrock.truth()
    run_suite(tmp_path, SUITE.replace("client: wire", "client: counting"), bedrock)
    assert 2 == len(bedrock.truth()) == import_module("counting_client").CountingClient.sent


def test_a_figure_is_drawn_into_the_report(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bedrock: Bedrock
) -> None:
    (package / "requests_figure.py").write_text(FIGURE)
    monkeypatch.setitem(FIGURES, "requests", import_module("requests_figure"))
    run = run_suite(tmp_path, SUITE, bedrock, figures=True)
    assert (run / "plots" / "requests.png").read_bytes().startswith(b"\x89PNG")
    assert "Requests of each target" in (run / "report.html").read_text()
    assert "plots/requests." in (run / "report.md").read_text()


def test_a_command_runs_and_is_listed(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (package / "hello_command.py").write_text(COMMAND)
    monkeypatch.setitem(COMMANDS, "hello", "hello_command:hello")  # type: ignore[misc]
    assert "Hello, Ada.\n" == call_harness(tmp_path, "hello", "Ada").stdout
    assert "Greet somebody." in call_harness(tmp_path, "--help").stdout
