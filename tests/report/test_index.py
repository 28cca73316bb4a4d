"""The list of all runs: what it shows, what it links to, and what hostile folders cannot do to it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from harness.analysis.run_list import RULES, Known, read_known, read_run_list
from harness.report.index import CACHE, FILE, index_report, write_index
from harness.report.wording import write_cell
from harness.store.run_folder import RunFolder

EXAMPLE = Path(__file__).parents[2] / "results" / "example"
Past = Callable[..., list[RunFolder]]


def rows(results: Path) -> list[list[str]]:
    (section, *_) = index_report("results", read_run_list(results).runs).sections
    assert section.table is not None
    return [[write_cell(cell) for cell in row] for row in section.table.rows]


def links(results: Path) -> list[str]:
    return [unescape(each) for each in re.findall(r'href="(\./[^"]*)"', (results / FILE).read_text())]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder that holds the example run, with a comparison."""
    run = tmp_path / "results" / "20260101T000000Z-example-abcdef"
    shutil.copytree(EXAMPLE, run)
    for page in ("report.html", "compare.html"):
        (run / page).touch()
    (run / "compare.json").write_text(json.dumps({"verdict": "no_worse", "valid": True, "comparisons": []}))
    return tmp_path / "results"


def test_each_run_is_a_row_with_its_verdict_and_links(results: Path) -> None:
    run = json.loads((EXAMPLE / "summary.json").read_text())
    ((name, suite, started, state, verdict, rate, leader, targets, cost, endpoint),) = rows(results)
    assert ("20260101T000000Z-example-abcdef", "quickstart", "complete") == (name, suite, state)
    assert run["started_utc"] == started.replace(" ", "T") + "Z"
    assert ("no worse", "97.5%", "too close to call", "4", "SIMULATED") == (verdict, rate, leader, targets, endpoint)
    assert cost.startswith("$")
    write_index(results, create=True)
    assert [f"./{name}/report.html", f"./{name}/compare.html"] == links(results)


def test_without_a_comparison_the_verdict_is_that_of_the_runs_own_report(results: Path) -> None:
    (run,) = results.glob("*/")
    for name in ("compare.html", "compare.json"):
        (run / name).unlink()
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(
        json.dumps({**summary, "verdicts": [{"verdict": "worse"}, {"verdict": "better"}]})
    )
    assert "worse" == rows(results)[0][4]
    write_index(results, create=True)
    assert [f"./{run.name}/report.html"] * 2 == links(results)


def test_the_latest_run_comes_first_and_its_state_is_told(results: Path, past_runs: Past) -> None:
    invalid = {"what": "the client was the bottleneck", "remedy": "use workers", "invalidates": True}
    runs = past_runs(results, 3, changes=lambda i: {"state": ["complete", "interrupted", "running"][i]})
    summary = json.loads(runs[0].summary_path.read_text())
    runs[0].summary_path.write_text(json.dumps({**summary, "findings": [invalid]}))
    states = {row[0]: row[3] for row in rows(results)}
    assert ["running", "interrupted", "invalid"] == [states[run.path.name] for run in reversed(runs)]
    started = [row[2] for row in rows(results)]
    assert sorted(started, reverse=True) == started


def test_a_sweep_links_to_its_report(results: Path) -> None:
    (run,) = results.glob("*/")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "kind": "sweep"}))
    for page in run.glob("*.html"):
        page.unlink()
    (run / "sweep.md").touch()
    write_index(results, create=True)
    assert "sweep, complete" == rows(results)[0][3]
    assert [f"./{run.name}/sweep.md"] == links(results)


@pytest.mark.parametrize("name", ['"><script>alert(1)<', "javascript:alert(1)", "a&b?c#d%2e", "…\udcff", "<b>\n\u202e"])
def test_links_stay_inside_the_folder_whatever_its_name(results: Path, name: str) -> None:
    (run,) = results.glob("*/")
    run.rename(results / name)
    write_index(results, create=True)
    page = (results / FILE).read_text()
    for link in links(results):
        assert re.fullmatch(r"\./[\w.~%-]+/(report|compare)\.html", link)
    assert "<script>alert" not in page
    assert "\u202e" not in page


