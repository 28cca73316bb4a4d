"""A user's mistakes: one clear message each, exit code 2, never a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import __version__
from tests.canary import NO_CREDENTIALS
from tests.cli.commands.suites.test_import_log import record

IN_THE_SUITE = {
    "bad YAML": ("suite: tiny", "suite: [tiny", "expected ',' or ']'"),
    "an unknown key": ("repeats: 2", "repeat: 2", "unknown key 'repeat'; did you mean 'repeats'?"),
    "an unknown model": ("claude-haiku-4-5", "claude-haiku-4-6", "claude-haiku-4-5"),
    "a routing that is not offered": ("routing: global", "routing: mars", "'mars' is not offered for claude-haiku-4-5"),
    "a client that does not exist": ("client: anthropic", "client: curl", "unknown client 'curl'"),
    "a client that does not speak the api": (
        "api: invoke, client: anthropic",
        "api: converse, client: anthropic",
        "client 'anthropic' does not support api 'converse'",
    ),
    "an unknown check": ("type: numeric", "type: numerical", "numeric"),
    "a dataset that cannot be read": ("prompts:", "dataset: nowhere.csv\nprompts:", "nowhere.csv"),
}


@pytest.mark.parametrize("what", IN_THE_SUITE)
def test_a_mistake_in_the_suite_is_reported_with_its_line(harness: Any, suite: Path, what: str) -> None:
    right, wrong, message = IN_THE_SUITE[what]
    suite.write_text(suite.read_text().replace(right, wrong, 1))
    done = harness("run", "tiny.yaml")
    assert (2, "") == (done.returncode, done.stdout)
    assert re.match(r"error: (tiny\.yaml|nowhere\.csv):\d+: ", done.stderr)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_every_mistake_in_a_suite_is_reported_at_once(harness: Any, suite: Path) -> None:
    text = suite.read_text()
    expected = []
    for what in ("an unknown model", "an unknown key", "an unknown check"):
        right, wrong, message = IN_THE_SUITE[what]
        expected.append((text[: text.index(right)].count("\n") + 1, message))
        text = text.replace(right, wrong, 1)
    suite.write_text(text)
    lines = harness("run", "tiny.yaml").stderr.splitlines()
    assert len(expected) == len(lines)
    for (number, message), line in zip(expected, lines, strict=True):
        assert f"tiny.yaml:{number}: " in line
        assert message in line


def test_a_suite_without_prompts_is_rejected(harness: Any, suite: Path) -> None:
    suite.write_text(suite.read_text().partition("prompts:")[0])
    done = harness("run", suite)
    assert 2 == done.returncode
    assert "the suite has no prompts" in done.stderr


ON_THE_LINE = {
    "a missing file": (["run", "nowhere.yaml"], "nowhere.yaml"),
    "an endpoint that is no URL": (
        ["run", "tiny.yaml", "--endpoint", "bedrock"],
        "write for example http://127.0.0.1:9000",
    ),
    "an endpoint without encryption": (["run", "tiny.yaml", "--endpoint", "http://example.com"], "use https://"),
    "a target that the suite has not": (["run", "tiny.yaml", "--target", "whol"], "did you mean 'whole'?"),
    "an endpoint that is no URL, for a dry run": (
        ["run", "tiny.yaml", "--endpoint", "awss", "--dry-run"],
        "write for example http://127.0.0.1:9000",
    ),
    "a budget of nothing": (["run", "tiny.yaml", "--budget", "0"], "must be finite and more than 0"),
    "repeats below one": (["run", "tiny.yaml", "--repeats", "0"], "--repeats"),
    "an unknown option": (["run", "tiny.yaml", "--repeat", "2"], "--repeats"),
    "an unknown command": (["rnu"], "No such command 'rnu'"),
    "a report on no run": (["report", "."], "not a run"),
    "a report where there are no runs": (["report"], "results"),
    "a port in use or out of range": (["simulate", "--port", "99999"], "65535"),
    "a timing that is none": (["simulate", "--fixed", "200,15,100"], "200ms,15ms,100"),
    "a timing in two parts": (["simulate", "--fixed", "200ms,15ms"], "3 values are needed, not 2"),
    "a fault that is none": (["simulate", "--faults", '[{"fault": "gremlins"}]'], "there is no fault 'gremlins'; use"),
    "a stall without its length": (["simulate", "--stall", "5s"], "2 values are needed, not 1; write AFTER,FOR"),
    "a capacity of no routing": (["simulate", "--capacity", "mars=3"], "'mars' is not a routing (known: global, us, "),
}


@pytest.mark.parametrize("what", ON_THE_LINE)
def test_a_mistake_on_the_command_line_says_how_to_fix_it(harness: Any, suite: Path, what: str) -> None:
    arguments, message = ON_THE_LINE[what]
    done = harness(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_without_credentials_a_run_against_aws_says_so_and_sends_nothing(
    harness: Any, suite: Path, tmp_path: Path
) -> None:
    nowhere = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    done = harness("run", suite, "--endpoint", "aws", **nowhere, **NO_CREDENTIALS)
    assert 2 == done.returncode
    assert "credentials" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_version_is_printed(harness: Any) -> None:
    done = harness("--version")
    assert (0, f"{__version__}\n") == (done.returncode, done.stdout)


def test_a_reader_that_closes_the_pipe_early_changes_nothing(tmp_path: Path) -> None:
    script = f"{{ {sys.executable} -m harness models; echo $? > code; }} | head -1"
    subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, check=False)
    assert "0" == (tmp_path / "code").read_text().strip()


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, str]:
    """An environment with a missing profile and a file that cannot be parsed."""
    (tmp_path / "broken").write_text("[profile")
    return {"AWS_PROFILE": "nosuch", "AWS_CONFIG_FILE": str(tmp_path / "broken")}


def test_a_missing_profile_does_not_affect_the_simulator(
    harness: Any, suite: Path, bedrock: Any, broken: dict[str, str]
) -> None:
    done = harness("run", suite, "--endpoint", bedrock.url, "--repeats", "1", **broken)
    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [(), ("tiny.yaml",)])
def test_a_missing_profile_does_not_affect_the_doctor_at_the_simulator(
    command: Any, suite: Path, bedrock: Any, broken: dict[str, str], arguments: tuple[str, ...]
) -> None:
    done = command("doctor", *arguments, "--endpoint", bedrock.url, AWS_DEFAULT_REGION="eu-west-1", **broken)
    assert 0 == done.returncode, done.stderr
    assert arguments or "eu-west-1" in done.stdout


def test_a_missing_profile_does_not_affect_a_local_log(command: Any, tmp_path: Path, broken: dict[str, str]) -> None:
    (tmp_path / "log.jsonl").write_text(record("Capital of France?"))
    done = command("import", "log.jsonl", "--out", "mine.yaml", **broken)
    assert 0 == done.returncode, done.stderr
