"""The shipped suites and the starter: what they hold, and that their reference answers pass their own checks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.scoring.checks import check_mistakes, make_scorer
from harness.suite.loader import load_suite
from harness.suite.schema import Suite
from harness.suite.starter import starter_suite

SUITES = Path(__file__).parents[2] / "suites"


def load(name: str, folder: Path) -> Suite:
    if name != "starter":
        return load_suite(SUITES / f"{name}.yaml", validators=[check_mistakes])
    (folder / "starter.yaml").write_text(starter_suite("starter"), encoding="utf-8")
    return load_suite(folder / "starter.yaml", validators=[check_mistakes])


@pytest.mark.parametrize("name", ["quickstart", "global-vs-regional", "starter"])
async def test_every_reference_answer_passes_its_own_checks(name: str, tmp_path: Path) -> None:
    for prompt in load(name, tmp_path).prompts:
        assert prompt.expect is not None, prompt.id
        for check in prompt.checks:
            outcome = await make_scorer(check, prompt).score(prompt, prompt.expect)
            assert outcome.passed, (prompt.id, outcome.reason)


@pytest.mark.parametrize("name", ["quickstart", "global-vs-regional", "starter"])
async def test_no_prompt_passes_with_another_answer(name: str, tmp_path: Path) -> None:
    for prompt in load(name, tmp_path).prompts:
        outcomes = [await make_scorer(check, prompt).score(prompt, "I do not know.") for check in prompt.checks]
        assert not all(outcome.passed for outcome in outcomes), prompt.id


@pytest.mark.parametrize("name", ["quickstart", "global-vs-regional", "starter"])
def test_a_shipped_suite_gives_no_warning(name: str, tmp_path: Path) -> None:
    assert load(name, tmp_path).warnings == ()


def test_the_quickstart_has_eight_prompts_in_each_of_five_tags_and_every_kind_of_check(tmp_path: Path) -> None:
    suite = load("quickstart", tmp_path)
    kinds = ["arithmetic", "extraction", "dates", "classification", "facts"]
    assert dict.fromkeys(kinds, 8) == Counter(tag for prompt in suite.prompts for tag in prompt.tags)
    assert {"exact", "numeric", "regex", "contains", "json_schema"} == {
        check.type for prompt in suite.prompts for check in prompt.checks
    }


@pytest.mark.parametrize("part", ["routing", "api", "client"])
def test_every_model_of_the_quickstart_meets_both_of_everything(part: str, tmp_path: Path) -> None:
    targets = load("quickstart", tmp_path).targets
    assert Counter((target.model, getattr(target, part)) for target in targets).most_common()[0][1] == 1


def test_global_vs_regional_differs_in_the_routing_alone(tmp_path: Path) -> None:
    targets = load("global-vs-regional", tmp_path).targets
    assert ["global", "us", "eu"] == [target.routing for target in targets]
    assert len({(target.model, target.api, target.client, target.options.max_tokens) for target in targets}) == 1
