"""Traces: what a line may say, what is wrong with one and where, and what a suite makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SuiteError
from harness.suite.loader import load_suite
from harness.suite.read.text_file import FileMistake
from harness.suite.read.trace import MOST_MISTAKES, read_trace
from harness.suite.stored import encode_suite, read_suite
from harness.suite.suite import Suite

HEAD = "suite: x\ntargets: [{model: claude-haiku-4-5}]\n"
PROMPTS = "prompts: [{id: a, prompt: Hi}, {id: b, prompt: Ho}]\n"
NAMED = '{"offset_s": 0, "prompt_id": "b", "input_tokens": 9, "output_tokens": 3, "stand_in": true}\n'
SIZED = '{"offset_s": 1.5, "input_tokens": 300, "output_tokens": 20}\n'
TIMED = '{"offset_s": 2}\n'


def load(folder: Path, trace: str, *, more: str = "", prompts: str = PROMPTS, name: str = "t.jsonl") -> Suite:
    (folder / name).write_text(trace, encoding="utf-8")
    (folder / "x.yaml").write_text(f"{HEAD}load: {{arrival: trace, trace: {name}{more}}}\n{prompts}", encoding="utf-8")
    return load_suite(folder / "x.yaml")


def asked(suite: Suite) -> list[tuple[float, str | None]]:
    return [(call.at_s, call.prompt_id) for call in suite.load.calls or ()]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", [(0.0, "b"), (1.5, "size-300-20"), (2.0, None)]),
        (", replay: times", [(0.0, None), (1.5, None), (2.0, None)]),
        (", speed: 4", [(0.0, "b"), (1.5, "size-300-20"), (2.0, None)]),
    ],
)
def test_a_line_asks_its_prompt_or_one_of_its_size_or_the_next(
    tmp_path: Path, more: str, expected: list[tuple[float, str | None]]
) -> None:
    assert expected == asked(load(tmp_path, NAMED + SIZED + "\n" + TIMED, more=more))


def test_sizes_need_no_prompts_of_the_suites_own(tmp_path: Path) -> None:
    suite = load(tmp_path, NAMED + SIZED, more=", replay: sizes", prompts="")
    assert [(0.0, "size-9-3"), (1.5, "size-300-20")] == asked(suite)
    assert {"size-9-3": (36, 3), "size-300-20": (1200, 20)} == {
        prompt.id: (len(prompt.messages[0].content), prompt.options.max_tokens) for prompt in suite.prompts
    }


def test_azures_columns_and_timestamps_are_understood(tmp_path: Path) -> None:
    trace = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.5,40,10\n2023-11-16 18:17:04.75,40,\n"
    assert [(0.0, "size-40-10"), (1.25, "size-40")] == asked(load(tmp_path, trace, name="t.csv", prompts=""))


@pytest.mark.parametrize(
    ("name", "trace", "told"),
    [
        ("t.jsonl", TIMED + "{", "2: not a JSON object: Input data was truncated"),
        ("t.jsonl", TIMED + SIZED, "2: comes 0.5 s before the call of line 1; sort the trace by time"),
        ("t.jsonl", '{"offset_s": -1}', "1: offset_s: the number -1 is not a number of seconds, 0 or more"),
        ("t.jsonl", '{"offset": 1}', "1: unknown key 'offset'; did you mean 'offset_s'?"),
        ("t.jsonl", '{"input_tokens": 1}', "1: needs the time of the call: either offset_s (seconds) or timestamp"),
        ("t.jsonl", TIMED + '{"timestamp": "2026-01-01T00:00:03Z"}', "2: has another time column than the line"),
        ("t.jsonl", NAMED.replace('"b"', '"c"'), "1: the suite has no prompt 'c'; write replay: sizes"),
        ("t.jsonl", "\n", "1: contains no calls"),
        ("t.csv", "offset_s\n1,2\n", "2: has 2 cells, but the header has 1 columns"),
        ("t.csv", "offset_s\nnan\n", "2: "),
        ("t.csv", "offset_s\n1e300\n", "2: offset_s: 1e+300 is not a number of seconds"),
        ("t.csv", "offset_s,tokens\n", "1: unknown column 'tokens'"),
    ],
)
def test_a_bad_line_is_reported_with_its_file_and_number(tmp_path: Path, name: str, trace: str, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, trace, name=name)
    [mistake] = caught.value.mistakes
    assert mistake.startswith(f"{tmp_path / name}:{told}")


@pytest.mark.parametrize(
    ("more", "line", "told"),
    [
        (", replay: sizes", TIMED, "has no input_tokens; write replay: times"),
        (", replay: prompts", TIMED, "has no prompt_id; leave out `replay: prompts`"),
    ],
)
def test_a_line_without_what_is_to_be_replayed_is_a_mistake(tmp_path: Path, more: str, line: str, told: str) -> None:
    with pytest.raises(SuiteError, match=f"t.jsonl:2: {told}"):
        load(tmp_path, NAMED + line, more=more)


def test_of_a_trace_that_is_wrong_throughout_only_the_first_lines_are_reported(tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        load(tmp_path, "x\n" * 1000)
    assert MOST_MISTAKES + 1 == len(caught.value.mistakes)
    assert caught.value.mistakes[-1].endswith("only the first mistakes are shown")


@pytest.mark.parametrize("name", ["nowhere.jsonl", "../t.jsonl", "t.parquet"])
def test_a_trace_that_cannot_be_used_is_reported_where_it_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(f"{HEAD}load: {{arrival: trace, trace: {name}}}\n{PROMPTS}", encoding="utf-8")
    with pytest.raises(SuiteError, match=r"x\.yaml:3: load\.trace: ") as caught:
        load_suite(path)
    assert 1 == len(caught.value.mistakes)


def test_a_frozen_suite_replays_the_same_trace_without_its_file(tmp_path: Path) -> None:
    suite = load(tmp_path, NAMED + SIZED + TIMED, more=", speed: 2")
    (tmp_path / "t.jsonl").unlink()
    (tmp_path / "suite.json").write_bytes(encode_suite(suite))
    frozen = read_suite(tmp_path)
    assert (suite.digest, suite.load, suite.prompts) == (frozen.digest, frozen.load, frozen.prompts)


@given(st.text(st.characters(codec="utf-8")), st.sampled_from([".csv", ".jsonl"]))
def test_whatever_a_file_holds_ends_in_calls_or_in_mistakes(tmp_path_factory: pytest.TempPathFactory, text: str,
                                                            suffix: str) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_text("offset_s,prompt_id\n" + text, encoding="utf-8", newline="")
    try:
        lines, mistakes = read_trace(path)
    except FileMistake:
        return
    assert lines or mistakes
