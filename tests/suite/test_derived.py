"""Suites of fewer targets are whole suites: whatever names a target goes with it, and they come back from a file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite.derived import keep_targets, missing_files, restore_files
from harness.suite.loader import load_suite
from harness.suite.stored import check_storable, encode_suite, read_suite
from harness.suite.suite import Suite

SHIPPED = sorted((Path(__file__).parents[2] / "suites").glob("*.yaml"))
EVERYTHING = """\
suite: everything
targets:
  - {model: claude-haiku-4-5, routing: global, label: a}
  - {model: claude-sonnet-4-5, routing: us, label: b}
  - {model: claude-opus-4-5, routing: us, label: c}
baseline: a
load: LOAD
quota: {tokens_per_minute: 90000}
gate: {pass_rate: 5pp, pass_rate_by_tag: {odd: 9pp}}
prices:
  - {model: claude-haiku-4-5, input: 1, output: 5}
  - {model: claude-sonnet-4-5, routing: us, input: 3, output: 15}
  - {model: claude-opus-4-6, input: 5, output: 25}
judges:
  strict: {model: claude-opus-4-6, routing: us, calibration: labels.csv}
prompts:
  - {id: sum, prompt: What is 2 + 3?, expect: "5", tags: [odd], checks: [{type: python, file: checks.py}]}
  - {id: letter, prompt: Write., documents: [note.txt], checks: [{type: judge, judge: strict, rubric: Polite?}]}
  - {id: pair, prompt: Write., checks: [{type: pairwise, judge: strict, rubric: Better?}]}
synthetic: {prompts: 2, input_tokens: 50}
"""
LOADS = (
    "{concurrency: 2}",
    "{arrival: poisson, rates: {a: 3/s, b: 2/s, c: 1/s}, duration: 10s}",
    "{arrival: gamma, burstiness: 0.5, rate: 2/s, rates: {c: 1/s}, requests: 9}",
    "{arrival: steps, steps: [{rate: 1/s, duration: 5s}]}",
    "{arrival: trace, trace: calls.trace.jsonl}",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels.csv").write_text("prompt_id,answer,passed\nletter,Dear Sir,true\n")
    (tmp_path / "checks.py").write_text("def grade(case):\n    return True\n")
    (tmp_path / "note.txt").write_text("A note.\n")
    (tmp_path / "calls.trace.jsonl").write_text(
        '{"offset_s": 0, "prompt_id": "sum"}\n{"offset_s": 0.5, "prompt_id": "letter"}\n'
    )
    return tmp_path


def load(folder: Path, load: str = LOADS[0]) -> Suite:
    (folder / "everything.yaml").write_text(EVERYTHING.replace("LOAD", load))
    return load_suite(folder / "everything.yaml")


def parts(suite: Suite) -> Iterator[Suite]:
    """Every choice of its targets."""
    names = [target.name for target in suite.targets]
    for count in range(1, len(names) + 1):
        yield from (keep_targets(suite, chosen) for chosen in combinations(names, count))


@pytest.mark.parametrize("written", LOADS)
def test_any_choice_of_targets_comes_back_from_its_file(folder: Path, written: str) -> None:
    for part in parts(load(folder, written)):
        check_storable(part)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_one_target_of_a_shipped_suite_comes_back_from_its_file(path: Path) -> None:
    suite = load_suite(path)
    check_storable(keep_targets(suite, {suite.targets[-1].name}))


def test_what_is_about_a_target_goes_with_it(folder: Path) -> None:
    part = keep_targets(load(folder, LOADS[1]), {"b"})
    assert (["b"], None, {"b": 2.0}) == ([target.name for target in part.targets], part.baseline, part.load.rates_per_s)
    assert ["claude-sonnet-4-5", "claude-opus-4-6"] == [price.model for price in part.prices]  # the judge's, too
    assert "a" == keep_targets(load(folder), {"a", "c"}).baseline


def test_a_suite_that_does_not_come_back_is_reported(folder: Path) -> None:
    suite = load(folder, LOADS[1])
    with pytest.raises(SuiteError, match=r"load\.rates\.a: no target has this name"):
        check_storable(Suite(**{name: getattr(suite, name) for name in suite.__struct_fields__} | {
            "targets": suite.targets[1:], "baseline": None}))  # fmt: skip


def test_a_stored_suite_finds_its_files_beside_the_suites_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load(folder)
    (folder / "suite.json").write_bytes(encode_suite(suite))
    monkeypatch.chdir(folder.parent)
    stored = read_suite(folder)
    assert (["note.txt"], []) == (missing_files(stored)[:1], missing_files(suite)[1:])
    found = restore_files(stored, folder)
    assert [] == missing_files(found)
    assert suite.prompts == found.prompts
    (folder / "note.txt").write_text("Another note.\n")
    (folder / "checks.py").unlink()
    with pytest.raises(SuiteError) as told:
        restore_files(stored, folder)
    assert ["note.txt: has changed since the run; restore it", "'checks.py': there is no such file"] == [
        mistake.removeprefix(f"{folder}").lstrip("/: ") for mistake in told.value.mistakes
    ]
