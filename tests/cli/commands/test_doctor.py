from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from harness.cli.commands.doctor import doctor
from harness.errors import HarnessError

CANARIES = {
    "AWS_ACCESS_KEY_ID": "CANARY-id",
    "AWS_SECRET_ACCESS_KEY": "CANARY-secret",
    "AWS_SESSION_TOKEN": "CANARY-session",
}
SUITE = """\
suite: tiny
targets: [{{model: {model}, routing: {routing}, api: converse, client: aioboto3, region: us-east-1}}]
prompts: [{{id: france, prompt: Capital of France?, expect: Paris}}]
"""
Doctor = Callable[..., Result]


@pytest.fixture
def run_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """`harness doctor ARGUMENTS` with no AWS variables in its environment except the given ones.

    AWS_ENDPOINT_URL stands in for AWS here, which it cannot for a user.
    """
    monkeypatch.setattr("harness.endpoints.aws.IGNORE_CONFIGURED_URLS", False)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(doctor)
    nothing = dict.fromkeys(
        ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL", *CANARIES)
    )
    files = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}

    def run(*arguments: str | Path, **environment: str) -> Result:
        paths = {name: str(tmp_path / file) for name, file in files.items()}
        plain = {"AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "100", "NO_COLOR": "1"}
        return CliRunner().invoke(app, [*map(str, arguments)], env={**nothing, **paths, **plain, **environment})

    return run


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
    def write(model: str = "claude-haiku-4-5", routing: str = "global") -> Path:
        path = tmp_path / "tiny.yaml"
        path.write_text(SUITE.format(model=model, routing=routing))
        return path

    return write


def everything_said(result: Result) -> str:
    """The output, and what `--debug` would show."""
    raised = result.exception
    return result.output + ("".join(traceback.format_exception(raised)) if raised else "")


def diagnoses(result: Result) -> dict[str, Any]:
    return {each["check"]: each for each in json.loads(result.stdout)["diagnoses"]}


def test_without_a_suite_it_shows_identity_region_logging_and_callable_models(bedrock: Any, run_doctor: Doctor) -> None:
    result = run_doctor("--endpoint", bedrock.url, "--region", "us-west-2")
    assert 0 == result.exit_code, everything_said(result)
    for part in ("identity", "credentials: made up", "us-west-2", "logging", "models that can be called"):
        assert part in " ".join(result.stdout.split())
    assert "us.anthropic.claude-sonnet-4-5-20250929-v1:0" in result.stdout


def test_a_suite_that_can_run_at_the_simulator_has_no_problem(
    bedrock: Any, run_doctor: Doctor, write_suite: Callable[..., Path]
) -> None:
    result = run_doctor(write_suite(), "--endpoint", bedrock.url, "--json")
    assert 0 == result.exit_code, everything_said(result)
    found = diagnoses(result)
    assert ["ok"] * 4 == [found[check]["status"] for check in ("identity", "offered", "route", "lifecycle")]
    assert "tokens/min" in found["quota"]["told"]


def test_the_source_of_credentials_is_shown_but_never_the_credentials(bedrock: Any, run_doctor: Doctor) -> None:
    result = run_doctor("--region", "us-east-1", "--json", AWS_ENDPOINT_URL=bedrock.url, **CANARIES)
    assert 0 == result.exit_code, everything_said(result)
    assert "credentials: env" in diagnoses(result)["identity"]["told"]
    assert "CANARY" not in everything_said(result)


def test_a_default_region_is_shown_as_such(bedrock: Any, run_doctor: Doctor) -> None:
    result = run_doctor("--json", AWS_ENDPOINT_URL=bedrock.url, **CANARIES)
    assert "us-east-1, the default" in diagnoses(result)["region"]["told"]
    result = run_doctor("--json", AWS_ENDPOINT_URL=bedrock.url, AWS_REGION="eu-west-1", **CANARIES)
    assert "eu-west-1" == diagnoses(result)["region"]["told"]


def test_a_simulator_suite_is_checked_on_aws_and_a_problem_is_exit_code_4(
    bedrock: Any, run_doctor: Doctor, write_suite: Callable[..., Path]
) -> None:
    suite = write_suite("claude-3-haiku", "us")
    result = run_doctor(suite, AWS_ENDPOINT_URL=bedrock.url, **CANARIES)
    assert 4 == result.exit_code, everything_said(result)
    assert "reached its end of life on 2026-09-10" in " ".join(result.stdout.split())
    assert "1 problem" in result.stdout
    assert "CANARY" not in everything_said(result)


def test_remedies_follow_their_problems_and_nothing_is_wider_than_the_terminal(
    bedrock: Any, run_doctor: Doctor
) -> None:
    result = run_doctor("--region", "us-east-1", AWS_ENDPOINT_URL=bedrock.url, COLUMNS="80", **CANARIES)
    assert "→ turn it on" in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (("--region", "us-east-1"), {}, "no AWS credentials were found"),
        (("--region", "us-east-1"), {"AWS_PROFILE": "wrok"}, "there is no AWS profile 'wrok'"),
        (("--region", "us-eest-1"), CANARIES, "unknown Region 'us-eest-1'"),
        (("--endpoint", "simulator"), CANARIES, "the simulator has no account to check"),
        (("--endpoint", "ftp://x"), CANARIES, "neither"),
        (("--region", "us-east-1"), {**CANARIES, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "is not available"),
    ],
)
def test_bad_credentials_and_bad_input_are_exit_code_2_without_a_secret(
    run_doctor: Doctor, arguments: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    result = run_doctor(*arguments, **environment)
    assert isinstance(result.exception, HarnessError), everything_said(result)
    assert 2 == result.exception.exit_code
    assert message in str(result.exception)
    assert "CANARY" not in everything_said(result)


def test_a_region_with_a_suite_is_rejected(run_doctor: Doctor, write_suite: Callable[..., Path]) -> None:
    result = run_doctor(write_suite(), "--region", "us-east-1")
    assert "each target has its own" in str(result.exception)


def test_it_prints_a_policy_and_checks_one_without_asking_aws(
    run_doctor: Doctor, write_suite: Callable[..., Path], tmp_path: Path
) -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    printed = run_doctor(write_suite(), "--print-policy", "--results", "s3://my-bench/results", **nowhere)
    (tmp_path / "policy.json").write_text(printed.stdout)
    results = ("--results", "s3://my-bench/results")
    checked = run_doctor(write_suite(), "--policy", tmp_path / "policy.json", *results, **nowhere)
    assert (0, True) == (checked.exit_code, "and no other" in checked.stdout), everything_said(checked)
    unused = run_doctor(write_suite(), "--policy", tmp_path / "policy.json", "--json")
    assert 0 == unused.exit_code
    of_s3 = [each for each in json.loads(unused.stdout)["diagnoses"] if each["told"].startswith("grants s3:")]
    assert ["remove it, or name with --results where runs are kept"] * 4 == [each["remedy"] for each in of_s3]
    other = run_doctor(write_suite("claude-sonnet-4-6", "us"), "--policy", tmp_path / "policy.json")
    assert (4, True) == (other.exit_code, "does not allow bedrock:Invoke" in " ".join(other.stdout.split()))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--print-policy"], "name a suite"),
        (["SUITE", "--results", "s3://b/p"], "use either --policy FILE or --print-policy with --results"),
        (["SUITE", "--policy", "p.json", "--print-policy"], "use either --policy FILE or --print-policy"),
        (["SUITE", "--print-policy", "--results", "/srv/results"], "/srv/results: is not the address of a bucket"),
        (["SUITE", "--print-policy", "--results", "s3://My_Bench"], "s3://My_Bench: is not the address of a bucket"),
    ],
)
def test_options_of_a_policy_that_make_no_sense_are_refused(
    run_doctor: Doctor, write_suite: Callable[..., Path], arguments: list[str], told: str
) -> None:
    result = run_doctor(*(write_suite() if each == "SUITE" else each for each in arguments))
    assert isinstance(result.exception, HarnessError)
    assert told in str(result.exception)