def test_what_cannot_be_read_is_named_and_the_rest_is_listed(results: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "elsewhere")
    (results / "linked").symlink_to(tmp_path / "elsewhere")
    for name, content in (("broken", "{"), ("other", '{"suite": 1}'), ("deep", "[" * 100_000)):
        (results / name).mkdir()
        (results / name / "manifest.json").write_text(content)
    (results / "pipe").mkdir()
    os.mkfifo(results / "pipe" / "manifest.json")
    (results / "link").mkdir()
    (results / "link" / "manifest.json").symlink_to(EXAMPLE / "manifest.json")
    (results / "no-run").mkdir()
    listed = read_run_list(results)
    assert ["20260101T000000Z-example-abcdef"] == [run.folder for run in listed.runs]
    assert ["broken", "deep", "link", "other", "pipe"] == [message.partition(":")[0] for message in listed.unreadable]
    write_index(results, create=True)
    assert "link: it is a symbolic link" in (results / FILE).read_text()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("summary.json", "{"),
        ("summary.json", '{"targets": 3}'),
        ("compare.json", '{"verdict": "<b>", "valid": true}'),
        ("compare.json", '{"verdict": "worse", "valid": false}'),
    ],
)
def test_a_run_with_other_unreadable_files_is_listed_without_them(results: Path, file: str, content: str) -> None:
    (run,) = results.glob("*/")
    (run / file).write_text(content)
    ((*_, verdict, rate, _, _, _, _),) = rows(results)
    assert ("–" if file == "summary.json" else "97.5%") == rate
    assert ("no worse" if file == "summary.json" else "comparison") == verdict


def test_impossible_figures_are_left_out(results: Path) -> None:
    (run,) = results.glob("*/")
    summary = {"targets": [{"pass_rate": {"value": 3}}], "total_cost_usd": -1e300}
    (run / "summary.json").write_text(json.dumps(summary))
    ((*_, rate, _, _, cost, _),) = rows(results)
    assert ("–", "–") == (rate, cost)


def test_only_changed_runs_are_read_again(results: Path, past_runs: Past) -> None:
    first, second = past_runs(results, 2)
    write_index(results, create=True)
    known = read_known(results / CACHE)
    os.truncate(first.manifest_path, 0)
    os.utime(first.manifest_path, ns=(known[first.path.name].stamps[0],) * 2)
    second.write_manifest(second.read_manifest())
    listed = read_run_list(results, known)
    assert {first.path.name} == {message.partition(":")[0] for message in listed.unreadable}  # its size has changed
    (run,) = [each for each in known if "example" in each]
    hidden = results / run / "summary.json"
    content, stamp = hidden.read_bytes(), hidden.stat().st_mtime_ns
    hidden.write_bytes(b" " * len(content))
    os.utime(hidden, ns=(stamp, stamp))
    assert known[run].run in read_run_list(results, known).runs


def test_what_was_read_by_other_rules_is_read_again(results: Path) -> None:
    write_index(results, create=True)
    ((name, known),) = read_known(results / CACHE).items()
    wrong = replace(known.run, suite="wrong")
    assert [wrong] == read_run_list(results, {name: Known(known.stamps, wrong)}).runs
    before = known.stamps[:-1]
    for stamps in ((*before, RULES + 1), before):
        assert [known.run] == read_run_list(results, {name: Known(stamps, wrong)}).runs


@pytest.mark.parametrize("content", [b"{", b'{"x": {"stamps": [], "run": {"folder": ".."}}}', b"\xff"])
def test_a_damaged_cache_is_made_again(results: Path, content: bytes) -> None:
    (results / CACHE).write_bytes(content)
    assert write_index(results, create=True) == results / FILE
    assert 1 == len(read_known(results / CACHE))


def test_a_cache_of_somebody_else_cannot_lead_out_of_the_folder(results: Path) -> None:
    write_index(results, create=True)
    text = (results / CACHE).read_text().replace('"folder":"20260101T000000Z-example-abcdef"', '"folder":".."')
    (results / CACHE).write_text(text)
    write_index(results, create=True)
    assert ["./20260101T000000Z-example-abcdef/report.html"] == links(results)[:1]


def test_somebody_elses_page_is_never_overwritten(results: Path, tmp_path: Path) -> None:
    assert write_index(results, create=False) is None
    for own in ("<h1>mine</h1>" * 9, ""):
        (results / FILE).write_text(own)
        assert write_index(results, create=True) is None
        assert own == (results / FILE).read_text()
    (results / FILE).unlink()
    (tmp_path / "page").write_text("mine")
    (results / FILE).symlink_to(tmp_path / "page")
    assert write_index(results, create=True) is None
    assert "mine" == (tmp_path / "page").read_text()


def test_writers_at_the_same_time_leave_a_whole_index(results: Path, past_runs: Past) -> None:
    past_runs(results, 20)
    with ThreadPoolExecutor(4) as pool:
        assert {results / FILE} == set(pool.map(lambda _: write_index(results, create=True), range(8)))
    page = (results / FILE).read_text()
    assert all(run.name in page for run in results.glob("*/"))
    assert {FILE, CACHE} == {path.name for path in results.iterdir() if path.is_file()}


def test_a_page_of_runs_at_aws_is_not_marked_as_simulated(tmp_path: Path, past_runs: Past) -> None:
    def elsewhere(i: int) -> dict[str, Any]:
        return {"simulated": i == 0, "endpoint": "aws"}

    past_runs(tmp_path / "results", 2, changes=elsewhere)
    report = index_report("results", read_run_list(tmp_path / "results").runs)
    assert not report.simulated
    assert ["aws", "SIMULATED"] == [row[-1] for row in rows(tmp_path / "results")]
