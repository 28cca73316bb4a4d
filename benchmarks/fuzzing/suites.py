"""Suites of others, and the files beside them: one file is damaged, and the suite is loaded, counted and stored."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fuzzing.mutations import changed_bytes, changed_lines, changed_value
from fuzzing.runs import OTHER_FILES
from fuzzing.target import File, Files, Target
from harness.cli.running.overrides import load_checked
from harness.errors import SuiteError
from harness.load.plan import count_requests
from harness.scoring.checks import make_scorer
from harness.scoring.scorer import NO_AIDS, Answer, AnswerScorer, Unscored
from harness.scoring.scorers import regex
from harness.scoring.text import json_values
from harness.suite.outline import make_outline
from harness.suite.stored import encode_suite, read_suite

SUITE = """\
suite: full
endpoint: simulator
defaults: {max_tokens: 100}
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire, region: us-east-1, label: one}
  - {model: [claude-sonnet-4-6], routing: [us, global], api: invoke, temperature: 0.5}
baseline: one
load: {arrival: gamma, rate: 5/s, rates: {one: 2/s}, burstiness: 0.5, burst: 2, requests: 20, max_in_flight: 9}
retries: {max_attempts: 3, "on": [throttled], base: 100ms, cap: 2s}
quota: {requests_per_minute: 600, tokens_per_minute: 100000}
timeouts: {connect: 3s, first_token: 30s, total: 60s}
slo: {ttft: 2s, e2e: 6s}
gate: {pass_rate: 3pp, ttft_p50: 15%, cost_per_request: 10%, pass_rate_by_tag: {facts: 5pp}}
budget_usd: 2
prices: prices.toml
judges: {strict: {model: claude-opus-4-5, routing: us, calibration: labels.csv}}
dataset: more.jsonl
synthetic: {prompts: 2, input_tokens: {mean: 50, sigma: 0.5, min: 10, max: 100}, output_tokens: 20, seed: 3}
prompts:
  - {id: a, prompt: "Capital?", expect: Paris, tags: [facts], group: g,
     filler: {tokens: 50, seed: 1, needle: X., depth: 1},
     checks: [{type: judge, rubric: "Is it right?", judge: strict}, {type: contains, expect: [Paris, P], mode: any}]}
  - {id: b, messages: [{role: user, content: Hi}], documents: [notes.txt, page.html], citations: true,
     checks: [{type: python, file: good.py, function: good}, {type: citations, document: notes.txt, text: Hello}]}
  - {id: c, prompt: Q, expect: "118.40", system: Brief.,
     checks: [{type: numeric, tolerance: 0.1}, {type: regex, pattern: '(a+)+b', flags: i}, {type: exact, expect: x},
              {type: similarity, expect: abc, ratio: token_set}, {type: pairwise, judge: strict, rubric: "Better?"}]}
  - {id: d, prompt: Q, expect: '{"tool": "w", "input": {"c": "P"}}', tool_choice: auto,
     tools: [{name: w, description: Weather., input_schema: {type: object, properties: {c: {type: string}}}}],
     checks: [{type: tool_call}, {type: tool_call, tool: w, arguments: {c: P}, match: equal, schema: {type: object}},
              {type: json_schema, expect: {a: [1]}, schema: {properties: {a: {items: {$ref: "#/$defs/x"}}, b:
              {pattern: "^(b+)+$"}}, patternProperties: {"^c": {type: string}}, uniqueItems: true, $defs: {x: {enum:
              [1, 2]}}}}]}
