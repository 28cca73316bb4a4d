"""Each scorer on answers that are right, wrong and hostile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from harness.scoring.checks import make_scorer
from harness.scoring.scorer import Outcome
from harness.suite.suite import Check, Message, Prompt
from tests.timing import assert_linear


async def score(kind: str, answer: str, params: dict[str, Any], expect: str | None = None) -> Outcome:
    prompt = Prompt(id="p", messages=(Message(role="user", content="?"),), expect=expect)
    return await make_scorer(Check(type=kind, params=params), prompt).score(prompt, answer)


@pytest.mark.parametrize(
    ("answer", "expect"),
    [
        ("Paris", "Paris"),
        ("paris.", "Paris"),
        ("  **Paris**\n", "Paris"),
        ("“Paris”!", "Paris"),
        ("`Paris`", "Paris"),
        ('**"Paris."**', "Paris"),
        ("New\n  York", "New York"),
        ("STRASSE", "Straße"),
        ("ﬁne", "fine"),
        ("cafe\u0301", "café"),
        ("don’t know", "don't know"),
        ("well‑known", "well-known"),
        ("New\u00a0York", "New York"),
        ("New\u3000York\u2028", "New York"),
        ("\ufeffNew\u200b \u202fYork", "New York"),
        ("Donau\u00addampf", "Donaudampf"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("?", "?"),
        ("C++", "C++"),
    ],
)
async def test_exact_ignores_what_a_reader_ignores(answer: str, expect: str) -> None:
    assert await score("exact", answer, {}, expect) == Outcome(value=1.0, passed=True)


@pytest.mark.parametrize(
    ("answer", "expect"),
    [("", "Paris"), ("Paris, France", "Paris"), ("Lyon", "Paris"), ("", "?"), ("!", "?"), ("-5", "5"), ("C", "C++")],
)
async def test_exact_fails_what_differs(answer: str, expect: str) -> None:
    outcome = await score("exact", answer, {}, expect)
    assert (outcome.passed, outcome.value) == (False, 0.0)
    assert outcome.reason == f"expected {expect!r}, got {answer!r}"


async def test_exact_can_be_case_sensitive() -> None:
    assert (await score("exact", "*paris*", {"case_sensitive": True}, "Paris")).passed is False
    assert (await score("exact", "*Paris*", {"case_sensitive": True}, "Paris")).passed is True


@pytest.mark.parametrize(
    ("expect", "mode", "passed"),
    [
        ("PARIS", "all", True),
        (["paris", "seine"], "all", True),
        (["paris", "rome"], "all", False),
        (["paris", "rome"], "any", True),
        (["oslo", "rome"], "any", False),
    ],
)
async def test_contains_requires_all_or_any(expect: str | list[str], mode: str, passed: bool) -> None:
    outcome = await score("contains", "Paris lies on\nthe Seine.", {"expect": expect, "mode": mode})
    assert outcome.passed is passed


async def test_contains_names_what_is_missing() -> None:
    outcome = await score("contains", "Paris", {"expect": ["Rome", "paris"]})
    assert outcome.reason == "does not contain 'Rome'"


@pytest.mark.parametrize(
    ("pattern", "flags", "answer", "passed"),
    [
        (r"\b\d{4}\b", "", "in 1969.", True),
        ("paris", "", "Paris", False),
        ("paris", "i", "Paris", True),
        ("^b$", "m", "a\nb", True),
        ("a.b", "s", "a\nb", True),
        ("a b # comment", "x", "ab", True),
    ],
)
async def test_regex_searches_the_answer(pattern: str, flags: str, answer: str, passed: bool) -> None:
    assert (await score("regex", answer, {"pattern": pattern, "flags": flags})).passed is passed


async def test_regex_gives_up_on_a_pattern_that_backtracks_endlessly() -> None:
    with pytest.raises(TimeoutError, match="make it backtrack less"):
        await score("regex", "a" * 5_000 + "b", {"pattern": "(a|aa)+$"})


@pytest.mark.parametrize(
    ("answer", "params", "passed"),
    [
        ("The total is $118.40.", {"expect": 118.4}, True),
        ("118.41", {"expect": 118.40, "tolerance": 0.01}, True),
        ("118.42", {"expect": 118.40, "tolerance": 0.01}, False),
        ("1.1", {"expect": 1.0, "tolerance": 0.1}, True),
        ("99", {"expect": 100, "relative": 0.01}, True),
        ("-101", {"expect": -100, "relative": 0.01}, True),
        ("98", {"expect": 100, "relative": 0.01, "tolerance": 1}, False),
        ("1,234", {"expect": "1,234.00"}, True),
        ("twelve", {"expect": 12}, False),
        ("9" * 100_000, {"expect": 12}, False),
        ("1e999", {"expect": 12}, False),
    ],
)
async def test_numeric_compares_the_last_number(answer: str, params: dict[str, Any], passed: bool) -> None:
    assert (await score("numeric", answer, params)).passed is passed


async def test_numeric_defaults_to_the_prompts_expect() -> None:
    assert (await score("numeric", "It is 118.40", {}, expect="118.4")).passed is True


INVOICE = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number"}, "lines": {"type": "array"}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "answer",
    [
        '{"total": 5}',
        'Here you are:\n```json\n{"total": 5}\n```\nAnything else?',
        '```\n{"total": 5}\n```',
        'The [draft] says {"total": 5}, I think.',
        '```python\nprint("no")\n```\nso {"total": 5}',
    ],
)
async def test_json_schema_finds_the_json(answer: str) -> None:
    assert await score("json_schema", answer, {"schema": INVOICE}) == Outcome(value=1.0, passed=True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "the answer contains no JSON"),
        ("five", "the answer contains no JSON"),
        ('{"total": NaN}', "the answer contains no JSON"),
        ('{"total": 5', "the answer contains no JSON"),
        ('{"total": "5"}', "$.total: '5' is not of type 'number'"),
        ('{"sum": 5}', "$: 'total' is a required property"),
        ('{"total": 5, "more": 1}', "$: 'more' is not allowed here"),
        ("[" * 100_000, "the JSON is nested too deeply"),
        ('{"total": ' + "[" * 50_000 + "]" * 50_000 + "}", "the JSON is nested too deeply"),
        ("[" * 300_000, "the answer has more than 200,000 characters"),
        ("9" * 10_000, "the answer contains no JSON"),
    ],
)
async def test_json_schema_says_what_is_wrong(answer: str, reason: str) -> None:
    assert await score("json_schema", answer, {"schema": INVOICE}) == Outcome(value=0.0, passed=False, reason=reason)


@pytest.mark.parametrize(
    ("answer", "expect", "reason"),
    [
        ('{"a": 1, "b": 2}', {"a": 1}, ""),
        ('{"a": 1.0}', {"a": 1}, ""),
        ('{"a": {"b": [1, {"c": 2, "d": 3}]}}', {"a": {"b": [1, {"c": 2}]}}, ""),
        ('{"a": 2}', {"a": 1}, "$.a: expected the number 1, got the number 2"),
        ('{"a": true}', {"a": 1}, "$.a: expected the number 1, got true"),
        ('{"b": 1}', {"a": None}, "$.a is missing"),
        ('{"a": 0}', {"a": None}, "$.a: expected nothing, got the number 0"),
        ('{"a": [1]}', {"a": [1, 2]}, "$.a: expected a list of 2, got a list of 1"),
        ("[]", {"a": 1}, "$: expected a mapping, got a list of 0"),
    ],
)
async def test_json_schema_compares_the_expected_values(answer: str, expect: Any, reason: str) -> None:
    outcome = await score("json_schema", answer, {"schema": {}, "expect": expect})
    assert (outcome.passed, outcome.reason) == (not reason, reason)


async def test_json_schema_defaults_to_the_prompts_expect_if_it_is_a_json_object() -> None:
    assert (await score("json_schema", '{"a": 2}', {"schema": {}}, expect='{"a": 1}')).passed is False
    assert (await score("json_schema", '{"a": 2}', {"schema": {}}, expect="Paris")).passed is True


async def test_json_schema_bounds_a_schemas_own_patterns() -> None:
    hostile = "a" * 5_000 + "b"
    for schema in (
        {"additionalProperties": {"pattern": "^(a|aa)+$"}},
        {"patternProperties": {"^(a|aa)+$": {}}},
        {"patternProperties": {"^(a|aa)+$": {}}, "additionalProperties": False},
    ):
        with pytest.raises(TimeoutError):
            await score("json_schema", f'{{"{hostile}": "{hostile}"}}', {"schema": schema})


async def test_json_schema_bounds_the_time_of_all_patterns_together() -> None:
    slow = {"not": {"pattern": "^(a|aa)+$"}}  # some 25 ms, far below the limit of a second
    many = dict.fromkeys(map(str, range(1_000)), "a" * 22 + "b")
    schema = {"schema": {"properties": dict.fromkeys(many, slow)}}
    assert (await score("json_schema", json.dumps({"0": many["0"]}), schema)).passed
    with pytest.raises(TimeoutError, match="make them backtrack less"):
        await score("json_schema", json.dumps(many), schema)


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ("[]", True),
        ('[1, true, 0, false, null, "1", [], {}, [1], {"a": 1}]', True),
        ('[1, "a", 1.0]', False),
        ("[10000000000000000000000, 1e22]", False),
        ("[[true], [1]]", True),
        ('[{"a": 1, "b": [2]}, {"b": [2.0], "a": 1}]', False),
        ("[-0.0, 0]", False),
    ],
)
async def test_json_schema_recognises_equal_items(items: str, unique: bool) -> None:
    assert (await score("json_schema", items, {"schema": {"uniqueItems": True}})).passed is unique
    assert (await score("json_schema", items, {"schema": {"uniqueItems": False}})).passed is True


@pytest.mark.parametrize(
    "items",
    [["a", *range(5_000)], [n * (2**61 - 1) for n in range(4_000)]],
    ids=["mixed types", "numbers whose hashes collide"],
)
def test_json_schema_finds_equal_items_in_linear_time(items: list[Any]) -> None:
    def check(text: str) -> None:
        assert asyncio.run(score("json_schema", text, {"schema": {"uniqueItems": True}})).passed

    assert_linear(check, *(json.dumps(some, separators=(",", ":")) for some in (items[: len(items) // 10], items)))


async def test_json_schema_patterns_follow_the_standard() -> None:
    schema = {"patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": {"pattern": "^x"}}
    assert (await score("json_schema", '{"n_a": 1, "b": "xy"}', {"schema": schema})).passed is True
    assert (await score("json_schema", '{"n_a": "1"}', {"schema": schema})).passed is False
    assert (await score("json_schema", '{"b": "yx"}', {"schema": schema})).passed is False


async def test_json_schema_follows_references_inside_the_schema() -> None:
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}
    assert (await score("json_schema", "7", {"schema": schema})).passed is True
    assert (await score("json_schema", '"7"', {"schema": schema})).passed is False
