"""`harness gate --against history`: what a scheduled run says in the morning, to people and to a CI system."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from harness.analysis.summary.summary import RunSummary, write_summary
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder
from harness.suite.suite import Load, Message, Prompt, Suite

SONNET, HAIKU = "claude-sonnet-4-6/us/converse", "claude-haiku-4-5/global/converse"
GATE = {"pass_rate": "8pp", "ttft_p95": "25%", "cost_per_request": "10%"}
PastRuns = Callable[..., list[RunFolder]]


def keep_suite(run: RunFolder, **more: Any) -> None:
    """Write the suite that a run's manifest names, beside it."""
    manifest = run.read_manifest()
    suite = Suite(
        name=manifest.suite,
        digest=manifest.suite_digest,
        endpoint=manifest.endpoint,
        targets=manifest.targets,
        prompts=(Prompt(id="capital", messages=(Message(role="user", content="Capital of France?"),)),),
        gate=GATE,
    )
    run.write_suite(msgspec.structs.replace(suite, **more))


@pytest.fixture
def nights(tmp_path: Path, past_runs: PastRuns) -> Callable[..., RunFolder]:
    """`nights(21, slower_from=20)`: runs in results/, the last of which keeps its suite."""

    def make(n: int, **how: Any) -> RunFolder:
        last = past_runs(tmp_path / "results", n, **how)[-1]
        keep_suite(last)
        return last

    return make


def test_a_slower_night_ends_with_one_and_says_what_is_outside_by_how_much_and_what_differed(
    command: Any, nights: Callable[..., RunFolder], tmp_path: Path
) -> None:
    run = nights(21, slower_from=20)
    summary = tmp_path / "summary.md"
    done = command(
        *("gate", "--against", "history", "--junit", "j.xml", "--markdown", "c.md"), GITHUB_STEP_SUMMARY=str(summary)
    )
    assert 1 == done.returncode, done.stdout + done.stderr
    assert f"✗ worse: {SONNET} is worse than the last 20 runs predict on TTFT p95: 2.5" in done.stdout
    assert "margin 25%)" in done.stdout
    assert "TTFT p95: outside of what is predicted\n    what differed from run 0019-nightly: aiobotocore" in done.stdout
    assert f"○ no worse: {HAIKU} is no worse than the last 20 runs" in done.stdout
    assert done.stdout.index("✗ worse: ") < done.stdout.index("○ no worse: ")
    assert done.stdout.index(f"\n{SONNET}\n") < done.stdout.index(f"\n{HAIKU}\n")
    root = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert ("1", "0", "6") == (root.get("failures"), root.get("errors"), root.get("tests"))
    (case,) = (case for case in root.iter("testcase") if case.find("failure") is not None)
    assert "what differed: aiobotocore 2.25.1 → 2.26.0" in (case.findtext("failure") or "")
    comment = (run.path / "gate.md").read_text()
    assert comment.startswith("### ✗ worse: nightly, today against its history")
    assert comment == (tmp_path / "c.md").read_text() == summary.read_text()
    page = (run.path / "against-history.html").read_text()
    assert "SIMULATED" in page
    assert "aiobotocore 2.25.1 → 2.26.0" in page
    kept = json.loads((run.path / "against-history.json").read_text())
    (row,) = (row for row in kept["rows"] if row["verdict"] == "worse")
    assert (1, SONNET, "ttft_p95", 20, False) == (
        kept["schema_version"], row["target"], row["metric"], len(row["past"]), row["inside"]
    )  # fmt: skip


def test_an_ordinary_night_ends_with_nought(command: Any, nights: Callable[..., RunFolder]) -> None:
    nights(21)
    done = command("gate", "latest", "--against", "history", "--json")
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "no_worse" == json.loads(done.stdout)["verdict"]


def test_the_figure_is_drawn_with_every_metric_of_every_target(harness: Any, nights: Callable[..., RunFolder]) -> None:
    run = nights(12, slower_from=11)
    harness("gate", "--against", "history", figures=True)
    picture = (run.path / "plots" / "against-history.svg").read_text()
    assert 6 == picture.count("<!-- cost per request (USD)") + picture.count("<!-- TTFT p95 (s)") + picture.count(
        "<!-- pass rate, "
    )
    assert "today: ✗ worse" in picture


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--against", "history", "--baseline", HAIKU], "--against history takes no --baseline"),
        (["--against", "history", "--confirm"], "--against history takes no --confirm: run the suite again"),
        (["--against", "yesterday"], "--against yesterday: must be `history`"),
        (["--last", "20"], "--last 20: needs --against history"),
        (["--against", "history", "--last", "3"], "--last 3: a prediction needs 5 past runs"),
        (["--against", "history", "--endpoint", "aws"], "--endpoint aws: applies only to the rerun of --confirm"),
        (["--against", "history", "--candidate", "other"], "--candidate other: the run did not measure it"),
    ],
)
def test_what_makes_no_sense_is_refused(
    command: Any, nights: Callable[..., RunFolder], arguments: list[str], told: str
) -> None:
    nights(7)
    done = command("gate", *arguments)
    assert (2, True) == (done.returncode, told in done.stderr), done.stderr


