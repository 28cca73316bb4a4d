"""The action that a workflow needs five lines for: its own lines, run in order, against the embedded Bedrock."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.schedule.actions import EXPRESSION, clean_environment, evaluate, fill_in, read_yaml, run_step
from tests.schedule.conftest import KEPT, ROOT, SCHEDULE, Nights, Repository, write_tool

ACTION = SCHEDULE / "action.yml"
Make = Callable[[str], Repository]
US = "claude-haiku-4-5/us/converse"


def test_a_run_as_ever_ends_with_nought_and_summary_and_comment_have_the_verdict(
    make_repository: Make, nights: Nights
) -> None:
    repository = make_repository(nights.as_ever)
    pictures = {"pictures-url": "https://bench.example.org/results/"}
    job = repository.run(event="pull_request", endpoint=nights.as_ever, **pictures)
    assert (0, "no worse", "0") == (job.code, job.outputs["verdict"], job.outputs["exit-code"]), job.log
    assert "### ○ no worse: nightly, today against its history" in job.summary
    assert re.search(r"cost per request +6 .*▅▅▅▅▅▅\n", job.summary), job.summary
    run = repository.path / job.outputs["run"]
    picture = "plots/against-history.png"
    assert f"\n![against-history](https://bench.example.org/results/{run.name}/{picture})\n" in job.summary
    assert 1 == job.summary.count("![")
    assert "<details><summary>Report of the run</summary>\n\n# nightly\n" in job.summary
    assert (run / picture).is_file()
    assert (repository.path / job.outputs["report"]).is_file()
    assert (repository.path / "harness-history" / "history.html").is_file()
    assert "0" == ElementTree.parse(repository.path / job.outputs["junit"]).getroot().get("failures")
    (comment,) = json.loads(repository.comments.read_text())
    first, second, *_ = comment["body"].splitlines()
    assert ("<!-- harness suites/nightly.yaml -->", True) == (first, second.startswith("### ○ no worse"))
    assert comment["body"].endswith("\n[Reports and pictures](https://github.com/team/evals/actions/runs/42)\n")


def test_a_planted_regression_ends_with_one_once_it_is_reported_and_replaces_the_earlier_comment(
    make_repository: Make, nights: Nights
) -> None:
    repository = make_repository(nights.worse)
    earlier = {"id": 3, "user": {"type": "Bot"}, "body": "<!-- harness suites/nightly.yaml -->\n### ○ no worse"}
    others = [{**earlier, "id": 1, "user": {"type": "User"}}, {**earlier, "id": 2, "body": "<!-- harness -->"}]
    repository.comments.write_text(json.dumps([*others, earlier]))
    job = repository.run(event="pull_request", endpoint=nights.worse)
    assert (1, "worse", "1") == (job.code, job.outputs["verdict"], job.outputs["exit-code"]), job.log
    assert "Exit with the verdict" == job.ran[-1]
    assert f"{US} is worse than the last 5 runs predict on cost per request" in job.summary
    assert "▁▁▁▁▁█" in job.summary
    assert "1" == ElementTree.parse(repository.path / job.outputs["junit"]).getroot().get("failures")
    *untouched, comment = json.loads(repository.comments.read_text())
    assert (others, 3) == (untouched, comment["id"])
    assert "\n### ✗ worse: nightly, today against its history" in comment["body"]


def test_a_comment_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (step,) = (step for step in read_yaml(ACTION)["runs"]["steps"] if step.get("name") == "Comment on the pull request")
    (tmp_path / "gate.md").write_text("### worse\n")
    write_tool(tmp_path / "gh", "#!/bin/sh\nexit 1\n")
    env = clean_environment(PATH=f"{tmp_path}:{os.environ['PATH']}", RUNNER_TEMP=str(tmp_path))
    contexts = {"steps": {"run": {"outputs": {"folder": str(tmp_path)}}}}
    done = run_step(step, contexts, tmp_path, env)
    assert (0, True) == (done.returncode, "::warning title=harness::no comment" in done.stdout), done.stderr


@pytest.mark.parametrize(
    ("run", "gate", "allow", "code", "verdict"),
    [
        ("0", "0", "false", 0, "no worse"),
        ("0", "1", "true", 1, "worse"),
        ("0", "3", "false", 3, "inconclusive"),
        ("0", "3", "true", 0, "inconclusive"),
        ("4", "0", "false", 4, "invalid"),
        ("4", "4", "true", 4, "invalid"),
        ("0", "2", "false", 2, "error"),
        ("2", "", "true", 2, "error"),
        ("130", "", "true", 130, "error"),
    ],
)
def test_the_exit_code_is_the_gates_and_else_the_runs(
    tmp_path: Path, run: str, gate: str, allow: str, code: int, verdict: str
) -> None:
    step = read_yaml(ACTION)["runs"]["steps"][-1]
    steps = {"run": {"outputs": {"exit-code": run}}, "gate": {"outputs": {"exit-code": gate}}}
    contexts = {"inputs": {"allow-inconclusive": allow}, "steps": steps}
    done = run_step(step, contexts, tmp_path, clean_environment(GITHUB_OUTPUT=str(tmp_path / "output")))
    assert (code, f"verdict={verdict}") == (done.returncode, (tmp_path / "output").read_text().splitlines()[0])


def test_a_suite_that_cannot_run_ends_with_two_and_no_earlier_run_is_gated_in_its_place(
    make_repository: Make, nights: Nights
) -> None:
    job = make_repository(nights.as_ever).run(endpoint=nights.as_ever, suite="suites/missing.yaml")
    assert (2, "error", "") == (job.code, job.outputs["verdict"], job.outputs["run"])
    assert ["Run the suite", "Exit with the verdict"] == job.ran
    assert "suites/missing.yaml" in job.log


@pytest.mark.parametrize("path", [ACTION, SCHEDULE / "github.yaml"], ids=lambda path: path.name)
def test_no_line_that_runs_has_an_expression_in_it(path: Path) -> None:
    """GitHub pastes an expression's value into the script, so an input or a branch's name could hold commands."""
    document = read_yaml(path)
    steps = document["runs"]["steps"] if "runs" in document else document["jobs"]["nightly"]["steps"]
    assert [] == [step["name"] for step in steps if EXPRESSION.search(step.get("run", ""))]


def test_other_actions_are_pinned_to_a_version() -> None:
    used = re.findall(r"uses: (\S+)", ACTION.read_text() + (SCHEDULE / "github.yaml").read_text())
    others = [each for each in used if not each.startswith("./")]
    assert len(others) >= 5
    assert [] == [each for each in others if not re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", each)]


def test_the_cache_keeps_what_the_history_reads() -> None:
    steps = [step for step in read_yaml(ACTION)["runs"]["steps"] if "cache" in step.get("uses", "")]
    assert 2 == len(steps)
    for step in steps:
        assert [f"${{{{ inputs.results }}}}/*/{name}" for name in KEPT] == step["with"]["path"].split("\n")[:-1]
        assert "github.run_id" in step["with"]["key"]


def test_the_installation_is_of_the_same_version_with_the_tested_dependencies() -> None:
    (install,) = (step for step in read_yaml(ACTION)["runs"]["steps"] if step.get("name") == "Install harness")
    for written in re.findall(r"\$GITHUB_ACTION_PATH(/[^\"]*)", install["run"]):
        assert (Path(f"{SCHEDULE}{written}").resolve()) in (ROOT, ROOT / "constraints.txt")


def test_the_workflow_gives_the_action_inputs_that_it_has_and_the_job_no_more_than_it_needs() -> None:
    workflow = read_yaml(SCHEDULE / "github.yaml")
    (job,) = workflow["jobs"].values()
    checkout, action = job["steps"]
    assert "false" == checkout["with"]["persist-credentials"]
    assert "./docs/schedule" == action["uses"]
    assert set(action["with"]) <= set(read_yaml(ACTION)["inputs"])
    assert {"contents": "read", "id-token": "write", "pull-requests": "write"} == workflow["permissions"]
    assert {"schedule", "pull_request", "workflow_dispatch"} == set(workflow["on"])  # never pull_request_target
    assert "timeout-minutes" in job


@pytest.mark.parametrize(
    ("event", "endpoint", "expected"),
    [
        ("schedule", "", ("aws", "--against history")),
        ("workflow_dispatch", "simulator", ("simulator", "--against history")),
        ("pull_request", "", ("aws", "--confirm --budget 5")),
    ],
)
def test_the_workflow_asks_each_event_its_own_question(event: str, endpoint: str, expected: tuple[str, str]) -> None:
    given = read_yaml(SCHEDULE / "github.yaml")["jobs"]["nightly"]["steps"][1]["with"]
    contexts = {"github": {"event_name": event}, "inputs": {"endpoint": endpoint}}
    assert expected == (fill_in(given["endpoint"], contexts), fill_in(given["gate"], contexts))


def test_a_pull_request_from_a_fork_is_not_run() -> None:
    """It gets no role, and its suite is a stranger's."""
    (job,) = read_yaml(SCHEDULE / "github.yaml")["jobs"].values()

    def runs(event: str, head: str) -> Any:
        pull_request = {"head": {"repo": {"full_name": head}}}
        github = {"event_name": event, "repository": "team/evals", "event": {"pull_request": pull_request}}
        return evaluate(job["if"], {"github": github})

    assert (True, True, False) == (
        runs("schedule", ""),
        runs("pull_request", "team/evals"),
        runs("pull_request", "a/b"),
    )
