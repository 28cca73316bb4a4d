"""What `harness run --resume` sends, asks and refuses, on runs that lack a part of what they recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from harness.cli.running.resume.missing import find_missing
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder
from tests.cli.conftest import Bedrock, Finished, Harness
from tests.processes import only_run

PLANNED = 3 * (2 * 3 + 1)
"""Of the tiny suite."""


def rows(run: Path, sql: str = "SELECT request_id FROM RUN ORDER BY ALL") -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = duckdb.execute(
        sql.replace("RUN", f"read_parquet('{run}/attempts.parquet')")
    ).fetchall()
    return found


def keep(run: Path, condition: str, *, replace: str = "") -> None:
    """Leave only these rows in attempts.parquet."""
    path, new = run / "attempts.parquet", run / "new.parquet"
    duckdb.execute(
        f"COPY (SELECT * {replace} FROM read_parquet('{path}') WHERE {condition}) TO '{new}' (FORMAT parquet)"
    )
    new.replace(path)


def change_manifest(run: Path, **changes: Any) -> None:
    folder = RunFolder(run)
    folder.write_manifest(msgspec.structs.replace(folder.read_manifest(), **changes))


@pytest.fixture
def interrupted(finished: Finished, tmp_path: Path) -> Path:
    """A run of the tiny suite that was interrupted after its first rounds."""
    run = Path(shutil.copytree(finished.folder, tmp_path / "results" / finished.folder.name))
    keep(run, "request_id < '000003'")
    change_manifest(run, state="interrupted", attempts=9)
    return run


def test_only_what_is_missing_is_sent(interrupted: Path, harness: Harness, bedrock: Bedrock) -> None:
    before = rows(interrupted, "FROM RUN ORDER BY attempt_id")
    bedrock.truth()
    done = harness("run", "--resume", interrupted, "--json")
    assert done.returncode in (0, 4), done.stderr
    assert f"resuming {interrupted.name}: 9 requests are recorded, 12 are missing" in done.stderr
    assert 12 == len(bedrock.truth())
    assert before == rows(interrupted, "FROM RUN WHERE request_id < '000003' ORDER BY attempt_id")
    assert PLANNED == len(rows(interrupted)) == len(set(rows(interrupted)))
    assert "complete" == json.loads(done.stdout)["state"]


def test_a_complete_run_is_only_reported_again(
    finished: Finished, tmp_path: Path, harness: Harness, bedrock: Bedrock
) -> None:
    run = Path(shutil.copytree(finished.folder, tmp_path / "results" / finished.folder.name))
    for name in ("scores.parquet", "summary.json", "report.html"):
        (run / name).unlink()
    before = rows(run, "FROM RUN ORDER BY attempt_id")
    bedrock.truth()
    assert 0 == harness("run", "--resume", run).returncode
    assert [] == bedrock.truth()
    assert before == rows(run, "FROM RUN ORDER BY attempt_id")
    assert (run / "report.html").exists()
    manifest = RunFolder(run).read_manifest()
    assert ((), "complete") == (manifest.resumed, manifest.state)


def as_journal(run: Path, condition: str, name: str = "attempts.jsonl") -> None:
    """Write rows of attempts.parquet to a journal."""
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{run}/attempts.parquet') WHERE {condition}")
        names = [column[0] for column in found.description or ()]
        attempts = [Attempt(**dict(zip(names, row, strict=True))) for row in found.fetchall()]
    (run / name).write_bytes(msgspec.json.Encoder().encode_lines(attempts))


def _before_anything(run: Path) -> None:
    as_journal(run, "request_id < '000004'")
    as_journal(run, "request_id >= '000004'", "attempts-1.jsonl")
    (run / "attempts.parquet").unlink()
    change_manifest(run, state="running", attempts=None, clients=())


def _with_parquet(run: Path) -> None:
    as_journal(run, "request_id < '000004'")
    as_journal(run, "request_id >= '000004'", "attempts-1.jsonl")
    change_manifest(run, state="running", attempts=None, clients=())


def _with_the_manifest(run: Path) -> None:
    as_journal(run, "request_id < '000004'")
    as_journal(run, "request_id >= '000004'", "attempts-1.jsonl")


def _with_one_journal_left(run: Path) -> None:
    as_journal(run, "request_id >= '000004'", "attempts-1.jsonl")


@pytest.mark.parametrize("until", [_before_anything, _with_parquet, _with_the_manifest, _with_one_journal_left])
def test_a_run_that_was_killed_at_any_step_of_its_end_is_only_ended(
    finished: Finished, tmp_path: Path, harness: Harness, bedrock: Bedrock, until: Callable[[Path], None]
) -> None:
    run = Path(shutil.copytree(finished.folder, tmp_path / "results" / finished.folder.name))
    (run / "scores.parquet").unlink()
    before = rows(run, "FROM RUN ORDER BY attempt_id")
    until(run)
    bedrock.truth()
    assert harness("run", "--resume", run, "--quiet").returncode in (0, 4)
    assert [] == bedrock.truth()
    assert before == rows(run, "FROM RUN ORDER BY attempt_id")
    assert ("complete", PLANNED) == (RunFolder(run).read_manifest().state, RunFolder(run).read_manifest().attempts)
    assert [] == list(run.glob("*.jsonl"))


def _other_questions(run: Path) -> None:
    suite = (run / "suite.json").read_text()
    (run / "suite.json").write_text(suite.replace("The largest ocean", "The smallest ocean"))


def _unknown_request(run: Path) -> None:
    keep(run, "true", replace="REPLACE (replace(request_id, '000002', '000099') AS request_id)")


def _another_prompt(run: Path) -> None:
    keep(run, "true", replace="REPLACE (if(prompt_id = 'sea', 'sum', 'sea') AS prompt_id)")


REFUSED: dict[str, tuple[Callable[[Path], object], list[str], str]] = {
    "another suite": (_other_questions, [], "its suite.json has changed since it ran"),
    "another seed": (lambda run: None, ["--seed", "4"], "was planned with seed 3, not 4"),
    "another schema": (
        lambda run: change_manifest(run, schema_version=2), [], "was recorded with schema 2, and this version"
    ),
    "a sweep": (lambda run: change_manifest(run, kind="sweep"), [], "is a sweep, which cannot be resumed"),
    "another plan": (_another_prompt, [], "is not in the plan that this version makes"),
    "requests of no plan": (_unknown_request, [], "request '000099-0"),
    "a foreign endpoint": (
        lambda run: (run / "suite.json").write_text(
            (run / "suite.json").read_text().replace("http://127.0.0.1", "http://198.51.100.7")
        ),
        [],
        "names the endpoint http://198.51.100.7",
    ),
    "Bedrock instead of a stand-in": (lambda run: None, ["--endpoint", "aws"], "was sent to a stand-in for Bedrock"),
    "no budget left": (lambda run: None, ["--budget", "0.0000001"], "of its budget of $1e-07; raise it with --budget"),
    "a dry run": (lambda run: None, ["--dry-run"], "leave out --dry-run"),
    "other repeats": (lambda run: None, ["--repeats", "3"], "leave out --dry-run, --target and --repeats"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_would_not_be_the_same_is_refused(
    interrupted: Path, harness: Harness, bedrock: Bedrock, case: str
) -> None:
    change, options, told = REFUSED[case]
    change(interrupted)
    bedrock.truth()
    done = harness("run", "--resume", interrupted, *options)
    assert (2, True) == (done.returncode, told in done.stderr), done.stderr
    assert [] == bedrock.truth()


def test_a_suite_that_differs_is_named_with_what_differs(interrupted: Path, harness: Harness, suite: Path) -> None:
    suite.write_text(suite.read_text().replace("repeats: 2", "repeats: 3").replace("2 + 3", "2 + 4"))
    done = harness("run", suite, "--resume", interrupted)
    assert (2, True) == (done.returncode, "differs from the one that you named in: prompts, load." in done.stderr)
    again = suite.read_text().replace("2 + 4", "2 + 3")
    suite.write_text(again)
    assert harness("run", suite, "--resume", interrupted, "--repeats", "2", "--quiet").returncode in (0, 4)


DOCUMENTS = """\
suite: pages
targets: [{model: claude-haiku-4-5, routing: global, api: converse}]
load: {concurrency: 2}
prompts:
  - {id: a, prompt: What does it say?, expect: Hello, documents: [hello.txt]}
  - {id: b, prompt: And this?, expect: World, documents: [world.txt]}
