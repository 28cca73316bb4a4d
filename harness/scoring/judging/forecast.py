"""Forecasts the judging of a run before anything is sent: the number of questions and their maximum cost."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import msgspec

from harness.catalog.prices import cost_usd, price_for, terms_of
from harness.endpoints.request import DEFAULT_MAX_TOKENS, sent_options
from harness.load.plan import measured_rounds
from harness.scoring.checks import make_scorer
from harness.scoring.judge_prompt import ask_for_preference, ask_for_score
from harness.scoring.scorer import Question
from harness.scoring.scorers.judge import RubricJudge
from harness.scoring.scorers.pairwise import Pairwise
from harness.suite.check.size import CHARS_PER_TOKEN
from harness.suite.suite import Judge, Prompt, Suite


class JudgingForecast(msgspec.Struct, frozen=True, kw_only=True):
    """For all judges together, if every answer is as long as allowed."""

    questions: int
    cost_usd_at_most: float | None
    """None if a judge's price is unknown."""


def forecast_judging(suite: Suite) -> JudgingForecast | None:
    """The forecast without retries. None if no judge is asked, or if the load is given as a duration only."""
    rounds = measured_rounds(suite)
    if not suite.graders.judges or rounds is None:
        return None
    repeats = ceil(rounds / len(suite.prompts))
    judges = {judge.name: judge for judge in suite.graders.judges}
    questions, cost = 0, 0.0
    known = True
    for name, question, times in _questions(suite, repeats):
        each = _cost_usd(judges[name], question, suite)
        questions += times
        known = known and each is not None
        cost += times * (each or 0.0)
    return JudgingForecast(questions=questions, cost_usd_at_most=cost if known else None)


def _questions(suite: Suite, repeats: int) -> Iterator[tuple[str, Question, int]]:
    """(Judge, the longest possible question, how often it is asked)."""
    longest = "x" * CHARS_PER_TOKEN
    for prompt in suite.prompts:
        tokens = [_answer_tokens(suite, prompt, at) for at in range(len(suite.targets))]
        for check in prompt.checks:
            scorer = make_scorer(check, prompt) if check.type in ("judge", "pairwise") else None
            if isinstance(scorer, RubricJudge):
                question = ask_for_score(prompt, longest * max(tokens), scorer.rubric)
                yield from ((name, question, repeats * len(tokens)) for name in scorer.judges)
            elif isinstance(scorer, Pairwise):
                answer = longest * max(tokens)
                question = ask_for_preference(prompt, answer, answer, scorer.rubric)
                yield scorer.judge, question, 2 * repeats * (len(tokens) - 1)
    for judge in suite.graders.judges:
        prompts = {prompt.id: prompt for prompt in suite.prompts}
        for label in judge.labels:
            yield judge.name, ask_for_score(prompts[label.prompt_id], label.answer, ""), 1


def _answer_tokens(suite: Suite, prompt: Prompt, at: int) -> int:
    return sent_options(suite.targets[at], prompt).max_tokens or DEFAULT_MAX_TOKENS


def _cost_usd(judge: Judge, question: Question, suite: Suite) -> float | None:
    price = price_for(judge.target.base_model, judge.target.routing, suite.prices, terms_of(judge.target.options))
    if price is None:
        return None
    schema = msgspec.json.encode(question.tool)
    return cost_usd(
        price,
        input_tokens=(len(question.system) + len(question.text) + len(schema)) // CHARS_PER_TOKEN,
        output_tokens=judge.target.options.max_tokens or DEFAULT_MAX_TOKENS,
        cache_read_tokens=0,
        cache_write_tokens=0,
    )
