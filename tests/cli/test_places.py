"""Places that are no paths: refused by every option and argument, before a folder of that name is made."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from harness.cli import COMMANDS
from harness.cli.places import local_path
from harness.errors import HarnessError


def functions() -> list[Any]:
    """Those of all commands and of what is below them."""
    found = []
    for place in COMMANDS.values():
        module, name = place.split(":")
        command = getattr(import_module(module), name)
        below = command.registered_commands if isinstance(command, typer.Typer) else None
        found += [command] if below is None else [each.callback for each in below]
    return found


def test_every_option_and_argument_that_is_a_path_refuses_addresses() -> None:
    paths = 0
    for function in functions():
        hints = get_type_hints(function, include_extras=True)
        for name in inspect.signature(function).parameters:
            kind, info, *_ = (*get_args(hints[name]), None, None)
            if kind in (Path, Path | None):
                paths += 1
                assert info.parser is local_path, f"{function.__name__}: {name}"
    assert paths > 20


@pytest.mark.parametrize("written", ["s3://bucket/x", "S3:/x", "gs://b", "http://host/x", "abfss://c@a/x"])
def test_an_address_is_no_path(written: str) -> None:
    with pytest.raises(HarnessError, match="is not a path on this machine; use a folder here, and copy it"):
        local_path(written)


def test_a_file_url_is_told_what_to_write() -> None:
    with pytest.raises(HarnessError, match="leave file:// out"):
        local_path("file:///tmp/x")


@pytest.mark.parametrize("written", ["results", "/tmp/a:b/c", "C:/results", "./s3:/x", "20261122T024500Z-s3-a1b2c3"])
def test_a_path_stays_what_it_is(written: str) -> None:
    assert Path(written) == local_path(written)


@pytest.mark.parametrize(
    "line",
    [
        "run tiny.yaml --quiet --out s3://bucket/x",
        "sweep tiny.yaml --quiet --slo-ttft 1s --out s3://bucket/x",
        "history s3://bucket/x",
        "history --out s3://bucket/x",
        "query DESCRIBE --results s3://bucket/x",
        "compare s3://bucket/x",
        "compare --out s3://bucket/x",
        "report s3://bucket/x",
        "reconcile s3://bucket/x",
        "gate s3://bucket/x",
        "gate --junit s3://bucket/x",
        "gate --markdown s3://bucket/x",
        "baseline set s3://bucket/x",
        "baseline show --results s3://bucket/x",
    ],
)
def test_a_command_says_so_and_makes_nothing(tmp_path: Path, suite: Path, command: Any, line: str) -> None:
    told = command(*line.split())
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("error: s3://bucket/x: s3:// is not a path on this machine; ")
    assert [suite] == list(tmp_path.iterdir())
