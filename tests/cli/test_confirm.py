"""The second look, before anything is sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.analysis.comparison import Arm, CompareReport, Comparison, Difference
from harness.cli.confirm import Rerun, confirm_by_rerun
from harness.cli.sides import Sides
from harness.errors import HarnessError
from harness.store.manifest import new_manifest
from harness.store.run_folder import RunFolder, create_run
from harness.suite.freeze import freeze_suite
from harness.suite.loader import load_suite

PDF = Path(__file__).parents[2] / "suites" / "pdf.yaml"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of a suite whose prompts carry documents."""
    suite = load_suite(PDF)
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=None)
    return create_run(tmp_path, manifest, freeze_suite(suite))


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


def test_documents_are_kept_by_digest_so_that_the_suite_must_be_named(run: RunFolder) -> None:
    with pytest.raises(HarnessError, match="name the suite to ask again: --confirm --suite FILE"):
        confirm_by_rerun(worse(run), Sides(run=run), Rerun())
    assert not (run.path / "confirm").exists()


def test_what_a_second_look_costs_is_told_before_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    suite = load_suite(PDF.with_name("quickstart.yaml"))
    manifest = new_manifest(suite, endpoint="aws", simulated=False, seed=1, planned=None)
    run = create_run(tmp_path, manifest, freeze_suite(suite))
    with pytest.raises(HarnessError, match="credentials"):
        confirm_by_rerun(worse(run), Sides(run=run), Rerun(budget_usd=2))
    told = capsys.readouterr().err
    assert "confirming pass_rate: 84 more requests to aws for up to about $" in told
    assert ", budget $2" in told


def test_another_suite_is_not_asked_instead(run: RunFolder) -> None:
    with pytest.raises(HarnessError, match="is not the suite that was run"):
        confirm_by_rerun(worse(run), Sides(run=run), Rerun(suite_file=PDF.with_name("quickstart.yaml")))
    assert not (run.path / "confirm").exists()
