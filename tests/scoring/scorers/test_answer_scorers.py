"""Scorers that need more than an answer's text, and `similarity`."""

from __future__ import annotations

from typing import Any

import pytest

from harness.catalog.target import Options, Target, Tool
from harness.endpoints.reply import Citation
from harness.scoring.checks import check_mistakes, make_scorer
from harness.scoring.score import grade
from harness.scoring.scorer import Answer, Outcome
from harness.suite.suite import Attachment, Check, Message, Prompt, Suite

WEATHER = Tool(name="get_weather", input_schema={"type": "object"})
CALL = '{"tool":"get_weather","input":{"city":"Oslo","days":2}}'
OTHER = '{"tool":"get_time","input":{}}'
REPORT = Attachment(name="reports/q3 2026.pdf", media_type="application/pdf", digest="0" * 64, size=1, pages=9)


def make_prompt(kind: str, params: dict[str, Any], expect: str | None = None, **changes: Any) -> Prompt:
    message = Message(role="user", content="?")
    return Prompt(id="p", messages=(message,), expect=expect, checks=(Check(type=kind, params=params),), **changes)


async def score(kind: str, params: dict[str, Any], answer: Answer, expect: str | None = None, **more: Any) -> Outcome:
    prompt = make_prompt(kind, params, expect, **more)
    return await grade(make_scorer(prompt.checks[0], prompt), prompt, answer)


def find(prompt: Prompt, **options: Any) -> list[str]:
    target = Target(
        name="t", model="m", base_model="b", model_id="b", routing="global", api="converse", client="aioboto3",
        region="us-east-1", options=Options(**options),
    )  # fmt: skip
    suite = Suite(name="s", digest="", endpoint="simulator", targets=(target,), prompts=(prompt,))
    return [mistake.message for mistake in check_mistakes(suite)]


@pytest.mark.parametrize(
    ("params", "answer", "value", "passed"),
    [
        ({}, "The quick brown fox", 1.0, True),
        ({}, "“the quick  BROWN fox.”", 1.0, True),
        ({"case_sensitive": True}, "THE QUICK BROWN FOX", 2 * 4 / 38, False),
        ({}, "The quick brown box", 0.947, True),
        ({"threshold": 0.95}, "The quick brown box", 0.947, False),
        ({}, "fox brown quick the", 2 * 7 / 38, False),
        ({"ratio": "token_sort"}, "fox brown quick the", 1.0, True),
        ({"ratio": "token_set"}, "Well, I say: the quick brown fox it is", 1.0, True),
        ({"ratio": "partial"}, "I saw the quick brown fox jump", 1.0, True),
        ({}, "", 0.0, False),
    ],
)
async def test_similarity_measures_a_ratio(params: dict[str, Any], answer: str, value: float, passed: bool) -> None:
    outcome = await score("similarity", params, Answer(text=answer), expect="The quick brown fox")
    assert (outcome.value, outcome.passed) == (pytest.approx(value, abs=0.01), passed)
    assert bool(outcome.reason) is not passed


async def test_similarity_bounds_the_length_of_the_answer() -> None:
    outcome = await score("similarity", {"ratio": "ratio"}, Answer(text="x" * 10_000_000), expect="yes")
    assert not outcome.passed
    assert len(outcome.reason) < 200