def test_the_first_nights_end_with_three_and_say_how_many_are_missing(
    command: Any, nights: Callable[..., RunFolder]
) -> None:
    nights(4)
    done = command("gate", "--against", "history", "--candidate", HAIKU)
    assert 3 == done.returncode
    assert f"? inconclusive: {HAIKU} cannot be judged yet on" in done.stdout
    assert "2 more comparable runs needed" in done.stdout
    assert "all metrics: 3 comparable runs so far; a prediction needs 5; 2 to go\n" in done.stdout
    assert 1 == done.stdout.count("inconclusive: ")


def test_an_invalid_night_ends_with_four_and_runs_that_do_not_count_are_named(
    command: Any, nights: Callable[..., RunFolder]
) -> None:
    invalid = Finding(what="the client was the bottleneck", remedy="", invalidates=True)
    run = nights(9, findings=lambda i: [invalid] if i in (3, 8) else [])
    done = command("gate", "--against", "history")
    assert 4 == done.returncode
    assert "INVALID: Today's run is invalid" in done.stdout
    assert "Left out: 0003-nightly: the run is invalid: the client was the bottleneck" in done.stdout
    assert '<error type="invalid"' in (run.path / "junit.xml").read_text()


def test_a_run_of_another_load_is_left_out_and_one_of_another_gate_is_not(
    command: Any, nights: Callable[..., RunFolder], tmp_path: Path
) -> None:
    nights(9, changes=lambda i: {"suite_digest": f"00000000000{i}"} if i in (1, 2) else {})
    results = tmp_path / "results"
    keep_suite(RunFolder(results / "0001-nightly"), baseline=HAIKU)
    keep_suite(RunFolder(results / "0002-nightly"), load=Load(concurrency=9))
    report = json.loads(command("gate", "--against", "history", "--json").stdout)
    assert "0001-nightly" in report["past_runs"]
    ((left_out),) = report["left_out"]
    assert ["0002-nightly"] == left_out["run_ids"]
    assert left_out["why"].startswith("other prompts, load, retries or quota")


def test_a_real_run_is_judged_by_what_earlier_real_runs_measured(
    harness: Any, command: Any, upgrade: Any, tmp_path: Path
) -> None:
    """Six copies of one run of the command, a day apart, their latencies moved a little; the seventh as it was."""
    results = tmp_path / "results"
    for i in range(7):
        run = RunFolder(Path(shutil.copytree(upgrade.run, results / f"night-{i}")))
        manifest = run.read_manifest()
        later = manifest.origin_utc_ns - (6 - i) * 86_400_000_000_000
        run.write_manifest(msgspec.structs.replace(manifest, run_id=f"night-{i}", origin_utc_ns=later))
        _shift(run, 1 + 0.01 * ((i * 5) % 7 - 3))
    done = command("gate", "night-6", "--against", "history")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert "✗ worse" not in done.stdout
    _shift(RunFolder(results / "night-6"), 2.0)
    done = command("gate", "night-6", "--against", "history")
    assert 1 == done.returncode, done.stdout + done.stderr


def _shift(run: RunFolder, factor: float) -> None:
    """Multiply every latency of a run's summary."""

    def moved(value: Any) -> Any:
        return None if value is None else value * factor

    summary = msgspec.json.decode(run.summary_path.read_bytes(), type=RunSummary)
    targets = []
    for t in summary.targets:
        latencies = {}
        for field in ("ttft_s", "e2e_s"):
            q = getattr(t, field)
            if q is not None:
                latencies[field] = msgspec.structs.replace(
                    q,
                    **{
                        name: msgspec.structs.replace(getattr(q, name), value=moved(getattr(q, name).value))
                        for name in ("p50", "p90", "p95", "p99")
                    },
                )
        targets.append(msgspec.structs.replace(t, **latencies))
    write_summary(run.summary_path, msgspec.structs.replace(summary, targets=targets))
