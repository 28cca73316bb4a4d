"""What runs a suite elsewhere than on GitHub: a container, systemd, cron, ECS and CodeBuild."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from harness.cli import COMMANDS, make_app
from tests.schedule.conftest import ROOT, SCHEDULE

DOCKERFILE = SCHEDULE / "Dockerfile"
UNITS = ("harness-nightly.service", "harness-nightly.timer")
SECRET = re.compile(r"AKIA|ASIA|ABSK|PRIVATE KEY|(?i:secret_access_key|password *[:=])")


def instructions() -> list[tuple[str, str]]:
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def all_of(instruction: str) -> list[str]:
    return [arguments for name, arguments in instructions() if name == instruction]


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(SCHEDULE / name, encoding="utf-8")
    return parser


class Template(yaml.SafeLoader):
    """CloudFormation's YAML, with `!Ref x` as `{"Ref": "x"}`."""


def _short_form(loader: Any, suffix: str, node: yaml.Node) -> dict[str, Any]:
    return {suffix: node.value}


Template.add_multi_constructor("!", _short_form)


@pytest.fixture(scope="module")
def template() -> Any:
    return yaml.load((SCHEDULE / "aws.yaml").read_text(encoding="utf-8"), Loader=Template)


def test_the_container_runs_one_command_and_not_as_root() -> None:
    last = max(i for i, (name, _) in enumerate(instructions()) if name == "FROM")
    final = dict(instructions()[last:])
    assert re.fullmatch(r"[1-9]\d*", final["USER"])  # a number, so that Kubernetes can tell that it is not root
    assert ('["harness"]', '["--help"]') == (final["ENTRYPOINT"], final["CMD"])
    names = [name for name, _ in instructions()[last:]]
    assert set(names[names.index("USER") :]) == {"USER", "WORKDIR", "ENTRYPOINT", "CMD"}


def test_the_container_has_named_versions_and_the_build_tools_stay_behind() -> None:
    images = [each.partition(" ")[0] for each in all_of("FROM")]
    assert 2 == len(images)
    assert all(re.fullmatch(r"python:3\.1\d-slim-\w+", each) for each in images)
    assert any("--constraint /src/constraints.txt" in each for each in all_of("RUN"))
    assert ["--from=build"] == re.findall(r"--from=\S+", " ".join(all_of("COPY")))


