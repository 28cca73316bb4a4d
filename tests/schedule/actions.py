"""Runs the `run:` lines of a composite action as GitHub's runner does: in order, with bash, and with its files."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
WORD = re.compile(r"'[^']*'|[\w.-]+|&&|\|\||==|!=|!|\(|\)")
OPERATORS = {"&&": "and", "||": "or", "!": "not"}
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")
"""What `shell: bash` means."""
FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH", "GITHUB_ENV")

Contexts = Mapping[str, Any]


def evaluate(expression: str, contexts: Contexts) -> Any:
    """The value of an expression that has contexts, texts, `==`, `!=`, `&&`, `||` and `!`."""

    def translate(word: str) -> str:
        if word in OPERATORS or word in ("==", "!=", "(", ")") or word.startswith("'"):
            return OPERATORS.get(word, word)
        return repr(look_up(word, contexts))

    words = WORD.findall(expression)
    assert "".join(words) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", expression), expression
    return eval(" ".join(map(translate, words)), {"__builtins__": {}})


def look_up(name: str, contexts: Contexts) -> Any:
    """`steps.run.outputs.folder`; '' for what is missing, as in GitHub."""
    value: Any = contexts
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value


def fill_in(text: Any, contexts: Contexts) -> str:
    """A value of the file with its expressions replaced."""
    written = str(text).lower() if isinstance(text, bool) else str(text)
    return EXPRESSION.sub(lambda match: str(evaluate(match[1], contexts)), written)


class Job(NamedTuple):
    """How a job's action ended."""

    code: int
    ran: list[str]
    """The names of the steps that ran."""
    outputs: dict[str, str]
    summary: str
    log: str


def read_yaml(path: Path) -> Any:
    """A workflow or an action; `on` stays a text, as GitHub reads it."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def run_action(
    action: Path, given: Mapping[str, Any], *, workspace: Path, github: Contexts, env: Mapping[str, str], scratch: Path
) -> Job:
    """Run an action's `run:` steps in `workspace` until one fails; `uses:` steps and the installation are left out.

    `given`: the action's inputs. `env`: what the runner's machine has, `PATH` above all.
    """
    definition = read_yaml(action)
    defaults = {name: each.get("default", "") for name, each in definition["inputs"].items()}
    contexts: dict[str, Any] = {"github": github, "steps": {}, "inputs": {}}
    contexts["inputs"] = {name: fill_in(value, contexts) for name, value in {**defaults, **given}.items()}
    code, ran, summary, log = 0, [], "", ""
    for step in _run_steps(definition, contexts):
        files = {name: scratch / f"{len(ran)}-{name}" for name in FILES}
        done = run_step(step, contexts, workspace, {**env, **{name: str(path) for name, path in files.items()}})
        ran.append(step["name"])
        log += done.stdout + done.stderr
        text = {name: path.read_text(encoding="utf-8") if path.exists() else "" for name, path in files.items()}
        summary += text["GITHUB_STEP_SUMMARY"]
        outputs = dict(line.split("=", 1) for line in text["GITHUB_OUTPUT"].splitlines())
        contexts["steps"][step.get("id", step["name"])] = {"outputs": outputs}
        code = done.returncode
        if code:
            break
    outputs = {name: fill_in(each["value"], contexts) for name, each in definition["outputs"].items()}
    return Job(code, ran, outputs, summary, log)


def _run_steps(definition: Any, contexts: Contexts) -> Iterator[Any]:
    for step in definition["runs"]["steps"]:
        if "run" in step and step["name"] != "Install harness" and evaluate(step.get("if", "'yes'"), contexts):
            yield step


def run_step(
    step: Any, contexts: Contexts, workspace: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run one step's lines, with the variables that it sets."""
    assert "bash" == step["shell"]
    own = {name: fill_in(value, contexts) for name, value in step.get("env", {}).items()}
    return subprocess.run(
        [*BASH, step["run"]],
        cwd=workspace,
        env={**env, **own},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without AWS's and GitHub's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GITHUB_", "GH_"))}
    return {**kept, **more}
