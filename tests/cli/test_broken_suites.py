"""A suite with every section, broken key by key: each mistake is reported at its key, and none is an internal error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.running.overrides import load_checked
from harness.errors import SuiteError
from harness.load.plan import count_requests
from harness.suite.outline import make_outline

FILES = {
    "more.csv": "id,prompt,expect\nrow,Say row.,row\n",
    "my.trace.jsonl": '{"offset_s": 0, "prompt_id": "a"}\n{"offset_s": 1, "prompt_id": "b"}\n',
    "notes.txt": "Hello.",
    "good.py": "def good(answer):\n    return True\n",
    "labels.csv": "prompt_id,answer,passed\na,Yes,true\n",
}
SUITE = """\
suite: full
endpoint: simulator
defaults: {max_tokens: 100}
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire, region: us-east-1, stream: true, label: one}
  - {model: [claude-sonnet-4-6], routing: [us, global], api: invoke, temperature: 0.5}
baseline: one
retries: {max_attempts: 3, "on": [throttled], base: 100ms, cap: 2s}
quota: {requests_per_minute: 600, tokens_per_minute: 100000}
timeouts: {connect: 3s, first_token: 30s, total: 60s}
slo: {ttft: 2s, e2e: 6s}
gate: {pass_rate: 3pp, ttft_p50: 15%, cost_per_request: 10%, pass_rate_by_tag: {facts: 5pp}}
budget_usd: 2
prices: [{model: claude-haiku-4-5, input: 1, output: 5, tiers: [{above_input_tokens: 1000, input: 2, output: 3}]}]
judges: {strict: {model: claude-opus-4-5, routing: us, calibration: labels.csv}}
dataset: more.csv
synthetic: {prompts: 2, input_tokens: {mean: 50, sigma: 0.5, min: 10, max: 100}, output_tokens: 20, seed: 3}
prompts:
  - {id: a, prompt: "Capital?", expect: Paris, tags: [facts], group: g,
     filler: {tokens: 50, seed: 1, needle: X., depth: 1},
     checks: [{type: judge, rubric: "Is it right?", judge: strict}, {type: contains, expect: Paris}]}
  - {id: b, messages: [{role: user, content: Hi}], documents: [notes.txt], system: Be brief.,
     checks: [{type: python, file: good.py, function: good}]}
"""
LOADS = {
    "closed": "{concurrency: 2, paired: true, repeats: 2, requests: 5, duration: 5s, warmup: 1, store_text: 0.5}",
    "gamma": "{arrival: gamma, rate: 5/s, rates: {one: 2/s}, burstiness: 0.5, burst: 2, duration: 5s, "
    "max_in_flight: 9}",
    "ramp": "{arrival: ramp, rate: 1/s, to: 5/s, duration: 5s}",
    "steps": "{arrival: steps, steps: [{rate: 1/s, duration: 2s}], burstiness: 1}",
    "trace": "{arrival: trace, trace: my.trace.jsonl, speed: 2}",
}
NUMBERS = {"nan": float("nan"), "infinite": float("inf"), "negative": -1, "huge": 10**30, "tiny": 1e-300}
VALUES = {"nothing": None, "empty": "", "no list": {"a": 1}, "no mapping": [[1]], "a date": date(2024, 1, 1), **NUMBERS}
NEVER_RIGHT = ("misspelt", "a list of a list")
"""Values that no key accepts."""

Path_ = tuple[str | int, ...]


def full_suite(arrival: str) -> dict[str, Any]:
    whole: dict[str, Any] = {**yaml.safe_load(SUITE), "load": yaml.safe_load(LOADS[arrival])}
    return whole


def keys(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The path of every key."""
    for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict):
            yield (*path, step)
        if isinstance(inner, dict | list):
            yield from keys(inner, (*path, step))


def broken(whole: dict[str, Any], path: Path_, turn: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The suite with this key broken in several ways: the values that no key accepts, and two others in turn."""
    others = [*VALUES.items(), ("gone", ...)]
    chosen = [others[(2 * turn + more) % len(others)] for more in range(2)]
    for how, value in [*chosen, ("a list of a list", [[{"a": 1}]]), ("misspelt", ...)]:
        changed = copy.deepcopy(whole)
        at: Any = changed
        for step in path[:-1]:
            at = at[step]
        kept = at.pop(path[-1])
        if how == "misspelt":
            at[f"{path[-1]}x"] = kept
        elif value is not ...:
            at[path[-1]] = value
        yield how, changed


def mistakes_of(path: Path, whole: dict[str, Any]) -> tuple[str, ...]:
    """The mistakes that `harness validate` lists; any error but a SuiteError is an internal error."""
    path.write_text(yaml.safe_dump(whole, sort_keys=False))
    try:
        suite = load_checked(path)
    except SuiteError as error:
        return tuple(error.mistakes)
    make_outline(suite)
    count_requests(suite, seed=1)
    return ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize("arrival", LOADS)
def test_the_suite_to_break_is_valid(folder: Path, arrival: str) -> None:
    assert () == mistakes_of(folder / "s.yaml", full_suite(arrival))


SECTIONS = [(arrival, "load") for arrival in LOADS]
SECTIONS += [("closed", section) for section in yaml.safe_load(SUITE)]


@pytest.mark.parametrize(("arrival", "section"), SECTIONS)
def test_a_broken_key_is_named_and_is_never_an_internal_error(folder: Path, arrival: str, section: str) -> None:
    whole = full_suite(arrival)
    unnamed = []
    for turn, path in enumerate(each for each in keys(whole) if each[0] == section):
        for how, changed in broken(whole, path, turn):
            mistakes = mistakes_of(folder / "s.yaml", changed)
            if how in NEVER_RIGHT and not any(str(path[-1]) in each for each in mistakes):
                unnamed.append((path, how, mistakes))
    assert not unnamed


@pytest.mark.parametrize("quota", ["{tokens_per_minute: 10000}", "{tokens_per_minute: 1}"])
def test_a_token_quota_does_not_hide_a_misspelt_model(folder: Path, quota: str) -> None:
    (folder / "s.yaml").write_text(
        f"suite: s\ntargets: [{{model: claude-haiku-45}}]\nquota: {quota}\nprompts: [{{id: a, prompt: Hi}}]\n"
    )
    with pytest.raises(SuiteError, match=r"targets\[0\]\.model: .*claude-haiku-4-5") as raised:
        load_checked(folder / "s.yaml")
    assert 1 == len(raised.value.mistakes)