def test_the_container_is_built_of_the_package_alone() -> None:
    copied = {name for line in all_of("COPY") if "--from" not in line for name in line.split()[:-1]}
    first, *allowed = (SCHEDULE / "Dockerfile.dockerignore").read_text().split()
    assert "*" == first
    assert {f"!{name}" for name in copied} == {each for each in allowed if each.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("name", sorted(path.name for path in SCHEDULE.iterdir()))
def test_no_file_holds_a_secret_or_an_unnamed_version(name: str) -> None:
    text = (SCHEDULE / name).read_text(encoding="utf-8")
    assert not SECRET.search(text)
    assert not re.search(r"(FROM|image:|Image:|uses:) ?\S*(:latest|@main|@master)\b", text)


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """With a harness where the unit expects it; where there is no systemd, the test after this has the keys."""
    for name in UNITS:
        text = (SCHEDULE / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/srv/harness/.venv/bin/harness", sys.executable))
    if shutil.which("systemd-analyze"):
        line = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_the_units_run_once_a_night_and_stop_in_their_own_time() -> None:
    service, timer = (unit(name) for name in UNITS)
    text = (SCHEDULE / UNITS[0]).read_text(encoding="utf-8")
    assert ["run", "gate"] == re.findall(r"^ExecStart=\S+/harness (\w+)", text, re.MULTILINE)
    assert ("oneshot", "harness", "3") == tuple(
        service["Service"][key] for key in ("Type", "User", "SuccessExitStatus")
    )
    assert UNITS[0].partition(".")[0] == UNITS[1].partition(".")[0]  # by which a timer finds its service
    assert ("true", "timers.target") == (timer["Timer"]["Persistent"], timer["Install"]["WantedBy"])


def command_lines() -> list[tuple[str, str]]:
    """(file, command and options) of every call of harness in the schedule's files."""
    found = []
    for path in sorted(SCHEDULE.iterdir()):
        if path.name not in ("Dockerfile.dockerignore", "policy.json"):
            text = path.read_text(encoding="utf-8")
            calls = re.findall(r"(?:^|[\s/;(`])harness (\w+)((?:[ \t]+[^\s&|;>`']+)*)", text, re.MULTILINE)
            found += [(path.name, f"{command}{rest}") for command, rest in calls if command in COMMANDS]
    return found


def test_every_option_in_these_files_is_one_of_its_command() -> None:
    commands: Any = get_command(make_app())
    lines = command_lines()
    assert len({name for name, _ in lines}) >= 5
    wrong = []
    for name, line in lines:
        command, *rest = line.split()
        known = {option for each in commands.commands[command].params for option in each.opts}
        wrong += [f"{name}: {line}" for each in rest if each.startswith("--") and each.partition("=")[0] not in known]
    assert [] == wrong


def test_cron_is_silent_after_a_night_as_ever_and_mails_the_log_after_another(tmp_path: Path) -> None:
    text = (SCHEDULE / "crontab").read_text(encoding="utf-8")
    jobs = [line for line in text.splitlines() if re.match(r"\d", line)]
    assert all(re.match(r"\d+ \d+ \* \* [*\d] cd ", line) and "%" not in line for line in jobs)  # cron's % ends a line
    line = jobs[0].split(maxsplit=5)[5]
    tool = tmp_path / "bench" / ".venv" / "bin" / "harness"
    tool.parent.mkdir(parents=True)
    for code, mailed in ((0, ""), (1, "run\ngate\n")):
        tool.write_text(f'#!/bin/sh\necho "$1"\n[ "$1" = run ] || exit {code}\n')
        tool.chmod(0o755)
        env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        done = subprocess.run(["/bin/sh", "-c", line], env=env, capture_output=True, text=True, check=True)
        assert (mailed, "") == (done.stdout, done.stderr)


def test_the_schedule_may_start_one_task_and_the_task_may_do_what_you_attach(template: Any) -> None:
    resources = template["Resources"]
    (policy,) = resources["StartRole"]["Properties"]["Policies"]
    actions = {each["Action"]: each["Resource"] for each in policy["PolicyDocument"]["Statement"]}
    assert {"Ref": "Task"} == actions["ecs:RunTask"]
    assert {"ecs:RunTask", "iam:PassRole"} == set(actions)
    assert {"AssumeRolePolicyDocument"} == set(resources["TaskRole"]["Properties"])
    assert 0 == resources["Night"]["Properties"]["Target"]["RetryPolicy"]["MaximumRetryAttempts"]
    image = re.compile(template["Parameters"]["Image"]["AllowedPattern"])
    assert image.fullmatch("1.dkr.ecr.us-east-1.amazonaws.com/harness:0.1.0")
    assert image.fullmatch("registry:5000/harness@sha256:" + "0" * 64)
    assert not any(image.fullmatch(each) for each in ("harness", "harness:latest", "registry:5000/harness"))


def test_the_task_runs_and_gates_with_variables_that_it_has(template: Any) -> None:
    (container,) = template["Resources"]["Task"]["Properties"]["ContainerDefinitions"]
    (line,) = container["Command"]
    assert set(re.findall(r"\$(\w+)", line)) <= {each["Name"] for each in container["Environment"]}
    assert ["run", "gate"] == re.findall(r"harness (\w+)", line)
    spec = yaml.safe_load((SCHEDULE / "buildspec.yml").read_text(encoding="utf-8"))
    assert ["run", "gate"] == re.findall(r"bin/harness (\w+)", " ".join(spec["phases"]["build"]["commands"]))
