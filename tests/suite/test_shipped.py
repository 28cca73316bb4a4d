"""The shipped suites and the starter: what they hold, and that their reference answers pass their own checks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from pypdf import PdfReader

from harness.endpoints import APIS
from harness.scoring.checks import check_mistakes, make_scorer
from harness.suite.check.size import prompt_tokens
from harness.suite.loader import load_suite
from harness.suite.suite import Suite
from harness.suite.write import starter_suite

SUITES = Path(__file__).parents[2] / "suites"


def load(name: str, folder: Path) -> Suite:
    if name != "starter":
        return load_suite(SUITES / f"{name}.yaml", validators=[check_mistakes])
    (folder / "starter.yaml").write_text(starter_suite("starter"), encoding="utf-8")
    return load_suite(folder / "starter.yaml", validators=[check_mistakes])


NAMES = ["quickstart", "global-vs-regional", "pdf", "long-context", "sdk-overhead", "starter"]


@pytest.mark.parametrize("name", NAMES)
async def test_every_reference_answer_passes_its_own_checks(name: str, tmp_path: Path) -> None:
    for prompt in load(name, tmp_path).prompts:
        assert prompt.expect is not None, prompt.id
        for check in prompt.checks:
            outcome = await make_scorer(check, prompt).score(prompt, prompt.expect)
            assert outcome.passed, (prompt.id, outcome.reason)


@pytest.mark.parametrize("name", NAMES)
async def test_no_prompt_passes_with_another_answer(name: str, tmp_path: Path) -> None:
    for prompt in load(name, tmp_path).prompts:
        outcomes = [await make_scorer(check, prompt).score(prompt, "I do not know.") for check in prompt.checks]
        assert not all(outcome.passed for outcome in outcomes), prompt.id


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pdf"])
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


def test_the_sdk_overhead_suite_differs_in_the_client_alone_and_has_every_client_that_speaks_the_api(
    tmp_path: Path,
) -> None:
    targets = load("sdk-overhead", tmp_path).targets
    asked = {api: {target.client for target in targets if target.api == api} for api in ("invoke", "converse")}
    assert asked == {api: {client for client, apis in APIS.items() if api in apis} for api in asked}
    assert len({(target.model_id, target.region, target.stream, target.options.max_tokens) for target in targets}) == 1


def test_the_pdf_suite_asks_in_all_three_modes_and_warns_of_the_one_that_sees_no_chart(tmp_path: Path) -> None:
    suite = load("pdf", tmp_path)
    assert [("converse", None), ("converse", True), ("invoke", None)] == [
        (target.api, target.options.citations) for target in suite.targets
    ]
    assert suite.warnings == (
        "Converse without citations reads only the text of pdf/quarterly.pdf; set citations: true, or use api invoke, "
        "if the model must see charts and layout",
    )


def test_what_the_chart_shows_is_written_nowhere_in_the_pdf(tmp_path: Path) -> None:
    text = "\n".join(page.extract_text() for page in PdfReader(SUITES / "pdf" / "quarterly.pdf").pages)
    words = set(re.findall(r"\w+", text))
    visual = {prompt.expect for prompt in load("pdf", tmp_path).prompts if "visual" in prompt.tags}
    assert visual.isdisjoint(words)
    assert {"35", "55", "45", "25"}.isdisjoint(words)
    assert {"405", "268", "259", "84", "Brookfield"} <= words


def test_the_pdf_is_small_and_tells_nothing_of_where_it_was_made(tmp_path: Path) -> None:
    path = SUITES / "pdf" / "quarterly.pdf"
    assert path.stat().st_size < 40_000
    assert set(PdfReader(path).metadata or {}) == {"/Title", "/CreationDate", "/ModDate"}


def test_the_long_context_suite_hides_each_answer_once_in_a_text_of_the_size_that_it_says(tmp_path: Path) -> None:
    for prompt in load("long-context", tmp_path).prompts:
        assert prompt.filler is not None
        (message,) = prompt.messages
        assert message.content.count(str(prompt.expect)) == 1
        assert abs(prompt_tokens(prompt, prompt.options, "invoke") - prompt.filler.tokens) < 100
        assert abs(message.content.index(str(prompt.expect)) / len(message.content) - prompt.filler.depth) < 0.02


def test_the_rush_hour_doubles_twice_and_grades_nothing(tmp_path: Path) -> None:
    suite = load("rush-hour", tmp_path)
    assert [3.0, 6.0, 12.0] == [step.rate_per_s for step in suite.load.steps or ()]
    assert (200, False) == (len(suite.prompts), any(prompt.checks for prompt in suite.prompts))
    assert suite.warnings == ()
