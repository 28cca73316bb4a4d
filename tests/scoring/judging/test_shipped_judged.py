"""The shipped suite `judged`: reference answers pass every check that needs no model; evasive ones pass none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness.cli.running.overrides import load_checked
from harness.scoring.checks import make_scorer
from harness.scoring.judgements import Judgements
from harness.scoring.judging.aids import CachingAids
from harness.scoring.judging.judges import NoJudges
from harness.scoring.python.processes import open_workers
from harness.scoring.score import grade
from harness.scoring.scorer import Answer

SUITE = Path(__file__).parents[3] / "suites" / "judged.yaml"
MODELS = ("judge", "pairwise")


async def passes(answer: str | None, tmp_path: Path) -> dict[str, list[bool]]:
    """Prompt → whether an answer (None: the reference answer) passes each check that needs no model."""
    suite = load_checked(SUITE)
    passed: dict[str, list[bool]] = {}
    async with open_workers(suite.graders.check_files) as workers:
        digests = {file.name: file.digest for file in suite.graders.check_files}
        aids = CachingAids(Judgements(tmp_path / "judgements.jsonl"), digests, workers, NoJudges(suite))
        for prompt in suite.prompts:
            text = prompt.expect or "" if answer is None else answer
            given = Answer(text=text, stop_reason="tool_use" if text.startswith('{"tool"') else "end_turn")
            checks = [check for check in prompt.checks if check.type not in MODELS]
            outcomes = [await grade(make_scorer(check, prompt), prompt, given, aids) for check in checks]
            passed[prompt.id] = [outcome.passed for outcome in outcomes]
        aids.judgements.close()
    return passed


async def test_every_reference_answer_passes(tmp_path: Path) -> None:
    assert all(all(outcomes) for outcomes in (await passes(None, tmp_path)).values())


async def test_an_evasive_answer_passes_no_prompt_that_is_graded_without_a_model(tmp_path: Path) -> None:
    suite = load_checked(SUITE)
    graded = {prompt.id for prompt in suite.prompts if any(check.type in MODELS for check in prompt.checks)}
    evasive = await passes("I do not know.", tmp_path)
    assert [] == [prompt_id for prompt_id, outcomes in evasive.items() if prompt_id not in graded and all(outcomes)]


def test_it_uses_the_expected_scorers_and_gives_no_warning() -> None:
    suite = load_checked(SUITE)
    used = Counter(check.type for prompt in suite.prompts for check in prompt.checks)
    assert {"judge", "pairwise", "python", "similarity", "tool_call", "contains"} == set(used)
    assert suite.warnings == ()


def test_the_labels_include_both_verdicts_for_most_judged_prompts() -> None:
    [judge] = load_checked(SUITE).graders.judges
    verdicts = {(label.prompt_id, label.passed) for label in judge.labels}
    assert len(judge.labels) >= 16
    assert len(verdicts) == 12
