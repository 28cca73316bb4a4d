"""`harness schema`: a JSON Schema that accepts the shipped suites and knows every check's parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.cli.commands.suites.schema import schema
from harness.suite.grammar.yaml_lines import read_yaml
from harness.suite.write import starter_suite

SUITES = sorted((Path(__file__).parents[4] / "suites").glob("*.yaml"))


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    schema()
    return dict(json.loads(capsys.readouterr().out))


def errors(schema: dict[str, Any], text: str) -> list[str]:
    document, _ = read_yaml(text, name="x.yaml")
    return [error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(document.root.value)]


def test_it_is_a_valid_schema_that_accepts_what_is_shipped(printed: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(printed)
    for text in [*(path.read_text(encoding="utf-8") for path in SUITES), starter_suite("x")]:
        assert errors(printed, text) == []


def test_every_object_is_closed_and_described(printed: dict[str, Any]) -> None:
    for name, each in printed["$defs"].items():
        assert each["additionalProperties"] is False, name
        assert each["description"], name


@pytest.mark.parametrize(
    "check", ["{type: nope}", "{type: numeric, tolerence: 1}", "{type: regex}", "{type: contains, mode: some}", "{}"]
)
def test_a_wrong_check_is_reported(printed: dict[str, Any], check: str) -> None:
    text = f"suite: x\ntargets: [{{model: m}}]\nprompts: [{{id: a, prompt: b, checks: [{check}]}}]"
    assert [path for path in errors(printed, text) if path.startswith("$.prompts[0].checks[0]")]
