"""Paths, runs and buckets on the command line: other URLs are rejected before a folder of that name is created."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from harness.cli import COMMANDS
from harness.cli.places import Place, find_run, local_path, parse_results, parse_run
from harness.errors import HarnessError, StoreError
from harness.store.run_folder import RunFolder


def functions() -> list[Any]:
    """The functions of all commands and subcommands."""
    found = []
    for place in COMMANDS.values():
        module, name = place.split(":")
        command = getattr(import_module(module), name)
        below = command.registered_commands if isinstance(command, typer.Typer) else None
        found += [command] if below is None else [each.callback for each in below]
    return found


def test_every_path_option_and_argument_rejects_urls() -> None:
    paths = places = 0
    for function in functions():
        hints = get_type_hints(function, include_extras=True)
        for name in inspect.signature(function).parameters:
            kind, info, *_ = (*get_args(hints[name]), None, None)
            if kind in (Path, Path | None, list[Path] | None):
                paths += 1
                assert info.parser in (local_path, find_run), f"{function.__name__}: {name}"
            if kind in (Place, Place | None, list[Place] | None):
                places += 1
                assert info.parser in (parse_results, parse_run), f"{function.__name__}: {name}"
    assert paths > 15
    assert places > 10


@pytest.mark.parametrize("written", ["gs://b", "http://host/x", "abfss://c@a/x"])
def test_a_url_is_not_a_path(written: str) -> None:
    with pytest.raises(HarnessError, match="is not a path on this machine; use a local folder, and copy"):
        local_path(written)


@pytest.mark.parametrize("written", ["s3://bucket/x", "S3:/x"])
def test_an_address_of_a_bucket_is_answered_with_the_command_that_copies(written: str) -> None:
    with pytest.raises(HarnessError, match="is not a path on this machine; use a local folder; `harness sync` copies"):
        local_path(written)


@pytest.mark.parametrize("parse", [parse_results, parse_run])
def test_a_place_is_a_path_or_the_address_of_a_bucket(parse: Callable[[str], Place], tmp_path: Path) -> None:
    assert (tmp_path, False) == (Path(parse(str(tmp_path))), parse(str(tmp_path)).in_bucket)
    assert ("s3://bucket/a/b", True) == (parse("s3://bucket/a/b/"), parse("s3://bucket/a/b/").in_bucket)
    refused = {
        "gs://bucket/x": "is not a path on this machine",
        "s3:/x": "is not the address of a bucket; write s3://BUCKET",
        "s3://x": "is not the address of a bucket",
        "s3://bucket/../x": "choose another prefix",
    }
    for written, why in refused.items():
        with pytest.raises(HarnessError, match=why):
            parse(written)


def test_a_file_url_is_answered_with_what_to_write() -> None:
    with pytest.raises(HarnessError, match="leave out file://"):
        local_path("file:///tmp/x")


@pytest.mark.parametrize("written", ["results", "/tmp/a:b/c", "C:/results", "./s3:/x", "20261122T024500Z-s3-a1b2c3"])
def test_a_path_is_not_changed(written: str) -> None:
    assert Path(written) == local_path(written)


@pytest.mark.parametrize(
    "line",
    [
        "run tiny.yaml --quiet --out gs://bucket/x",
        "sweep tiny.yaml --quiet --slo-ttft 1s --out gs://bucket/x",
        "history gs://bucket/x",
        "history --out s3://bucket/x",
        "query DESCRIBE --results gs://bucket/x",
        "compare gs://bucket/x",
        "query DESCRIBE --run gs://bucket/x",
        "compare --out s3://bucket/x",
        "report gs://bucket/x",
        "reconcile gs://bucket/x",
        "gate gs://bucket/x",
        "gate --junit s3://bucket/x",
        "gate --markdown s3://bucket/x",
        "run --resume s3://bucket/x",
        "baseline set gs://bucket/x",
        "baseline show --results gs://bucket/x",
        "sync gs://bucket/x results",
        "sync results gs://bucket/x",
    ],
)
def test_a_command_rejects_a_url_and_creates_nothing(tmp_path: Path, suite: Path, command: Any, line: str) -> None:
    done = command(*line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"error: (gs|s3)://bucket/x: \1:// is not a path on this machine; ", done.stderr)
    assert [suite] == list(tmp_path.iterdir())


@pytest.fixture
def runs(past_runs: Callable[..., list[RunFolder]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Twelve runs under results/, `0000-nightly` to `0011-nightly`; their folders' names."""
    monkeypatch.chdir(tmp_path)
    return [run.path.name for run in past_runs(Path("results"), 12)]


def test_a_run_is_found_by_folder_id_prefix_or_latest(runs: list[str]) -> None:
    for written in ("results/0004-nightly", "0004-nightly", "0004", "./results/0004-nightly"):
        assert Path("results/0004-nightly") == find_run(written)
    assert Path("results/0011-nightly") == find_run("latest")
    Path("latest").mkdir()
    assert (Path("results/0011-nightly"), Path("latest")) == (find_run("latest"), find_run("./latest"))


def test_an_ambiguous_prefix_lists_some_of_its_runs(runs: list[str]) -> None:
    with pytest.raises(
        StoreError, match=r"001: matches the ids of 2 runs .* \(0011-nightly, 0010-nightly\); write more of the id"
    ):
        find_run("001")


def test_an_unknown_run_lists_the_runs_and_how_to_name_one(runs: list[str]) -> None:
    there = "0011-nightly, 0010-nightly, 0009-nightly, 0008-nightly, 0007-nightly and 7 more"
    with pytest.raises(StoreError) as caught:
        find_run("2026")
    given = "Give a folder, an id, its beginning, or `latest`"
    assert f"2026: no such run in results; it holds {there}. {given}" == str(caught.value)


def test_without_runs_the_error_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for written in ("2026", "latest"):
        with pytest.raises(StoreError, match=r"holds no runs; `harness run SUITE.*` makes one"):
            find_run(written)


def test_an_unreadable_run_is_not_the_latest(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("results/0011-nightly/manifest.json").write_text("{")
    assert Path("results/0010-nightly") == find_run("latest")
    assert "warning: left out: results/0011-nightly/manifest.json: not a manifest" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["compare", "compare latest", "gate", "report", "reconcile", "baseline set"])
def test_every_command_that_takes_a_run_lists_the_runs(runs: list[str], command: Any, line: str) -> None:
    done = command(*line.split(), "2026")
    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("error: 2026: no such run in results; it holds 0011-nightly, ")


def test_a_query_reads_only_the_given_runs(finished: Any, command: Any) -> None:
    asked = ("query", "SELECT DISTINCT run_id FROM attempts", "--json")
    folder = finished.folder
    assert [{"run_id": folder.name}] == json.loads(command(*asked, "--run", folder).stdout)
    assert "2026: no such run in results" in command(*asked, "--run", folder, "--run", "2026").stderr
