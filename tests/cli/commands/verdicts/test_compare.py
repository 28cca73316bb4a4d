"""Verdicts end to end: a run on the embedded Bedrock whose models differ by a file of profiles."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.analysis.compare.comparison import CompareReport, Comparison
from harness.store.run_folder import RunFolder
from harness.suite.suite import Graders, Judge


def decode(text: str) -> CompareReport:
    return msgspec.json.decode(text, type=CompareReport)


def candidate(report: CompareReport, name: str) -> Comparison:
    (found,) = [c for c in report.comparisons if c.candidate.target == name]
    return found


def verdicts(c: Comparison) -> dict[str, str]:
    return {d.metric: d.verdict for d in c.differences if not d.exploratory}


def test_each_known_difference_is_found_and_no_other(compared: Any) -> None:
    report = decode(compared.json)
    assert (True, True, "worse") == (report.valid, report.simulated, report.verdict)
    assert ["same", "dull", "slow", "wordy"] == [c.candidate.target for c in report.comparisons]
    assert "worse" not in verdicts(candidate(report, "same")).values()
    assert "worse" == verdicts(candidate(report, "dull"))["pass_rate"]
    assert "worse" == verdicts(candidate(report, "slow"))["ttft_p50"]
    assert "worse" == verdicts(candidate(report, "wordy"))["cost_per_request"]
    for name, metric in (("dull", "cost_per_request"), ("slow", "pass_rate")):
        assert "worse" != verdicts(candidate(report, name))[metric]


def test_the_same_model_gives_the_same_answers_so_nothing_flips(compared: Any) -> None:
    same = candidate(decode(compared.json), "same")
    assert () == same.flips
    assert ("no_worse", "no_worse") == (verdicts(same)["pass_rate"], verdicts(same)["cost_per_request"])


def test_longer_answers_are_reported_as_token_drift(compared: Any) -> None:
    drift = candidate(decode(compared.json), "wordy").drift
    assert 3.5 < (drift.output_token_ratio or 0) < 4.5
    assert 0.99 < (drift.price_ratio or 0) < 1.01
    assert "token" in drift.summary
    assert drift.summary.removeprefix("cost ") in compared.stdout


def test_flips_have_both_answers(compared: Any) -> None:
    flips = candidate(decode(compared.json), "dull").flips
    fell = [flip for flip in flips if flip.direction == "worse"]
    assert len(fell) > 10
    for flip in fell:
        assert flip.baseline_answer != flip.candidate_answer
        assert flip.reason


def test_the_terminal_and_every_file_show_it(compared: Any) -> None:
    first, *rest = compared.stdout.splitlines()
    assert "SIMULATED: answered by a stand-in on this machine, not by Amazon Bedrock" == first
    assert any(line.startswith("✗ worse: dull is worse than old on pass rate: −") for line in rest)
    assert rest[-1].endswith("compare.html")
    for name in ("compare.html", "compare.md", "compare.json", "plots/forest.png", "plots/forest.svg"):
        assert (compared.run / name).stat().st_size > 0
        assert (compared.folder / "elsewhere" / name).stat().st_size > 0
    assert "SIMULATED" in (compared.run / "compare.html").read_text()
    assert decode((compared.run / "compare.json").read_text()) == decode(compared.json)


def test_two_runs_of_one_suite_are_compared_target_by_target(command: Any, upgrade: Any, again: Path) -> None:
    done = command("compare", upgrade.run, again, "--candidate", "old", "--candidate", "dull", "--json")
    assert (0, "") == (done.returncode, done.stderr)
    sides = [(c.baseline.target, c.baseline.run_id, c.candidate.run_id) for c in decode(done.stdout).comparisons]
    assert [(name, upgrade.run.name, again.name) for name in ("old", "dull")] == sides


@pytest.mark.parametrize(("earlier", "time"), [(4, "unknown"), (5, "counted")])
def test_two_runs_count_how_much_five_earlier_ones_differ(
    command: Any, upgrade: Any, again: Path, earlier: int, time: str
) -> None:
    manifest = json.loads((upgrade.run / "manifest.json").read_text())
    for night in range(1, earlier + 1):
        folder = again.parent / f"night-{night}"
        folder.mkdir()
        shutil.copy(upgrade.run / "summary.json", folder)
        origin = manifest["origin_utc_ns"] - night
        (folder / "manifest.json").write_text(json.dumps({**manifest, "run_id": folder.name, "origin_utc_ns": origin}))
    done = command("compare", upgrade.run, again, "--candidate", "old", "--json")
    c = candidate(decode(done.stdout), "old")
    found = {d.metric: d.between_runs and d.between_runs.runs for d in c.differences if not d.exploratory}
    assert {"pass_rate": None, "error_rate": earlier, "ttft_p50": earlier, "cost_per_request": None} == found
    (ttft,) = (d for d in c.differences if d.metric == "ttft_p50")
    assert (time, time == "counted") == (c.time, ttft.low is not None)
    page, text = ((again / name).read_text() for name in ("compare.html", "compare.md"))
    told = (
        f"{'two runs; intervals count the spread of' if time == 'counted' else 'two runs at two times, and'} {earlier}"
    )
    assert told in page
    assert told in text


def test_a_target_of_another_run_can_be_the_baseline(command: Any, upgrade: Any, again: Path) -> None:
    done = command("compare", upgrade.run, again, "--baseline", "old", "--candidate", "dull")
    assert f"✗ worse: dull (run {again.name}) is worse than old (run {upgrade.run.name}) on pass rate: −" in done.stdout


def test_different_suites_are_rejected_by_name(command: Any, upgrade: Any, finished: Any) -> None:
    done = command("compare", finished.folder, upgrade.run, "--baseline", "whole", "--candidate", "old")
    assert 2 == done.returncode
    assert "tiny" in done.stderr
    assert "upgrade" in done.stderr
    assert "Traceback" not in done.stderr


MISTAKES = {
    "no run": (["compare", "2099"], "2099: no such run"),
    "no runs at all": (["compare"], "holds no runs"),
    "a target that the run has not": (["compare", "RUN", "--baseline", "odl"], "did you mean 'old'?"),
    "a candidate that the run has not": (["compare", "RUN", "--candidate", "dul"], "did you mean 'dull'?"),
    "the baseline alone": (["compare", "RUN", "--candidate", "old"], "the baseline is the only target"),
    "a run against itself": (["compare", "RUN", "RUN"], "both sides are"),
    "a gate on nothing": (["gate", "RUN", "--baseline", "slwo"], "did you mean 'slow'?"),
    "a baseline that is no run": (["baseline", "set", "nowhere"], "nowhere: no such run"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_says_how_to_fix_it(command: Any, upgrade: Any, what: str) -> None:
    arguments, message = MISTAKES[what]
    done = command(*(upgrade.run if each == "RUN" else each for each in arguments))
    assert 2 == done.returncode
    assert message in done.stderr
    assert "" == done.stdout
    assert "Traceback" not in done.stderr


def test_without_a_baseline_the_error_says_how_to_set_one(command: Any, finished: Any) -> None:
    done = command("compare", finished.folder)
    assert 2 == done.returncode
    assert "no baseline: name one with --baseline" in done.stderr
    assert "claude-haiku-4-5/global/converse" in done.stderr
    done = command("gate", finished.folder)
    assert 2 == done.returncode
    assert "has no baseline; name a target or a run with --baseline, set one with `harness baseline set`" in done.stderr
    assert "baseline: the suite's" not in done.stderr


def test_json_is_only_the_report(compared: Any) -> None:
    assert "upgrade" == json.loads(compared.json)["suite"]


def test_earlier_runs_say_how_many_prompts_an_unchanged_model_changes(
    command: Any, upgrade: Any, tmp_path: Path
) -> None:
    """Nothing was asked twice in this run; the run before it answered alike."""
    alone = json.loads(command("compare", upgrade.run, "--candidate", "dull", "--json").stdout)["comparisons"][0]
    assert (None, "") == (alone["expected_changes"], alone["expected_from"])
    for night in (0, 1):
        run = RunFolder(Path(shutil.copytree(upgrade.run, tmp_path / "results" / f"night-{night}")))
        manifest = run.read_manifest()
        later = manifest.origin_utc_ns + night * 86_400_000_000_000
        run.write_manifest(msgspec.structs.replace(manifest, run_id=f"night-{night}", origin_utc_ns=later))
    done = command("compare", "night-1", "--candidate", "dull")
    assert "an unchanged model would change hardly any (from 1 pair of earlier runs)" in done.stdout
    cut = tmp_path / "results" / "night-0" / "attempts.parquet"
    cut.write_bytes(cut.read_bytes()[:1000])
    done = command("compare", "night-1", "--candidate", "dull")
    assert (0, "") == (done.returncode, done.stderr)
    assert "of earlier runs" not in done.stdout


def test_the_runs_own_report_begins_with_the_verdict_on_each_target(command: Any, upgrade: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name))
    done = command("report", run)
    assert (0, "") == (done.returncode, done.stderr)
    report = decode(command("compare", run, "--json", "--out", tmp_path / "other").stdout)
    told = json.loads((run / "summary.json").read_text())["verdicts"]
    expected = {c.candidate.target: c.verdict for c in report.comparisons}
    assert expected == {each["target"]: each["verdict"] for each in told}
    assert "worse" == told[0]["verdict"]
    text = (run / "report.md").read_text()
    assert text.index("## Verdict") < text.index("## Who leads") < text.index("## Against the baseline")
    assert "Verdict\n4 targets against old: " in done.stdout
    assert "This is not a gate: harness gate exits with the verdict." in done.stdout


def test_an_invalid_run_has_no_verdict_and_says_why(command: Any, upgrade: Any, tmp_path: Path) -> None:
    run = Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name))
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "state": "interrupted"}))
    assert 4 == command("report", run).returncode
    summary = json.loads((run / "summary.json").read_text())
    assert ([], "an invalid run decides nothing") == (summary["verdicts"], summary["no_verdict"])
    assert "- **no verdict**: an invalid run decides nothing" in (run / "report.md").read_text()


def test_a_judge_among_the_targets_leaves_the_report_without_a_verdict(
    command: Any, upgrade: Any, tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name)))
    suite = run.read_suite()
    judge = Judge(name="strict", target=msgspec.structs.replace(suite.targets[0], name="strict"))
    run.write_suite(msgspec.structs.replace(suite, graders=Graders(judges=(judge,))))
    assert 0 == command("report", run.path).returncode
    told = json.loads((run.path / "summary.json").read_text())["no_verdict"]
    assert "uses the same model as judge 'strict' and cannot be compared" in told


def test_the_compare_page_has_the_questions_and_every_answer_changed_prompts_first(compared: Any) -> None:
    page = (compared.folder / "elsewhere" / "compare.html").read_text()
    book = json.loads(page.split('id="book">')[1].split("</script>")[0])
    changed = [prompt.get("flip") for prompt in book["prompts"]]
    assert sorted(changed, key=("worse", "better", None).index) == changed
    assert "worse" == changed[0]
    assert {"old", "same", "dull", "slow", "wordy"} == {arm["target"] for arm in book["arms"]}
    assert "What is" in book["prompts"][0]["turns"][-1]["text"]
