"""`harness sync`: copies what is new or changed, either way, and never loses what the destination has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.store.baselines import read_baselines, set_baseline
from harness.store.files import one_writer
from harness.store.run_folder import RunFolder
from tests.s3 import ADDRESS, S3

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(harness: Command, s3: S3, tmp_path: Path) -> Command:
    return lambda *line, **more: harness(*line, **{**s3.environment(tmp_path), **more})


@pytest.fixture
def runs(past_runs: Callable[..., list[RunFolder]], tmp_path: Path) -> list[RunFolder]:
    """Three runs in results/."""
    return past_runs(tmp_path / "results", 3)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the runs in a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent != folder
    }


def change_manifest(run: RunFolder, **changes: object) -> None:
    text = json.loads(run.manifest_path.read_text())
    run.manifest_path.write_text(json.dumps({**text, **changes}))


def test_runs_go_to_a_bucket_and_come_back_the_same(runs: list[RunFolder], command: Command, tmp_path: Path) -> None:
    done = command("sync", "results", ADDRESS)
    assert (0, "") == (done.returncode, done.stderr)
    assert ["copied 0000-nightly: 2 files, 0.0 MB", "copied 3 runs, 0 unchanged"] == done.stdout.splitlines()[::3]
    assert "copied 0 runs, 3 unchanged\n" == command("sync", "results", ADDRESS).stdout
    assert "copied 3 runs, 0 unchanged" in command("sync", ADDRESS, "copy").stdout
    assert contents(tmp_path / "results") == contents(tmp_path / "copy")
    assert "copied 0 runs, 3 unchanged\n" == command("sync", ADDRESS, "copy").stdout
    assert 0o700 == (tmp_path / "copy").stat().st_mode & 0o777


def test_one_run_goes_and_comes(runs: list[RunFolder], command: Command, s3: S3, tmp_path: Path) -> None:
    assert 0 == command("sync", "results/0001-nightly", ADDRESS).returncode
    assert {"0001-nightly", "index.html"} == {name.partition("/")[0] for name in s3.names()}
    assert "copied 1 run, 0 unchanged" in command("sync", f"{ADDRESS}/0001-nightly", "copy").stdout
    assert {"manifest.json", "summary.json"} == {path.name for path in (tmp_path / "copy/0001-nightly").iterdir()}


def test_a_dry_run_copies_nothing(runs: list[RunFolder], command: Command, s3: S3, tmp_path: Path) -> None:
    assert "would copy 3 runs, 0 unchanged" in command("sync", "results", ADDRESS, "--dry-run").stdout
    assert [] == s3.names()
    command("sync", "results", ADDRESS)
    done = json.loads(command("sync", ADDRESS, "copy", "--dry-run", "--json").stdout)
    assert [2, 2, 2] == [each["files"] for each in done["runs"]]
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("places", "why"),
    [
        (("results", "copy"), "neither is in a bucket; one must be a folder here"),
        ((ADDRESS, "s3://other"), "both are in a bucket; one must be a folder here"),
        ((ADDRESS, "copy"), f"{ADDRESS}: holds no runs"),
        (("nothing", ADDRESS), "nothing: holds no runs; `harness run SUITE` makes one in results/"),
    ],
)
def test_bad_places_are_refused(command: Command, places: tuple[str, str], why: str) -> None:
    done = command("sync", *places)
    assert (2, "") == (done.returncode, done.stdout)
    assert why in done.stderr


def test_a_run_that_is_being_written_waits_for_the_next_time(runs: list[RunFolder], command: Command, s3: S3) -> None:
    with one_writer(runs[1].path):
        done = command("sync", "results", ADDRESS)
    assert (0, "copied 2 runs, 0 unchanged") == (done.returncode, done.stdout.splitlines()[-1])
    assert "0001-nightly: process" in done.stderr
    assert "is writing it; left for the next time" in done.stderr
    assert not any(name.startswith("0001") for name in s3.names())


def test_a_run_is_not_replaced_by_one_with_fewer_attempts(
    runs: list[RunFolder], command: Command, tmp_path: Path
) -> None:
    change_manifest(runs[0], attempts=100)
    command("sync", "results", ADDRESS)
    change_manifest(runs[0], attempts=580)
    done = command("sync", ADDRESS, "results")
    assert 5 == done.returncode
    assert f"left out: {ADDRESS}/0000-nightly: has 100 attempts, and results/0000-nightly has 580" in done.stderr
    assert "copied 0 runs, 2 unchanged, 1 left out\n" == done.stdout
    assert 580 == runs[0].read_manifest().attempts


def test_a_run_with_a_journal_is_not_replaced(runs: list[RunFolder], command: Command) -> None:
    command("sync", "results", ADDRESS)
    runs[0].journal_path().write_bytes(b"not yet in the bucket")
    change_manifest(runs[0], state="interrupted")
    done = command("sync", ADDRESS, "results")
    assert 5 == done.returncode
    assert "has a journal; left as it is. `harness report results/0000-nightly` finishes it" in done.stderr


def test_nothing_is_written_through_links_of_a_folder(runs: list[RunFolder], command: Command, tmp_path: Path) -> None:
    for run in runs:
        (run.path / "plots").mkdir()
        (run.path / "plots" / "errors.png").write_bytes(b"picture")
    command("sync", "results", ADDRESS)
    (tmp_path / "mine").mkdir()
    for name in ("0000-nightly", "0001-nightly"):
        (tmp_path / "copy" / name).mkdir(parents=True)
    (tmp_path / "copy/0000-nightly/plots").symlink_to(tmp_path / "mine")
    (tmp_path / "copy/0001-nightly/summary.json").symlink_to(tmp_path / "mine")
    done = command("sync", ADDRESS, "copy")
    assert 5 == done.returncode
    assert "plots: is a symbolic link, but results must stay inside the run folder; remove it" in done.stderr
    assert [] == list((tmp_path / "mine").iterdir())
    assert not (tmp_path / "copy/0001-nightly/summary.json").is_symlink()


def test_a_half_uploaded_run_is_left_out_of_a_download(runs: list[RunFolder], command: Command, s3: S3) -> None:
    command("sync", "results", ADDRESS)
    s3.delete("0002-nightly/manifest.json")
    done = command("sync", ADDRESS, "copy")
    assert (5, "copied 2 runs, 0 unchanged, 1 left out") == (done.returncode, done.stdout.splitlines()[-1])
    assert 0 == command("sync", "results", ADDRESS).returncode
    assert "copied 1 run, 2 unchanged" in command("sync", ADDRESS, "copy").stdout


def test_baselines_that_are_missing_are_copied_and_others_stay(
    runs: list[RunFolder], command: Command, s3: S3, tmp_path: Path
) -> None:
    set_baseline(runs[0])
    set_baseline(runs[1], name="release")
    s3.put("baselines.json", b'{"nightly": {"default": "another"}, "other": {"default": "run"}}')
    done = command("sync", "results", ADDRESS)
    told = "note: the baseline (default) of nightly stays another in the bucket; the source has 0000-nightly\n"
    assert (0, told) == (done.returncode, done.stderr)
    both = {"nightly": {"default": "another", "release": "0001-nightly"}, "other": {"default": "run"}}
    assert both == json.loads(s3.get("baselines.json"))
    command("sync", ADDRESS, "copy")
    assert both == read_baselines(tmp_path / "copy")


def test_an_index_of_somebody_else_stays(runs: list[RunFolder], command: Command, s3: S3) -> None:
    s3.put("index.html", b"<html>my own</html>")
    assert 0 == command("sync", "results", ADDRESS).returncode
    assert b"<html>my own</html>" == s3.get("index.html")


def test_the_index_links_to_the_pages_that_the_bucket_has(runs: list[RunFolder], command: Command, s3: S3) -> None:
    (runs[0].path / "report.html").write_text("a page")
    command("sync", "results", ADDRESS)
    page = s3.get("index.html").decode()
    assert "0000-nightly/report.html" in page
    assert "0001-nightly/report.html" not in page
    assert "text/html; charset=utf-8" == s3.client.head_object(Bucket="bench", Key="results/index.html")["ContentType"]


def test_two_indexes_at_once_lose_no_run(runs: list[RunFolder], command: Command, s3: S3, tmp_path: Path) -> None:
    """Another process uploads a run and writes the index, right before this one writes its own."""
    manifest, waiting = runs[2].manifest_path.read_bytes(), ["0009-late"]

    def answer(request: str) -> None:
        if request == "PUT /bench/results/index.html" and waiting:
            name = waiting.pop()
            s3.put_behind(f"{name}/manifest.json", manifest.replace(b"0002-nightly", name.encode()))
            s3.put_behind("index.html", b"of the other\n<!-- harness: the runs of this folder -->\n")

    s3.answer = answer
    assert 0 == command("sync", "results", ADDRESS).returncode
    page = s3.get("index.html").decode()
    assert all(name in page for name in ("0000-nightly", "0002-nightly", "0009-late"))
