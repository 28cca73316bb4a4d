"""`harness.open_run`: a stored run as rows, numbers, figures and HTML."""

from __future__ import annotations

import gc
import html
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

import harness
from harness.analysis.summary.summary import RunSummary


class Elements(HTMLParser):
    """The names of all elements, and everything else that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


class Stream:
    """Arrow's stream of a relation, as Polars sees it."""

    def __init__(self, relation: Any) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self._relation.__arrow_c_stream__(schema)


def parsed(fragment: str) -> Elements:
    elements = Elements()
    elements.feed(fragment)
    return elements


@pytest.fixture
def run(here: Path) -> harness.Run:
    return harness.open_run()


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_is_found_as_on_the_command_line(here: Path) -> None:
    folder = here / "results" / "20260101T000000Z-example-abcdef"
    for name in ("latest", "20260101T", str(folder), folder):
        assert folder == harness.open_run(name).path.resolve()


def test_a_run_that_cannot_be_read_is_a_harness_error(here: Path) -> None:
    with pytest.raises(harness.StoreError, match="nothing: no such run"):
        harness.open_run("nothing")
    rewrite(here / "results" / "20260101T000000Z-example-abcdef" / "manifest.json", state="running")
    with pytest.raises(harness.StoreError, match=r"was killed before it ended; `harness report .*` finishes it"):
        harness.open_run()


def test_rows_are_relations_that_pandas_and_arrow_can_take(run: harness.Run) -> None:
    assert 168 == len(run.requests().df()) == len(run.attempts().df())
    assert {"run_id", "request_id", "scorer", "value", "passed", "reason", "cost_usd"} == set(run.scores().columns)
    assert [(160,)] == duckdb.from_arrow(Stream(run.scores())).count("*").fetchall()
    ((count,),) = run.requests().filter("phase = 'measure'").count("*").fetchall()
    assert 160 == count


def test_a_relation_outlives_its_run(here: Path) -> None:
    requests = harness.open_run().requests()
    gc.collect()
    assert 168 == len(requests.fetchall())


def test_a_run_without_scores_has_no_rows_of_them(here: Path) -> None:
    (here / "results" / "20260101T000000Z-example-abcdef" / "scores.parquet").unlink()
    assert [] == harness.open_run().scores().fetchall()


def test_rows_can_neither_be_written_nor_lead_to_other_files(run: harness.Run, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    requests = run.requests()
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        requests.write_csv(str(tmp_path / "out.csv"))
    with pytest.raises(duckdb.Error, match="disabled by configuration"):
        requests.query("r", f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')").fetchall()
    assert not (tmp_path / "out.csv").exists()


def test_summary_manifest_and_suite_are_those_of_the_folder(run: harness.Run) -> None:
    assert msgspec.json.decode((run.path / "summary.json").read_bytes(), type=RunSummary) == run.summary
    assert ("quickstart", "complete", True) == (run.suite.name, run.manifest.state, run.valid)


def test_a_missing_summary_says_how_to_make_it(run: harness.Run) -> None:
    (run.path / "summary.json").unlink()
    with pytest.raises(harness.StoreError, match="create it with `harness report"):
        run.summary  # noqa: B018


def test_targets_are_compared_with_a_baseline(run: harness.Run) -> None:
    chosen = "claude-haiku-4-5/us/invoke"
    report = run.compare(baseline=chosen, candidates=["claude-sonnet-4-6/us/converse"])
    ((baseline, candidate),) = [(c.baseline.target, c.candidate.target) for c in report.comparisons]
    assert (chosen, "claude-sonnet-4-6/us/converse") == (baseline, candidate)
    assert len(run.suite.targets) - 1 == len(run.compare().comparisons)
    with pytest.raises(harness.CompareError, match="no such target"):
        run.compare(baseline="claude-haiku")


def test_a_run_is_compared_with_an_earlier_one(run: harness.Run, here: Path) -> None:
    later = here / "results" / "20270101T000000Z-example-abcdef"
    shutil.copytree(run.path, later)
    rewrite(later / "manifest.json", run_id=later.name)
    for earlier in (run, run.path, "20260101"):
        report = harness.open_run(later).compare(earlier)
        assert {(run.manifest.run_id, later.name)} == {
            (c.baseline.run_id, c.candidate.run_id) for c in report.comparisons
        }
    with pytest.raises(harness.CompareError, match="both sides are"):
        run.compare(run)


def test_a_figure_is_the_reports_own(run: harness.Run) -> None:
    picture = run.figure("quality_cost")
    png, facts = picture._repr_png_()
    assert picture.png == png
    assert png.startswith(b"\x89PNG")
    assert facts["alt"].startswith("SIMULATED: ")
    with pytest.raises(harness.HarnessError, match=r"did you mean 'quality_cost'\? Known: quality_cost, "):
        run.figure("quality_costs")


def test_a_figure_without_data_is_an_error(run: harness.Run) -> None:
    rewrite(run.path / "summary.json", targets=[])
    with pytest.raises(harness.HarnessError, match="has no data for it"):
        run.figure("errors")


def test_a_notebook_shows_the_short_report(run: harness.Run) -> None:
    shown = parsed(run._repr_html_())
    for text in ("SIMULATED", "claude-haiku-4-5/us/invoke", "97.5%", "Who leads"):
        assert text in shown.text
    assert "verdict" in parsed(run.compare()._repr_html_()).text
    assert f"Run({str(run.path)!r}, complete)" == repr(run)


def test_hostile_names_and_texts_are_shown_as_text(run: harness.Run) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="alert(1)">\u202e'
    stored = json.loads((run.path / "summary.json").read_text())
    targets = [{**target, "target": evil} for target in stored["targets"]]
    findings = [{"what": evil, "remedy": evil, "invalidates": True}]
    winners = [{**winner, "target": evil} for winner in stored["winners"]]
    rewrite(run.path / "summary.json", suite=evil, targets=targets, findings=findings, winners=winners)
    fragment = run._repr_html_()
    shown = parsed(fragment)
    assert not {"script", "img", "style", "link", "iframe"} & shown.tags
    assert {"style", "colspan"} >= shown.attributes
    assert "INVALID" in shown.text
    assert html.escape("<script>") in fragment
    assert "\u202e" not in fragment
