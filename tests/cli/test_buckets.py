"""Commands over runs in a bucket, against moto's S3: what they read, what they store there, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.store.baselines import set_baseline
from harness.store.run_folder import RunFolder
from harness.suite.suite import Message, Prompt, Suite
from tests.cli.conftest import environment
from tests.processes import wait_until
from tests.s3 import ADDRESS, DENIED, GONE, S3

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(harness: Command, s3: S3, tmp_path: Path) -> Command:
    """`harness ARGUMENTS` with the environment of a user of the bucket."""
    return lambda *line, **more: harness(*line, **{**s3.environment(tmp_path), **more})


@pytest.fixture
def nights(past_runs: Callable[..., list[RunFolder]], tmp_path: Path, command: Command) -> list[str]:
    """Twelve nights of manifests and summaries in results/ and in the bucket; their names."""
    names = [run.path.name for run in past_runs(tmp_path / "results", 12)]
    assert 0 == command("sync", "results", ADDRESS).returncode
    return names


def keep_suite(run: RunFolder) -> None:
    """Write the suite that a run's manifest names, with a gate, beside it."""
    manifest = run.read_manifest()
    prompt = Prompt(id="capital", messages=(Message(role="user", content="Capital of France?"),))
    run.write_suite(
        Suite(
            name=manifest.suite,
            digest=manifest.suite_digest,
            endpoint=manifest.endpoint,
            targets=manifest.targets,
            prompts=(prompt,),
            gate={"ttft_p95": "25%"},
        )
    )


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


# A run


@pytest.fixture
def run_line(suite: Path, bedrock: Any) -> tuple[str, ...]:
    return ("run", str(suite), "--endpoint", bedrock.url, "--target", "whole", "--repeats", "1", "--out", ADDRESS)


def only_folder(folder: Path) -> Path:
    (found,) = (folder / "results").glob("*/")
    return found


def test_a_run_is_stored_here_and_then_in_the_bucket(
    command: Command, run_line: tuple[str, ...], s3: S3, tmp_path: Path
) -> None:
    done = command(*run_line, "--quiet")
    run = only_folder(tmp_path)
    assert done.returncode in (0, 4), done.stderr  # 4: a busy machine
    assert "" == done.stderr
    expected = {path.relative_to(run.parent).as_posix() for path in run.rglob("*") if path.is_file()}
    assert expected | {f"{run.name}/.inventory.json", "index.html"} == set(s3.names())
    assert run.name.encode() in s3.get("index.html")
    assert "uploaded" in command(*run_line).stderr


def test_a_simulated_run_does_not_forget_the_users_credentials(
    command: Command, suite: Path, s3: S3, tmp_path: Path
) -> None:
    """A simulated run removes AWS's settings from its environment, and the upload comes after it."""
    line = ("run", suite, "--target", "whole", "--repeats", "1", "--quiet", "--out", ADDRESS)
    assert command(*line).returncode in (0, 4)
    assert f"{only_folder(tmp_path).name}/manifest.json" in s3.names()


def test_if_s3_goes_away_the_run_is_complete_here_and_sync_finishes_it(
    command: Command, run_line: tuple[str, ...], s3: S3, tmp_path: Path
) -> None:
    s3.answer = lambda request: GONE if request.endswith("suite.json") else None
    done = command(*run_line, "--quiet")
    run = only_folder(tmp_path)
    assert done.returncode in (4, 5)
    assert f"error: {ADDRESS}: " in done.stderr
    how = f"harness sync results/{run.name} {ADDRESS}"
    assert f"the run is complete in results/{run.name}; `{how}` uploads it" in done.stderr
    assert "complete" == RunFolder(run).read_manifest().state
    s3.answer = lambda _: None
    query = ("query", "SELECT run_id FROM runs", "--results", ADDRESS)
    seen = command(*query)
    assert f"{ADDRESS}/{run.name}: is uploaded only in part: it has no manifest.json yet; `harness sync" in seen.stderr
    assert 2 == seen.returncode
    assert 0 == command(*how.split()[1:]).returncode
    assert run.name in command(*query).stdout


def test_a_run_that_is_completed_here_is_completed_in_the_bucket(
    command: Command, run_line: tuple[str, ...], s3: S3, tmp_path: Path
) -> None:
    assert 4 == command(*run_line, "--budget", "0.000001", "--quiet").returncode
    run = only_folder(tmp_path)
    manifest = f"{run.name}/manifest.json"
    assert "interrupted" == json.loads(s3.get(manifest))["state"]
    done = command("run", "--resume", run, "--out", ADDRESS, "--budget", "1", "--quiet")
    assert done.returncode in (0, 4), done.stderr
    assert "complete" == json.loads(s3.get(manifest))["state"]
    assert (run / "attempts.parquet").read_bytes() == s3.get(f"{run.name}/attempts.parquet")


