"""Prompts with the answers of every target, as data: what the prompt browser of a page shows."""

from __future__ import annotations

from typing import Literal

import msgspec


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of the question as it was sent."""

    role: Literal["system", "user", "assistant"]
    text: str


class AskedPrompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A prompt of the suite. Its texts may be of another person: escape them."""

    id: str
    tags: tuple[str, ...] = ()
    group: str | None = None
    turns: tuple[Turn, ...] = ()
    """The system prompt first, if there is one."""
    attachments: tuple[str, ...] = ()
    """Documents and images by name."""
    expect: str | None = None
    checks: tuple[str, ...] = ()
    """Each in a few words: `numeric`, `regex: ^Paris`, `judge: fluent`."""
    flip: Literal["worse", "better"] | None = None
    """Whether its share of passed answers differs from the baseline's; of several candidates, the worst change."""


class BookArm(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of the browser: a target of a run."""

    target: str
    run_id: str = ""
    """Only in a comparison of two runs."""
    baseline: bool = False
    """Whether another arm is compared with it."""
    against: int | None = None
    """Index of the arm that it is compared with. None: a baseline, or nothing is compared."""
    system: str | None = None
    """Its own system prompt, where those of the targets differ. A prompt's own, if it has one, is sent instead."""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one check said of one answer."""

    scorer: str
    passed: bool | None = None
    value: float | None = None
    reason: str = ""


class Vote(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one judge of a panel said of one answer. The reason is model output: escape it."""

    judge: str
    score: float | None = None
    """0 … 1. None: the judge failed, as `reason` says."""
    reason: str = ""


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measured request and what became of it. Text, citations and messages are hostile input: escape them."""

    prompt: int
    """Index in `AnswerBook.prompts`."""
    arm: int
    """Index in `AnswerBook.arms`."""
    request_id: str
    repeat: int = 0
    passed: bool | None = None
    """None: unscored."""
    text: str = ""
    characters: int = 0
    """Of the whole text if `text` is cut; else 0."""
    tools: tuple[str, ...] = ()
    """Tool calls, each as a line of JSON, which is cut if it is long."""
    citations: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    votes: tuple[Vote, ...] = ()
    """Of the judges of its rubric checks. What a judge preferred in a pair is in `checks`, as `pairwise`."""
    error_kind: str | None = None
    error_message: str | None = None
    stop_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_usd: float | None = None
    attempts: int = 1
    queue_s: float | None = None
    """From due to sent: waiting for a slot, and backoff between attempts."""
    ttft_s: float | None = None
    """From sent to the first chunk; None where the answer came whole."""
    stream_s: float | None = None
    """From the first chunk to the end; without streaming, from sent to the end."""


class Cell(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What became of one prompt with one arm, over all its answers, shown or not. In JSON a list, in this order."""

    prompt: int
    """Index in `AnswerBook.prompts`."""
    arm: int
    """Index in `AnswerBook.arms`."""
    answers: int
    """Measured requests, failed ones among them."""
    passed: int
    scored: int
    """Answers that passed or did not. The pass share is passed / scored; with none scored there is no share."""
    failed: int
    """Requests without an answer: errors."""


class AnswerBook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every prompt, and the answers that are shown of each."""

    arms: tuple[BookArm, ...]
    prompts: tuple[AskedPrompt, ...]
    """In the suite's order; in a comparison those that changed first, the worst before the best."""
    answers: tuple[ReadAnswer, ...]
    """By prompt, arm and repeat."""
    cells: tuple[Cell, ...]
    """By prompt and arm: the heat-map. Complete for `prompts` even if `answers` are a sample; a prompt that was not
    sent to an arm has no cell there."""
    total: int
    """Answers on record; more than `answers` if these are a sample."""
    total_prompts: int
    """Prompts of the suite; more than `prompts` if only those with answers shown are listed."""
    sampled: str = ""
    """How the sample was drawn, in one sentence; empty if all are shown."""
    query: str = ""
    """The command that lists all answers with their whole texts, for a shell."""
    notes: tuple[str, ...] = ()
    """What the record lacks, a sentence each: texts that were not stored, scores, prompts."""
