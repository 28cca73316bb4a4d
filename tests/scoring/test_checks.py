"""Checks become scorers, and every mistake in a check is reported with its place."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.errors import SuiteError
from harness.scoring import SCORERS, load_scorer, scorer_names
from harness.scoring.checks import check_mistakes, check_schemas, make_scorer, redaction_mistakes
from harness.suite.suite import Check, Load, Message, Prompt, Suite


def make_prompt(kind: str, params: dict[str, Any], expect: str | None = None) -> Prompt:
    check = Check(type=kind, params=params)
    return Prompt(id="p", messages=(Message(role="user", content="?"),), expect=expect, checks=(check,))


def find(kind: str, params: dict[str, Any], expect: str | None = None) -> list[tuple[str, str]]:
    good = make_prompt("exact", {}, "yes")
    prompts = (good, make_prompt(kind, params, expect))
    suite = Suite(name="s", digest="", endpoint="simulator", targets=(), prompts=prompts)
    found = []
    for mistake in check_mistakes(suite):
        assert mistake.path[:4] == ("prompts", 1, "checks", 0)
        found.append((".".join(str(step) for step in mistake.path[4:]), mistake.message))
    return found


def test_good_checks_have_no_mistakes() -> None:
    assert find("exact", {"expect": "x"}) == []
    assert find("numeric", {"tolerance": 1}, expect="5") == []
    assert find("contains", {"expect": ["a", "b"], "mode": "any"}) == []
    assert find("regex", {"pattern": "a+", "flags": "im"}) == []
    assert find("json_schema", {"schema": {"type": "object"}}) == []
    assert find("json_schema", {"schema": {"properties": {"unevaluatedItems": {"enum": [{"$ref": "#/x"}]}}}}) == []


@pytest.mark.parametrize(
    ("load", "mistakes"),
    [
        (Load(), []),
        (Load(redact=("x",)), []),
        (Load(redact=("(",)), []),
        (Load(redact=("1",), store_text=0.0), []),
        (
            Load(redact=("1",)),
            ["does not work with load.redact: no number in '[redacted]'; narrow the patterns, or leave"],
        ),
    ],
)
def test_a_check_that_cannot_grade_redacted_texts_is_a_mistake(load: Load, mistakes: list[str]) -> None:
    prompts = (make_prompt("exact", {}, "1"), make_prompt("numeric", {}, "1"), make_prompt("numeric", {}, "one"))
    suite = Suite(name="s", digest="", endpoint="simulator", targets=(), prompts=prompts, load=load)
    found = list(redaction_mistakes(suite))
    assert [("prompts", 1, "checks", 0)] * len(mistakes) == [each.path for each in found]
    assert mistakes == [each.message[: len(mistake)] for each, mistake in zip(found, mistakes, strict=True)]


@pytest.mark.parametrize(
    ("kind", "params", "expect", "where", "message"),
    [
        ("exakt", {}, "x", "type", "did you mean 'exact'?"),
        ("exact", {}, None, "", "check 'exact' needs 'expect'; give it here or as the prompt's `expect`"),
        ("exact", {"expekt": "x"}, "x", "expekt", "unknown key 'expekt'; did you mean 'expect'?"),
        ("exact", {"expect": 5}, None, "expect", "expected text, got int; put it in quotes"),
        ("exact", {"expect": ""}, None, "expect", "length >= 1"),
        ("contains", {"expect": ["a", 5]}, None, "expect.1", "expected text, got int; put it in quotes"),
        ("contains", {"expect": "a", "mode": "some"}, None, "mode", "some"),
        ("exact", {}, " \n", "", "`expect` is blank"),
        ("exact", {"expect": "\u200b\u00a0\u3000"}, None, "", "`expect` is blank"),
        ("contains", {}, " ", "", "`expect` is blank: ' ' is only white space"),
        ("contains", {"expect": ["a", "\u2028"]}, None, "", "`expect` is blank"),
        ("similarity", {}, "\t", "", "`expect` is blank"),
        ("regex", {"pattern": " ", "flags": "x"}, None, "", "`pattern` is blank"),
        ("regex", {}, "x", "", "check 'regex' needs 'pattern'"),
        ("regex", {"pattern": "(a"}, None, "", "is not a regular expression: missing )"),
        ("regex", {"pattern": "a", "flags": "q"}, None, "flags", "imsx"),
        ("numeric", {}, "twelve", "", "no number in 'twelve'"),
        ("numeric", {}, "2024-05-17", "", "`expect` is '2024-05-17', which is more than one number"),
        ("numeric", {}, "3 to 4", "", "more than one number"),
        ("numeric", {}, "1,234", "", "may be 1234 or 1.234; write one of these"),
        ("numeric", {"expect": "-1,234 EUR"}, None, "", "may be -1234 or -1.234; write one of these"),
        ("numeric", {}, "1e9999", "", "no number in '1e9999'"),
        ("numeric", {}, "1/0", "", "`expect` is '1/0', which is more than one number"),
        ("numeric", {"expect": 1, "tolerance": -1}, None, "tolerance", ">= 0"),
        ("numeric", {"expect": float("inf")}, None, "", "not a finite number"),
        ("json_schema", {}, None, "", "check 'json_schema' needs 'schema'"),
        ("json_schema", {"schema": {"type": "objekt"}}, None, "", "not a JSON Schema at $.type"),
        ("json_schema", {"schema": {"unevaluatedProperties": False}}, None, "", "use additionalProperties"),
        ("json_schema", {"schema": {"$defs": {"a": {"unevaluatedItems": False}}}}, None, "", "use items"),
        (
            "json_schema",
            {"schema": {"allOf": [{"unevaluatedItems": False}]}},
            None,
            "",
            "unevaluatedItems is not",
        ),
        ("json_schema", {"schema": {"$ref": "http://127.0.0.1:9/x.json"}}, None, "", "is not in the schema"),
        ("json_schema", {"schema": {"$ref": "#/$defs/none"}}, None, "", "is not in the schema"),
    ],
)
def test_a_bad_check_is_reported(
    kind: str, params: dict[str, Any], expect: str | None, where: str, message: str
) -> None:
    [(place, found)] = find(kind, params, expect)
    assert place == where
    assert message in found


def test_a_blank_rubric_and_a_blank_passage_are_reported() -> None:
    assert "`rubric` is blank" in str(find("judge", {"rubric": " ", "judge": "j"}))
    assert "`text` is blank" in str(find("citations", {"text": "\u3000"}))


def test_all_mistakes_of_a_check_are_reported_at_once() -> None:
    assert len(find("regex", {"paternn": "a", "flag": "i"})) == 3


def test_a_bad_check_makes_no_scorer() -> None:
    prompt = make_prompt("exact", {})
    with pytest.raises(SuiteError, match="prompt 'p': check: check 'exact' needs 'expect'"):
        make_scorer(prompt.checks[0], prompt)


def test_every_scorer_has_a_valid_schema() -> None:
    schemas = check_schemas()
    assert list(schemas) == scorer_names() == list(SCORERS)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
        assert schema["additionalProperties"] is False
    assert schemas["regex"]["required"] == ["pattern"]
    assert schemas["exact"]["required"] == []


@pytest.mark.parametrize("name", SCORERS)
def test_every_scorer_of_the_table_can_be_loaded(name: str) -> None:
    assert load_scorer(name).__doc__
