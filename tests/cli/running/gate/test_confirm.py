"""What `gate --confirm` does before it sends anything, and what remains if a rerun is impossible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from harness.analysis.compare.comparison import Arm, CompareReport, Comparison, Difference
from harness.cli.running.compare_runs import Sides
from harness.cli.running.gate.confirm import Rerun, confirm_by_rerun, plan_rerun
from harness.store.manifest import new_manifest
from harness.store.run_folder import RunFolder, create_run
from harness.suite.loader import load_suite
from harness.suite.suite import Load, Suite

PDF = Path(__file__).parents[4] / "suites" / "pdf.yaml"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of a suite whose prompts have documents."""
    suite = load_suite(PDF)
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None)
    return create_run(tmp_path, manifest, suite)


def worse(run: RunFolder) -> CompareReport:
    """Its second target is worse than its first."""
    arms = [
        Arm(run_id="r", target=target.name, model_id=target.model_id, routing=target.routing, api=target.api,
            client=target.client, region=target.region, requests=9, failed=0)
        for target in run.read_manifest().targets[:2]
    ]  # fmt: skip
    fell = Difference(metric="pass_rate", scale="points", unit="share", baseline=1.0, candidate=0.5, verdict="worse",
                      margin=0.05, margin_written="5pp")  # fmt: skip
    comparison = Comparison(baseline=arms[0], candidate=arms[1], verdict="worse", differences=(fell,), prompts=9)
    return CompareReport(suite="pdf", suite_digest="d", simulated=True, level=0.95, comparisons=(comparison,),
                         verdict="worse", family=1)  # fmt: skip


class Kept(list[CompareReport]):
    """The reports that were written, in order."""

    @property
    def reasons(self) -> list[str]:
        return [finding.what for report in self for finding in report.findings]


def confirm(run: RunFolder, how: Rerun, kept: Kept) -> tuple[CompareReport, bool]:
    sides = Sides(run=run)
    return confirm_by_rerun(worse(run), sides, plan_rerun(sides, how), how, kept.append)


def test_documents_are_stored_by_digest_so_the_suite_file_is_needed(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    report, _ = confirm(run, Rerun(), kept := Kept())
    assert (
        "the gate could not confirm `worse`: the run stores only digests of the suite's files"
        in capsys.readouterr().err
    )
    assert ("worse", [report]) == (report.verdict, kept)
    assert not (run.path / "confirm").exists()


def test_documents_are_found_beside_the_suite_file(run: RunFolder) -> None:
    plan = plan_rerun(Sides(run=run), Rerun(suite_file=PDF))
    assert isinstance(plan, Suite)
    assert load_suite(PDF).prompts == plan.prompts


def test_a_document_that_differs_from_the_runs_is_not_sent(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {document.name for prompt in load_suite(PDF).prompts for document in prompt.documents}
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((PDF.parent / name).read_bytes() + b"\n")
    report, _ = confirm(run, Rerun(suite_file=tmp_path / "pdf.yaml"), Kept())
    assert "worse" == report.verdict
    assert "has changed since the run" in capsys.readouterr().err
    assert not (run.path / "confirm").exists()


def test_a_suite_that_cannot_be_stored_is_reported_before_anything_is_sent(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_rerun(Sides(run=run), Rerun(suite_file=PDF))
    assert isinstance(plan, Suite)
    broken = replace(plan, load=Load(arrival="constant", requests=9))  # neither rate nor rates
    report, _ = confirm_by_rerun(worse(run), Sides(run=run), broken, Rerun(), (kept := Kept()).append)
    assert "needs 'rate'" in capsys.readouterr().err
    assert ("worse", kept[-1]) == (report.verdict, report)
    assert not (run.path / "confirm").exists()


def test_the_cost_of_a_rerun_is_printed_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    suite = load_suite(PDF.with_name("quickstart.yaml"))
    manifest = new_manifest(suite, endpoint="aws", simulated=False, seed=1, planned=None)
    run = create_run(tmp_path, manifest, suite)
    report, interrupted = confirm(run, Rerun(budget_usd=2.0), kept := Kept())
    err = capsys.readouterr().err
    assert "confirming pass_rate: 84 more requests to aws for up to about $" in err
    assert ", budget $2" in err
    assert ("worse", False, kept[-1]) == (report.verdict, interrupted, report)
    before, after = kept.reasons
    assert "had not finished when this was written" in before
    assert "credentials" in after
