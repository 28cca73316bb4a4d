"""A repository whose suite has a history of real runs on the embedded Bedrock, and the action run in it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import WITH_FIGURES, call_harness, start_bedrock
from tests.schedule.actions import Job, clean_environment, run_action

ROOT = Path(__file__).parents[2]
SCHEDULE = ROOT / "docs" / "schedule"
NIGHTS = 5
ENDPOINT = "http://the.endpoint"
SUITE = """\
suite: nightly
targets:
  - {model: claude-haiku-4-5, routing: [us, global], api: converse, client: wire}
baseline: claude-haiku-4-5/us/converse
load: {concurrency: 4, warmup: 1}
gate: {cost_per_request: 50%}
prompts:
  - {id: one, prompt: What is 1 + 7?, expect: 8, checks: [{type: numeric}]}
  - {id: two, prompt: What is 2 + 7?, expect: 9, checks: [{type: numeric}]}
  - {id: three, prompt: What is 3 + 7?, expect: 10, checks: [{type: numeric}]}
  - {id: four, prompt: What is 4 + 7?, expect: 11, checks: [{type: numeric}]}
"""
WORSE = {"us.anthropic.claude-haiku-4-5-20251001-v1:0": {"verbosity": 6}}
KEPT = ("manifest.json", "suite.json", "summary.json")
"""The files of a run that the action keeps in GitHub's cache."""
GH = """\
#!{python}
import json, os, re, sys
from pathlib import Path
store = Path(os.environ["FAKE_COMMENTS"])
comments = json.loads(store.read_text()) if store.exists() else []
arguments = sys.argv[1:]
assert "api" == arguments.pop(0) and "secret" == os.environ["GH_TOKEN"]
[path] = [each for each in arguments if each.startswith("repos/team/evals/issues/")]
bodies = [Path(each.removeprefix("body=@")).read_text() for each in arguments if each.startswith("body=@")]
if bodies and "PATCH" in arguments:
    [comment] = [each for each in comments if path.endswith("issues/comments/" + str(each["id"]))]
    comment["body"] = bodies[0]
elif bodies:
    assert path.endswith("issues/7/comments")
    comments.append({{"id": len(comments), "user": {{"type": "Bot"}}, "body": bodies[0]}})
else:
    print(json.dumps(comments))
store.write_text(json.dumps(comments))
"""
"""GitHub's command line, of which the action uses three requests: list the comments, write one, change one."""


class Nights(NamedTuple):
    """Earlier runs of the suite, and two simulators: as ever, and with a model that says six times as much."""

    past: dict[str, str]
    """`RUN/NAME` → the file's text, with ENDPOINT in place of the simulator's address."""
    as_ever: str
    worse: str


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory, made_once: Callable[..., Any]) -> Iterator[Nights]:
    """Five valid runs, made once for all processes."""
    folder = tmp_path_factory.mktemp("nights")
    (folder / "nightly.yaml").write_text(SUITE)
    (folder / "worse.json").write_text(json.dumps(WORSE))
    line = ("--suite", str(folder / "nightly.yaml"), "--speed", "2")
    with (
        start_bedrock(folder, *line) as as_ever,
        start_bedrock(folder, *line, "--profiles", "worse.json") as worse,
    ):
        past = made_once("nights", lambda: _kept_files(folder, as_ever.url))
        yield Nights(past, as_ever.url, worse.url)


def _kept_files(folder: Path, url: str) -> dict[str, str]:
    """What the action keeps of five valid runs, by `RUN/NAME`."""
    run = ("run", "nightly.yaml", "--endpoint", url, "--quiet", "--seed")
    valid = (seed for seed in range(2, 30) if call_harness(folder, *run, str(seed)).returncode == 0)
    for _ in range(NIGHTS):
        next(valid)
    files = [file for file in (folder / "results").glob("2*/*") if file.name in KEPT]
    return {f"{file.parent.name}/{file.name}": file.read_text().replace(url, ENDPOINT) for file in files}


class Repository(NamedTuple):
    """A checkout in which jobs run."""

    path: Path
    tools: Path
    scratch: Iterator[Path]

    def run(self, *, event: str = "schedule", **inputs: Any) -> Job:
        """A job of the action on the nightly suite; repeated if the run was invalid on a busy machine."""
        github = {
            "event_name": event, "event": {"pull_request": {"number": "7"}}, "token": "secret", "run_id": "42",
            "server_url": "https://github.com", "repository": "team/evals",
        }  # fmt: skip
        for scratch in self.scratch:
            scratch.mkdir()
            env = clean_environment(
                PATH=f"{self.tools}:{os.environ['PATH']}",
                RUNNER_TEMP=str(scratch),
                GITHUB_REPOSITORY="team/evals",
                FAKE_COMMENTS=str(self.comments),
            )
            job = run_action(
                SCHEDULE / "action.yml", {"suite": "suites/nightly.yaml", **inputs},
                workspace=self.path, github=github, env=env, scratch=scratch,
            )  # fmt: skip
            if job.outputs["verdict"] != "invalid":
                return job
        raise AssertionError(job.log)

    @property
    def comments(self) -> Path:
        """The pull request's comments, for the stand-in of `gh`."""
        return self.tools / "comments.json"


@pytest.fixture
def make_repository(nights: Nights, tmp_path: Path) -> Callable[[str], Repository]:
    """`make_repository(nights.worse)`: the suite, and its history as if that endpoint had always answered."""

    def make(url: str) -> Repository:
        path, tools = tmp_path / "repository", tmp_path / "tools"
        (path / "suites").mkdir(parents=True)
        (path / "suites" / "nightly.yaml").write_text(SUITE)
        for name, text in nights.past.items():
            (path / "results" / name).parent.mkdir(parents=True, exist_ok=True)
            (path / "results" / name).write_text(text.replace(ENDPOINT, url))
        tools.mkdir()
        write_tool(tools / "harness", f"#!{sys.executable}\n" + WITH_FIGURES.format(names=()))
        write_tool(tools / "gh", GH.format(python=sys.executable))
        return Repository(path, tools, (tmp_path / f"scratch-{i}" for i in count()))

    return make


def write_tool(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