"""


def test_documents_come_from_the_suite_that_the_user_names(tmp_path: Path, harness: Harness, bedrock: Bedrock) -> None:
    for name in ("hello", "world"):
        (tmp_path / f"{name}.txt").write_text(name)
    (tmp_path / "pages.yaml").write_text(DOCUMENTS)
    harness("run", "pages.yaml", "--endpoint", bedrock.url, "--quiet")
    run = only_run(tmp_path)
    keep(run, "prompt_id = 'a'")
    done = harness("run", "--resume", run)
    assert (2, True) == (done.returncode, f"harness run SUITE --resume {run}" in done.stderr), done.stderr
    assert harness("run", "pages.yaml", "--resume", run, "--quiet").returncode in (0, 4)
    assert [("a",), ("b",)] == rows(run, "SELECT prompt_id FROM RUN ORDER BY ALL")
    (tmp_path / "world.txt").write_text("changed")
    assert "in: prompts." in harness("run", "pages.yaml", "--resume", run).stderr


GRADED = """\
suite: graded
targets: [{model: claude-haiku-4-5, routing: global, api: converse}]
load: {concurrency: 2, repeats: 3, warmup: 1}
judges: {strict: {model: claude-opus-4-5, routing: global, api: converse, max_tokens: 200}}
prompts:
  - id: a
    prompt: Say why.
    expect: Because.
    checks:
      - {type: python, file: checks.py, function: grade}
      - {type: judge, judge: strict, rubric: Gives a reason.}