"""
JSONL: tuple[dict[str, Any], ...] = (
    {"id": "row", "prompt": "Say row.", "expect": "row", "tags": ["a"], "group": "g"},
    {"id": "two", "prompt": "2", "expect": 2.5, "check": "numeric", "tags": "b; c"},
    {
        "id": "three",
        "prompt": "3",
        "checks": [{"type": "regex", "pattern": "a|b"}, {"type": "contains", "expect": "x"}],
    },
)
CSV = (
    b"id,prompt,expect,check,tags,group\nrow,Say row.,row,exact,a; b,g\n"
    b'"q","two\nlines, ""q""",118.40,"{""type"": ""numeric"", ""tolerance"": 0.1}",,\n'
)
TRACE: tuple[dict[str, Any], ...] = (
    {"offset_s": 0, "prompt_id": "a"},
    {"offset_s": 1.5, "input_tokens": 100, "output_tokens": 5},
)
TRACE_CSV = b"TIMESTAMP,ContextTokens,GeneratedTokens\n2026-05-01 12:00:00.5,374,44\n2026-05-01T12:00:02Z,396,9\n"
FILES: dict[str, bytes] = {
    "suite.yaml": SUITE.encode(),
    "more.jsonl": "\n".join(map(json.dumps, JSONL)).encode(),
    "more.csv": CSV,
    "trace.jsonl": "\n".join(map(json.dumps, TRACE)).encode(),
    "trace.csv": TRACE_CSV,
    "labels.csv": b'prompt_id,answer,passed\na,Yes,true\na,"No, not",no\n',
    "prices.toml": b'[[prices]]\nmodel = "claude-haiku-4-5"\ninput = 2\noutput = 5\n\n[[prices.tiers]]\n'
    b"above_input_tokens = 200_000\ninput = 5.4\noutput = 20.25\n",
    "good.py": b"def good(case):\n    return True\n",
    "notes.txt": b"Hello.",
    "page.html": b"<html><body>Hi &amp; <b>bye</b></body></html>",
}
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
WITH_IMAGE = SUITE.replace("system: Brief.", "images: [dot.gif]")
CALLS = '{"tool": "w", "input": {"c": "P"}}\n{"tool": "w", "input": {}}'
ANSWER = '118.40 ```json\n{"a": [1], "b": "bbb", "c": "d"}\n```\n' + CALLS
PIECES = (
    *("a" * 3000, "b" * 3000, "(" * 9000, "{" * 9000, "[" * 9000, "9" * 5000, "-" * 5000, " " * 5000, "1 " * 5000),
    *("1e99999", "9" * 400 + "/3", "1,234.5", "3/4", "¾", "𝟗" * 50, "\u2028", "\x00", "\ud7ff", "\n" * 5000),
    *("```json\n", '{"a":[1,1.0]}', '{"b":"' + "b" * 500 + '!"}', '{"tool":"w","input":', '{"c":' * 2000),
)
PATTERNS_S = 0.2
"""Limit of a search in an answer here, so that a pattern stopped by its limit does not count as a hang."""
PLACE = re.compile(r"[^\n]+?(:[1-9]\d*)?: .{1,2100}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def load(folder: Path) -> None:
    """All of `harness validate`, and the suite stored and read back."""
    path = folder / "suite.yaml"
    try:
        suite = load_checked(path)
    except SuiteError as error:
        wrong = [each for each in error.mistakes if not PLACE.fullmatch(each) or CONTROL.search(each)]
        assert not wrong, f"a mistake without its place, or with control characters: {wrong[0]!r}"
        raise
    make_outline(suite)
    count_requests(suite, seed=1)
    stored = folder / "run"
    stored.mkdir()
    (stored / "suite.json").write_bytes(encode_suite(suite))
    assert suite.digest == read_suite(stored).digest, "another suite once it is stored"


def grade(folder: Path) -> None:
    """Grade the text in `answer` with every check that needs neither a judge nor a process."""
    suite = load_checked(folder / "suite.yaml")
    regex.LIMIT_S = json_values.PATTERN_LIMIT_S = PATTERNS_S
    text = (folder / "answer").read_bytes().decode(errors="replace")
    asyncio.run(_grade(suite.prompts, text))


async def _grade(prompts: Any, text: str) -> None:
    for prompt in prompts:
        for check in prompt.checks:
            scorer = make_scorer(check, prompt)
            try:
                if isinstance(scorer, AnswerScorer):
                    outcome = await scorer.score_answer(prompt, Answer(text=text), NO_AIDS)
                else:
                    outcome = await scorer.score(prompt, text)
            except (Unscored, TimeoutError):
                continue
            assert 0 <= outcome.value <= 1


@st.composite
def damaged_suites(draw: DrawFn) -> Files:
    """The suite with changed values, as YAML in flow style, or with changed bytes."""
    if draw(st.integers(0, 2)):
        changed: File = json.dumps(draw(changed_value(yaml.safe_load(SUITE)))).encode()
    else:
        changed = draw(changed_bytes(SUITE.encode()))
    return {**FILES, "suite.yaml": changed}


@st.composite
def damaged_files(draw: DrawFn) -> Files:
    """The suite with one file beside it damaged, or something else in its place."""
    name = draw(st.sampled_from([name for name in FILES if name != "suite.yaml"] + ["dot.gif"]))
    files: dict[str, File] = {**FILES, "dot.gif": GIF}
    suite = yaml.safe_load(WITH_IMAGE if name == "dot.gif" else SUITE)
    if name.startswith("more"):
        suite["dataset"] = name
    if name.startswith("trace"):
        suite["load"] = {"arrival": "trace", "trace": name}
    ways = {"more.jsonl": changed_lines(list(JSONL)), "trace.jsonl": changed_lines(list(TRACE))}
    whole = changed_bytes(GIF if name == "dot.gif" else FILES[name])
    way = draw(st.integers(0, 9))
    files[name] = draw(st.sampled_from(OTHER_FILES) if way == 9 else ways.get(name, whole) if way < 6 else whole)
    files["suite.yaml"] = json.dumps(suite).encode()
    return files


@st.composite
def hostile_answers(draw: DrawFn) -> Files:
    """The suite, and an answer that a model might give to do harm."""
    text = draw(st.one_of(changed_bytes(ANSWER.encode()), st.lists(st.sampled_from(PIECES)).map(_joined)))
    return {**FILES, "answer": text}


def _joined(pieces: list[str]) -> bytes:
    return "".join(pieces).encode()


def _with(more: Callable[[], Files]) -> Callable[[], Files]:
    return lambda: {**FILES, **more()}


TARGETS = {
    "suite": Target(whole=lambda: FILES, inputs=damaged_suites, read=load, share=8),
    "suite-files": Target(whole=lambda: FILES, inputs=damaged_files, read=load, share=8),
    "answers": Target(whole=_with(lambda: {"answer": ANSWER.encode()}), inputs=hostile_answers, read=grade, share=0.3),
}