@pytest.mark.parametrize(
    ("params", "text", "why"),
    [
        ({"tool": "get_weather"}, f"I will look.\n{CALL}", None),
        ({"tool": "get_weather", "arguments": {"city": "Oslo"}}, CALL, None),
        ({"tool": "get_weather", "arguments": {"city": "Bergen"}}, CALL, "$.city: expected 'Bergen', got 'Oslo'"),
        ({"tool": "get_weather", "arguments": {"city": "Oslo"}, "match": "equal"}, CALL, "has unexpected keys"),
        ({"tool": "get_weather", "arguments": {"city": "Oslo", "days": 2.0}, "match": "equal"}, CALL, None),
        ({"tool": "get_weather", "schema": {"required": ["city"]}}, CALL, None),
        ({"tool": "get_weather", "schema": {"required": ["country"]}}, CALL, "'country' is a required property"),
        ({"tool": "get_time"}, CALL, "expected a call of 'get_time', got 'get_weather'"),
        ({"tool": "get_weather"}, f"{OTHER}\n{CALL}", "made 2 calls"),
        ({"tool": "get_weather", "calls": "any"}, f"{OTHER}\n{CALL}", None),
        ({"tool": "get_weather"}, "It is sunny in Oslo.", "called no tool"),
        ({"tool": "get_weather"}, '{"tool":"get_weather","input":"{\\"city\\": \\"Os"}', "is not valid JSON"),
        ({"tool": "get_weather"}, '{"tool":"get_weather","input":{"a":' + "[" * 5000, "called no tool"),
        ({"calls": "none"}, "It is sunny.", None),
        ({"calls": "none"}, CALL, "expected no call"),
        ({}, CALL, None),
    ],
)
async def test_tool_call_compares_the_call(params: dict[str, Any], text: str, why: str | None) -> None:
    answer = Answer(text=text, stop_reason="tool_use")
    outcome = await score("tool_call", params, answer, expect='{"tool": "get_weather", "input": {"city": "Oslo"}}')
    assert outcome.passed is (why is None)
    assert (why or "") in outcome.reason


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
async def test_only_a_line_feed_ends_a_call(odd: str) -> None:
    """Other characters that Python treats as line ends may occur in JSON, or in the text before it."""
    call = '{"tool":"get_weather","input":{"city":"Os' + ("" if odd < " " else odd) + 'lo"}}'
    wanted = {"tool": "get_weather", "arguments": {"city": "Os" + ("" if odd < " " else odd) + "lo"}}
    outcome = await score("tool_call", wanted, Answer(text=f"One{odd}moment.\n{call}", stop_reason="tool_use"))
    assert outcome.passed, outcome.reason


async def test_a_call_written_as_text_does_not_count() -> None:
    outcome = await score("tool_call", {"tool": "get_weather"}, Answer(text=CALL, stop_reason="end_turn"))
    assert not outcome.passed


@pytest.mark.parametrize(
    ("params", "expect", "message"),
    [
        ({"tool": "get_time"}, None, "tool 'get_time' is not among the tools that t is offered"),
        ({}, None, "check 'tool_call' needs 'tool'"),
        ({}, "sunny", "check 'tool_call' needs 'tool'"),
        ({"calls": "none", "tool": "get_weather"}, None, "calls 'none' expects no call"),
        ({"arguments": {}}, None, "name it with 'tool'"),
        ({"tool": "get_weather", "schema": {"type": "objekt"}}, None, "not a JSON Schema"),
    ],
)
def test_a_tool_call_check_that_cannot_pass_is_reported(
    params: dict[str, Any], expect: str | None, message: str
) -> None:
    [found] = find(make_prompt("tool_call", params, expect), tools=[WEATHER])
    assert message in found


CITED = Answer(
    text="Sales fell.",
    citations=(
        Citation(document="q3 2026", start_page=3, end_page=5, text="Sales fell by 4 %."),
        Citation(document="notes", text="Nothing."),
    ),
)


@pytest.mark.parametrize(
    ("params", "passed"),
    [
        ({}, True),
        ({"document": "reports/q3 2026.pdf"}, True),
        ({"document": "reports/q3 2026.pdf", "pages": [3]}, True),
        ({"pages": [4]}, True),
        ({"pages": [5]}, False),
        ({"pages": [1, 2]}, False),
        ({"text": "sales  fell"}, True),
        ({"text": "sales rose"}, False),
        ({"document": "reports/q3 2026.pdf", "text": "nothing"}, False),
        ({"mode": "all"}, True),
        ({"mode": "all", "document": "reports/q3 2026.pdf"}, False),
    ],
)
async def test_citations_must_match_document_page_and_text(params: dict[str, Any], passed: bool) -> None:
    outcome = await score("citations", params, CITED, documents=(REPORT,))
    assert outcome.passed is passed
    assert passed or "q3 2026 p. 3" in outcome.reason


async def test_an_answer_that_cites_nothing_fails() -> None:
    outcome = await score("citations", {}, Answer(text="Sales fell."), documents=(REPORT,))
    assert (outcome.passed, outcome.reason) == (False, "cites nothing")


def test_a_citations_check_that_cannot_pass_is_reported() -> None:
    assert find(make_prompt("citations", {}), citations=True) == [
        "there is nothing to cite: the prompt has no documents"
    ]
    there = make_prompt("citations", {"document": "q4.pdf"}, documents=(REPORT,))
    assert find(there, citations=True) == ["document 'q4.pdf' is not one of the prompt's: reports/q3 2026.pdf"]
    assert find(make_prompt("citations", {}, documents=(REPORT,))) == [
        "no target cites; set citations: true on the prompt or a target"
    ]
