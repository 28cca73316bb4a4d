"""Simulated judges: right as often as their skill says, in the requested format, and marked as simulated."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from harness.scoring.judge_prompt import ask_for_preference, ask_for_score
from harness.scoring.scorer import Question
from harness.simulator.model.answers import AnswerBook, KeyEntry, prompt_digest
from harness.simulator.model.tool_calls import Tool, Toolbox, draw_verdict
from harness.suite.suite import Message, Prompt

ASKED = "Capital of France?"
PROMPT = Prompt(id="p", messages=(Message(role="user", content=ASKED),))
BOOK = AnswerBook({prompt_digest(ASKED): KeyEntry(answer="Paris")})
RUBRIC = "It is right."


def judge(question: Question, *, skill: float = 1.0, seed: int = 1, book: AnswerBook = BOOK) -> dict[str, Any]:
    toolbox = Toolbox(tools=(Tool(name=question.tool.name),), choice="tool", name=question.tool.name)
    call = draw_verdict(question.text, toolbox, book, skill=skill, rng=Random(seed))
    assert call is not None
    assert (call.kind, call.tool) == ("tool", "verdict")
    given: dict[str, Any] = json.loads(call.text)
    assert given["reason"].startswith("SIMULATED")
    return given


def test_a_right_answer_scores_high_and_a_wrong_one_low() -> None:
    assert judge(ask_for_score(PROMPT, "It is  PARIS.", RUBRIC))["score"] >= 0.75
    assert judge(ask_for_score(PROMPT, "Lyon", RUBRIC))["score"] <= 0.35


@pytest.mark.parametrize("answer", ["Paris", "Lyon"])
def test_a_judge_errs_as_often_as_its_skill_says(answer: str) -> None:
    question = ask_for_score(PROMPT, answer, RUBRIC)
    high = sum(judge(question, skill=0.8, seed=seed)["score"] >= 0.5 for seed in range(2000))
    assert (high if answer == "Paris" else 2000 - high) / 2000 == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("first", "second", "better"),
    [("Paris", "Lyon", "A"), ("Lyon", "Paris", "B"), ("Paris", "Paris!", "tie"), ("Lyon", "Nice", "tie")],
)
def test_the_right_one_of_two_answers_is_preferred(first: str, second: str, better: str) -> None:
    assert judge(ask_for_preference(PROMPT, first, second, RUBRIC))["better"] == better


def test_a_judge_that_errs_prefers_the_first_answer() -> None:
    assert judge(ask_for_preference(PROMPT, "Lyon", "Paris", RUBRIC), skill=0.0)["better"] == "A"


def test_without_a_key_a_judge_uses_the_reference() -> None:
    prompt = Prompt(id="p", messages=PROMPT.messages, expect="Lyon")
    assert judge(ask_for_score(prompt, "Lyon", RUBRIC), book=AnswerBook({}))["score"] >= 0.75


@pytest.mark.parametrize("text", ["Grade this.", "<answer-0123456789ab>\nParis", ""])
def test_a_prompt_without_an_answer_gets_no_verdict(text: str) -> None:
    toolbox = Toolbox(tools=(Tool(name="verdict"),))
    assert draw_verdict(text, toolbox, BOOK, skill=1.0, rng=Random(1)) is None


def test_a_prompt_without_the_tool_is_not_for_a_judge() -> None:
    question = ask_for_score(PROMPT, "Paris", RUBRIC)
    assert draw_verdict(question.text, Toolbox(), BOOK, skill=1.0, rng=Random(1)) is None