"""
CHECKS = """\
def grade(case):
    with open({log!r}, "a") as file:
        file.write("asked\\n")
    return True
"""


def test_judges_and_check_functions_are_asked_only_for_what_no_judgement_is_stored(
    tmp_path: Path, harness: Harness, bedrock: Bedrock
) -> None:
    log = tmp_path / "log"
    (tmp_path / "checks.py").write_text(CHECKS.format(log=str(log)))
    (tmp_path / "graded.yaml").write_text(GRADED)
    harness("run", "graded.yaml", "--endpoint", bedrock.url, "--quiet")
    run = only_run(tmp_path)
    judgements = run / "judgements.jsonl"
    lines = judgements.read_text().splitlines(keepends=True)
    assert 6 == len(lines)
    whole = duckdb.execute(f"SELECT request_id, scorer, passed FROM read_parquet('{run}/scores.parquet') ORDER BY ALL")
    scores = whole.fetchall()
    judgements.write_text("".join(lines[:4]) + lines[4][:20])  # killed while it graded
    (run / "scores.parquet").unlink()
    (run / "summary.json").unlink()
    log.write_text("")
    bedrock.truth()
    assert harness("run", "graded.yaml", "--resume", run, "--quiet").returncode in (0, 4)
    lost = [json.loads(line)["kind"] for line in lines[4:]]
    assert (lost.count("python"), lost.count("judge")) == (log.read_text().count("asked"), len(bedrock.truth()))
    again = duckdb.execute(f"SELECT request_id, scorer, passed FROM read_parquet('{run}/scores.parquet') ORDER BY ALL")
    assert scores == again.fetchall()


def test_a_foreign_runs_check_functions_are_not_run(tmp_path: Path, harness: Harness, bedrock: Bedrock) -> None:
    log = tmp_path / "log"
    (tmp_path / "checks.py").write_text(CHECKS.format(log=str(log)))
    (tmp_path / "graded.yaml").write_text(GRADED)
    harness("run", "graded.yaml", "--endpoint", bedrock.url, "--quiet")
    run = only_run(tmp_path)
    (run / "judgements.jsonl").unlink()
    log.unlink()
    done = harness("run", "--resume", run, "--quiet")
    assert (True, False) == ("check functions are never run from a run's folder" in done.stderr, log.exists())


TIMED = """\
suite: timed
targets: [{model: claude-haiku-4-5, routing: global, api: converse}]
load: {concurrency: 4, duration: 3s}
prompts: [{id: a, prompt: Say a., expect: a}]
"""


def test_a_closed_load_goes_on_for_the_rest_of_its_duration(tmp_path: Path, harness: Harness, bedrock: Bedrock) -> None:
    (tmp_path / "timed.yaml").write_text(TIMED)
    harness("run", "timed.yaml", "--endpoint", bedrock.url, "--quiet")
    run = only_run(tmp_path)
    folder = RunFolder(run)
    keep(run, f"done_ns <= (SELECT quantile_disc(done_ns, 0.4) FROM read_parquet('{run}/attempts.parquet'))")
    change_manifest(run, state="running", clients=())
    ((start_ns, last_ns, before),) = rows(run, "SELECT min(due_ns), max(done_ns), count(*) FROM RUN")
    missing = find_missing(folder, folder.read_suite())
    assert (None, 3 - (last_ns - start_ns) / 1e9, last_ns) == (missing.planned, missing.left_s, missing.last_ns)
    done = harness("run", "--resume", run)
    assert f"{before} requests are recorded, {missing.left_s:.1f} s are left" in done.stderr
    ((sent, requests, due_ns),) = rows(
        run, f"SELECT count(*), count(DISTINCT request_id), min(due_ns) FILTER (due_ns > {last_ns}) FROM RUN"
    )
    assert sent == requests > before
    manifest = folder.read_manifest()
    assert ("complete", None, last_ns) == (manifest.state, manifest.planned, manifest.resumed[0].at_ns)
    assert manifest.utc_ns(due_ns) > manifest.resumed[0].utc_ns > manifest.utc_ns(last_ns)
    assert find_missing(folder, folder.read_suite()).is_nothing


def test_runs_are_listed_with_the_command_that_completes_them(
    interrupted: Path, harness: Harness, tmp_path: Path
) -> None:
    listed = json.loads(harness("runs", "--json").stdout)
    expected = {"state": "interrupted", "recorded": 9, "planned": PLANNED, "process": None}
    (run,) = listed["runs"]
    assert expected == {key: run[key] for key in expected}
    assert f"harness run --resume results/{interrupted.name}" == run["resume"]
    text = harness("runs").stdout
    assert "9/21" in text
    narrow = harness("runs", COLUMNS="30").stdout.splitlines()
    assert [interrupted.name, "interrupted"] == narrow[1].split()
    assert f"to complete it: harness run --resume results/{interrupted.name}" in text
    change_manifest(interrupted, state="running")
    as_journal(interrupted, "true")
    with (interrupted / "attempts.jsonl").open("a") as journal:
        journal.write('{"request_id": "torn')
    (run,) = json.loads(harness("runs", "--json").stdout)["runs"]
    assert ("killed", 9) == (run["state"], run["recorded"])


def test_a_complete_run_whose_answers_are_not_graded_can_be_resumed(
    finished: Finished, tmp_path: Path, harness: Harness
) -> None:
    run = Path(shutil.copytree(finished.folder, tmp_path / "results" / finished.folder.name))
    states = []
    for lost in ("scores.parquet", None, "summary.json", None):
        if lost is None:
            done = harness("run", "--resume", run)
            assert (0, f"{run.name}: every request is recorded; grading and reporting") == (
                done.returncode,
                done.stderr.splitlines()[0],
            )
        else:
            (run / lost).unlink()
        states.append(json.loads(harness("runs", "--json").stdout)["runs"][0]["state"])
    assert ["ungraded", "complete", "ungraded", "complete"] == states


def test_a_folder_without_runs_says_how_to_make_one(harness: Harness, tmp_path: Path) -> None:
    assert "results holds no runs; `harness run SUITE` makes one\n" == harness("runs").stdout
    (tmp_path / "file").touch()
    for name, what in (("missing", "there is no such folder"), ("file", "is not a folder")):
        refused = harness("runs", name)
        assert (2, f"error: {name}: {what}; give the folder that holds the runs\n") == (
            refused.returncode,
            refused.stderr,
        )
    folder = tmp_path / "results" / "broken"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    done = harness("runs")
    assert (0, True) == (done.returncode, "manifest.json: not a manifest of a run" in done.stdout)


def test_a_run_or_a_suite_is_needed(harness: Harness) -> None:
    done = harness("run")
    assert (2, True) == (done.returncode, "give a suite, or a run with --resume" in done.stderr)


def test_prompts_that_are_not_stored_come_from_the_suite_that_the_user_names(
    tmp_path: Path, harness: Harness, bedrock: Bedrock, suite: Path
) -> None:
    suite.write_text(suite.read_text().replace("load: {", "load: {redact: [ocean], "))
    harness("run", suite, "--endpoint", bedrock.url, "--quiet")
    run = only_run(tmp_path)
    keep(run, "request_id < '000003'")
    change_manifest(run, state="interrupted")
    done = harness("run", "--resume", run)
    assert (2, True) == (done.returncode, f"harness run SUITE --resume {run}" in done.stderr), done.stderr
    assert "harness run SUITE --resume" in harness("runs").stdout
    other = tmp_path / "other.yaml"
    other.write_text(suite.read_text().replace("ocean?", "lake?"))
    assert "is not a run of the suite that you named" in harness("run", other, "--resume", run).stderr
    done = harness("run", suite, "--resume", run, "--quiet")
    assert done.returncode in (0, 4), done.stderr
    assert PLANNED == len(rows(run)) == len(set(rows(run)))
    assert "ocean" not in (run / "suite.json").read_text()