def test_a_bucket_that_does_not_exist_ends_the_command_before_anything_is_sent(
    command: Command, run_line: tuple[str, ...], bedrock: Any, tmp_path: Path
) -> None:
    bedrock.truth()
    done = command(*run_line[:-1], "s3://nowhere/results")
    assert (2, "", []) == (done.returncode, done.stdout, bedrock.truth())
    assert done.stderr.endswith(
        "there is no bucket 'nowhere'; check its name, or create it (`aws s3 mb s3://nowhere`)\n"
    )
    assert not (tmp_path / "results").exists()


def test_no_permission_to_write_says_which_and_keeps_the_run(
    command: Command, run_line: tuple[str, ...], s3: S3, tmp_path: Path
) -> None:
    s3.answer = lambda request: DENIED if request.startswith("PUT") else None
    done = command(*run_line, "--quiet")
    assert done.returncode in (4, 5)
    assert "not permitted: s3:PutObject on arn:aws:s3:::bench/results/*" in done.stderr
    assert "complete" == RunFolder(only_folder(tmp_path)).read_manifest().state


def test_a_bucket_that_is_away_before_the_run_does_not_stop_it(
    command: Command, run_line: tuple[str, ...], tmp_path: Path
) -> None:
    done = command(*run_line, "--quiet", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert done.returncode in (4, 5)
    assert lines(done.stderr)[0].startswith(f"warning: {ADDRESS}: s3 in this Region is not available")
    assert lines(done.stderr)[0].endswith("; the run is stored here first")
    assert "complete" == RunFolder(only_folder(tmp_path)).read_manifest().state


# Reading


def test_history_reads_summaries_only_and_fetches_each_once(
    nights: list[str], command: Command, s3: S3, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "cache")
    s3.requests.clear()
    first = command("history", ADDRESS)
    local = command("history", "results")
    assert (local.stdout, "", 0) == (first.stdout, first.stderr, first.returncode)
    assert {"manifest.json", "summary.json"} == {
        each.rpartition("/")[2] for each in s3.requests if "nightly/" in each and ".inventory" not in each
    }
    s3.requests.clear()
    assert local.stdout == command("history", ADDRESS).stdout
    assert ["GET /bench"] == s3.requests


def test_a_half_uploaded_run_is_left_out_of_a_history_with_a_warning(
    nights: list[str], command: Command, s3: S3
) -> None:
    s3.delete(f"{nights[3]}/summary.json")
    done = command("history", ADDRESS)
    assert f"warning: left out: {ADDRESS}/{nights[3]}: is uploaded only in part: 1 of its 2 files" in done.stderr
    assert 0 == done.returncode
    command("sync", "results", ADDRESS)
    assert "" == command("history", ADDRESS).stderr


def test_runs_are_listed_without_a_command_that_would_work_on_the_copy(nights: list[str], command: Command) -> None:
    done = command("runs", ADDRESS, "--json")
    runs = json.loads(done.stdout)["runs"]
    assert nights[::-1] == [run["run_id"] for run in runs]
    assert {None} == {run["resume"] for run in runs}


def test_a_run_is_found_by_its_beginning_or_as_the_latest(nights: list[str], command: Command) -> None:
    for written in (nights[11], "0011", "latest"):
        assert nights[11] in command("baseline", "set", f"{ADDRESS}/{written}").stderr
    assert "matches 2 runs (0011-nightly, 0010-nightly); write more of it" in command("open", f"{ADDRESS}/001").stderr
    unknown = command("open", f"{ADDRESS}/2026").stderr
    assert f"error: {ADDRESS}: has no run '2026'; it holds 0011-nightly, 0010-nightly" in unknown


def test_a_run_is_exported_as_one_here(nights: list[str], command: Command) -> None:
    here, there = (command("export", f"{place}/{nights[3]}", "--to", "emf") for place in ("results", ADDRESS))
    assert (0, here.stdout, "") == (there.returncode, there.stdout, there.stderr)
    assert nights[3] in there.stdout


def test_an_empty_place_says_how_to_fill_it(command: Command) -> None:
    done = command("history", ADDRESS)
    assert (2, f"error: {ADDRESS}: holds no runs; `harness run SUITE --out {ADDRESS}` makes one\n") == (
        done.returncode,
        done.stderr,
    )


@pytest.mark.parametrize("line", ["history {}", "runs {}", "query DESCRIBE --results {}", "gate {}/latest",
                                  "compare {}/latest", "open {}/latest", "baseline show --results {}",
                                  "sync {} here", "export {}/latest --to emf"])  # fmt: skip
def test_every_command_says_what_is_not_permitted(command: Command, s3: S3, line: str) -> None:
    s3.answer = lambda _: DENIED
    done = command(*line.format(ADDRESS).split())
    assert (2, "") == (done.returncode, done.stdout)
    assert f"{ADDRESS}: not permitted: s3:ListBucket on arn:aws:s3:::bench (AccessDenied" in done.stderr


# Verdicts


@pytest.fixture
def two_runs(upgrade: Any, again: Path, command: Command, s3: S3, tmp_path: Path) -> tuple[str, str]:
    """A run of the suite `upgrade` and a later copy of it, in the bucket only; their names."""
    shutil.copytree(upgrade.run, tmp_path / "results" / upgrade.run.name)
    assert 0 == command("sync", "results", ADDRESS).returncode
    shutil.rmtree(tmp_path / "results")
    return upgrade.run.name, again.name


def test_two_runs_in_a_bucket_are_compared_as_two_here(
    two_runs: tuple[str, str], command: Command, s3: S3, upgrade: Any, tmp_path: Path
) -> None:
    s3.requests.clear()
    done = command("compare", f"{ADDRESS}/{two_runs[0]}", f"{ADDRESS}/latest", "--json")
    assert (0, "") == (done.returncode, done.stderr)
    copies = upgrade.folder / "copies"
    assert 0 == command("sync", ADDRESS, copies).returncode
    local = command("compare", *(copies / name for name in two_runs), "--json")
    assert json.loads(local.stdout)["comparisons"] == json.loads(done.stdout)["comparisons"]
    assert not any(each.startswith("PUT") for each in s3.requests)
    assert not (tmp_path / "results").exists()


def test_a_gate_stores_its_files_with_the_run(two_runs: tuple[str, str], command: Command, s3: S3) -> None:
    first, second = two_runs
    assert 0 == command("baseline", "set", f"{ADDRESS}/{first}").returncode
    done = command("gate", f"{ADDRESS}/{second}")
    assert f"baseline: run {first}, set with `harness baseline set`" in done.stderr
    assert done.returncode in (0, 3), done.stdout + done.stderr
    stored = {name.partition("/")[2] for name in s3.names() if name.startswith(second)}
    assert {"junit.xml", "gate.md", "compare.html", "compare.json"} <= stored
    assert f"{second}/compare.html".encode() in s3.get("index.html")


def test_a_report_is_made_again_and_stored(two_runs: tuple[str, str], command: Command, s3: S3) -> None:
    name = two_runs[0]
    before = s3.get(f"{name}/report.html")
    s3.delete(f"{name}/report.html")
    left_out = command("open", f"{ADDRESS}/{name}")
    assert (2, "") == (left_out.returncode, left_out.stdout)
    s3.delete(f"{name}/.inventory.json")  # as if another program had copied the run
    done = command("report", f"{ADDRESS}/{name}")
    assert (0, "") == (done.returncode, done.stderr)
    assert len(before) == pytest.approx(len(s3.get(f"{name}/report.html")), rel=0.01)
    opened = command("open", f"{ADDRESS}/{name}")
    assert Path(opened.stdout.strip()).read_bytes() == s3.get(f"{name}/report.html")


def test_the_index_is_opened_with_its_pages(two_runs: tuple[str, str], command: Command, tmp_path: Path) -> None:
    page = Path(command("open", "--index", f"{ADDRESS}/latest").stdout.strip())
    text = (tmp_path / page).read_text()
    assert f"<h1>Runs in {ADDRESS}</h1>" in text
    for name in two_runs:
        assert f"{name}/report.html" in text
        assert (tmp_path / page.parent / name / "report.html").is_file()


def test_an_index_is_opened_of_the_folder_of_a_run_and_of_no_other(two_runs: tuple[str, str], command: Command) -> None:
    done = command("open", "--index", ADDRESS)
    assert (2, "") == (done.returncode, done.stdout)
    assert "s3://bench: has no run 'results'; it holds no runs" in done.stderr


def test_an_index_and_a_comparison_are_not_opened_at_once(command: Command) -> None:
    done = command("open", "--index", "--compare", f"{ADDRESS}/latest")
    assert "--compare and --index cannot be used together" in done.stderr


def test_baselines_are_set_and_shown(nights: list[str], command: Command, finished: Any) -> None:
    for run in ("0003", "latest"):
        done = command("baseline", "set", f"{ADDRESS}/{run}")
        assert "has no attempts.parquet" in done.stderr  # these nights have no rows
    command("sync", finished.folder, ADDRESS)
    assert (
        f"stored in {ADDRESS}/baselines.json" in command("baseline", "set", f"{ADDRESS}/{finished.folder.name}").stdout
    )
    shown = command("baseline", "show", "--results", ADDRESS)
    assert f"tiny  default  {finished.folder.name}\n" == shown.stdout


def test_a_gate_that_cannot_store_its_files_says_so_beside_its_verdict(
    two_runs: tuple[str, str], command: Command, s3: S3
) -> None:
    s3.answer = lambda request: DENIED if request.startswith("PUT") else None
    line = ("gate", f"{ADDRESS}/{two_runs[1]}", "--baseline", f"{ADDRESS}/{two_runs[0]}", "--candidate", "same")
    done = command(*line)
    assert done.returncode in (3, 5)
    assert "not permitted: s3:PutObject" in done.stderr
    assert "same" in done.stdout


def test_a_gate_against_the_history_in_a_bucket_is_that_of_a_folder(
    past_runs: Callable[..., list[RunFolder]], command: Command, s3: S3, tmp_path: Path
) -> None:
    last = past_runs(tmp_path / "results", 12, slower_from=11)[-1]
    keep_suite(last)
    command("sync", "results", ADDRESS)
    local = command("gate", "--against", "history", "--json")
    s3.requests.clear()
    done = command("gate", f"{ADDRESS}/latest", "--against", "history", "--json")
    assert (1, "", local.stdout) == (done.returncode, done.stderr, done.stdout)
    stored = {name.partition("/")[2] for name in s3.names() if name.startswith(last.path.name)}
    assert {"against-history.html", "against-history.json", "junit.xml", "gate.md"} <= stored


# Two writers at once


def start(s3: S3, folder: Path, *line: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *line],
        cwd=folder,
        env=environment(**s3.environment(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_at_once_neither_baseline_nor_run_is_lost(
    past_runs: Callable[..., list[RunFolder]], command: Command, s3: S3, tmp_path: Path
) -> None:
    """Each writes index.html and baselines.json; the index that stays has the runs of both."""
    runs = [past_runs(tmp_path / f"{suite}-results", 3, suite=suite) for suite in ("one", "two")]
    children = [
        start(s3, tmp_path / f"{suite}-home", "sync", str(tmp_path / f"{suite}-results"), ADDRESS)
        for suite in ("one", "two")
    ]
    for child in children:
        out, err = child.communicate(timeout=60)
        assert (0, "") == (child.returncode, err), out
    page = s3.get("index.html").decode()
    assert 6 == sum(run.path.name in page for each in runs for run in each)
    setting = [
        start(s3, tmp_path / f"{suite}-home", "sync", str(results), ADDRESS)
        for suite, results in _with_baselines(runs, tmp_path)
    ]
    for child in setting:
        assert ("", 0) == (child.communicate(timeout=60)[1], child.returncode)
    stored = json.loads(s3.get("baselines.json"))
    assert {"one": {"default": "0000-one"}, "two": {"default": "0000-two"}} == stored


def _with_baselines(runs: list[list[RunFolder]], folder: Path) -> Iterator[tuple[str, Path]]:
    for suite, (first, *_) in zip(("one", "two"), runs, strict=True):
        set_baseline(first)
        yield suite, folder / f"{suite}-results"


# A server that is killed

SERVER = """
import os, signal, sys, time
from tests.s3 import S3
server = S3()
server.reset()
puts = int(sys.argv[1])

def answer(request):
    global puts
    puts -= request.startswith("PUT") and ".json" in request
    if puts < 0:
        os.kill(os.getpid(), signal.SIGKILL)

server.answer = answer
print(server.url, flush=True)
time.sleep(60)
"""


def test_when_the_server_is_killed_in_the_middle_sync_says_so_and_completes_later(
    past_runs: Callable[..., list[RunFolder]], command: Command, s3: S3, tmp_path: Path
) -> None:
    past_runs(tmp_path / "results", 4)
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", SERVER, "5"], cwd=root, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        done = command("sync", "results", ADDRESS, AWS_ENDPOINT_URL_S3=url)
        wait_until(lambda: server.poll() is not None)
    assert (2, -9) == (done.returncode, server.returncode)
    assert f"error: {ADDRESS}: " in done.stderr
    assert "copied 4 runs, 0 unchanged" == lines(command("sync", "results", ADDRESS).stdout)[-1]
