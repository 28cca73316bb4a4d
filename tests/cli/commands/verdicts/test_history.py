"""`harness history`: a table, JSON, files, and clear errors for what does not exist."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.commands.verdicts.history import history
from harness.cli.options import parse_when
from harness.cli.places import Place
from harness.errors import HarnessError
from harness.store.run_folder import RunFolder

PastRuns = Callable[..., list[RunFolder]]


@pytest.fixture
def results(tmp_path: Path, past_runs: PastRuns) -> Path:
    past_runs(tmp_path, 16, slower_from=8)
    return tmp_path


def test_a_table_a_change_and_what_differed(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(Place(results))
    out = capsys.readouterr().out
    assert "SIMULATED" in out
    assert "what differed: aiobotocore 2.25.1 → 2.26.0" in out


def test_json_holds_every_point_and_change(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(Place(results), metric=["ttft_p95"], target=["claude-sonnet-4-6/us/converse"], json_output=True)
    (suite,) = json.loads(capsys.readouterr().out)["suites"]
    (trend,) = suite["trends"]
    assert 16 == len(trend["points"])
    assert ["aiobotocore 2.25.1 → 2.26.0"] == trend["shifts"][0]["differed"]


def test_a_broken_folder_is_a_warning(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "broken").mkdir()
    (results / "broken" / "manifest.json").write_text("{")
    history(Place(results))
    assert "warning: left out: " in capsys.readouterr().err


def test_the_page_is_written_to_the_given_path(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(Place(results), out=results / "h.html")
    assert f"Report: {results / 'h.html'}" in capsys.readouterr().out.replace("\n", "")
    assert (results / "h.html").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": ["ttft"]}, "--metric 'ttft': unknown .known: pass_rate, ttft_p50,"),
        ({"suite": "daily"}, "no run matches --suite and --since .known suites: nightly."),
        ({"since": parse_when("2099-01-01")}, "no run matches --suite and --since"),
    ],
)
def test_what_does_not_exist_is_an_error(results: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        history(Place(results), **options)  # type: ignore[arg-type]


def test_a_folder_without_runs_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="holds no readable runs; make one with `harness run SUITE"):
        history(Place(tmp_path))


def test_the_last_days_are_counted_from_now(results: Path) -> None:
    history(Place(results), since=parse_when("10000d"))
    with pytest.raises(HarnessError, match="no run matches"):
        history(Place(results), since=parse_when("0d"))
