from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.target import Api, Options, Tool
from harness.errors import CatalogError, SuiteError
from harness.suite.from_log.suite_file import Candidates, ImportedSuite, make_suite_file
from harness.suite.from_log.traffic import Call, Traffic
from harness.suite.loader import load_suite
from harness.suite.suite import Message, Suite

HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def call(model_id: str = HAIKU, *, region: str = "us-east-1", api: Api = "converse", stream: bool = True) -> Call:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return Call(at=at, model_id=model_id, region=region, api=api, stream=stream, input_tokens=10, output_tokens=5)


def asked(*texts: str, options: Options | None = None, how: Call | None = None, into: Traffic | None = None) -> Traffic:
    """Traffic of one conversation whose turns are `texts`."""
    traffic = into or Traffic(sample=100, seed=1)
    turns = tuple(Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts))
    traffic.add(how or call(), turns, options or Options())
    return traffic


def draw(traffic: Traffic, *models: str, routing: str | None = None) -> ImportedSuite:
    return make_suite_file("mine", traffic, Candidates(models=models, routing=routing), about=["Made of a log."])


def load(drawn: ImportedSuite, folder: Path) -> Suite:
    path = folder / "mine.yaml"
    path.write_text(drawn.text, encoding="utf-8")
    return load_suite(path)


def test_the_suite_that_is_drawn_can_be_loaded_with_everything_that_was_asked(tmp_path: Path) -> None:
    tools = [Tool(name="t", description="d", input_schema={"type": "object"})]
    options = Options(max_tokens=50, system="Be brief: yes\n", stop_sequences=["END"], tools=tools, tool_choice="any")
    traffic = asked("What is 2 + 2?", "4", "And 3 + 3?", options=options)
    (prompt,) = load(draw(traffic), tmp_path).prompts
    assert traffic.prompts[0].messages == prompt.messages
    assert options == prompt.options
    assert (None, ()) == (prompt.expect, prompt.checks)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())


@given(TEXT)
def test_whatever_was_said_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    suite = load(draw(asked(text)), tmp_path_factory.mktemp("drawn"))
    assert text == suite.prompts[0].messages[0].content


def test_todays_models_are_targets_and_the_most_frequent_is_the_baseline(tmp_path: Path) -> None:
    traffic = asked("a", how=call(SONNET, region="eu-west-1", api="invoke", stream=False))
    for text in ("b", "c"):
        asked(text, into=traffic)
    drawn = draw(traffic)
    suite = load(drawn, tmp_path)
    assert ("claude-haiku-4-5/global/converse", "claude-sonnet-4-5/eu/invoke") == drawn.targets
    assert drawn.targets[0] == suite.baseline
    assert [("us-east-1", True), ("eu-west-1", False)] == [(each.region, each.stream) for each in suite.targets]
    assert {"claude-haiku-4-5", "claude-sonnet-4-5"} == {tag for prompt in suite.prompts for tag in prompt.tags}


def test_no_accounts_number_gets_into_the_suite() -> None:
    assert "123456789012" not in draw(asked("a", how=call(SONNET, region="eu-west-1"))).text


def test_candidates_are_called_as_todays_model_is(tmp_path: Path) -> None:
    suite = load(draw(asked("a", how=call(api="invoke")), "claude-sonnet-4-6"), tmp_path)
    assert "claude-sonnet-4-6/global/invoke" == suite.targets[1].name


def test_the_candidates_routing_can_be_chosen_and_one_that_is_not_offered_is_reported(tmp_path: Path) -> None:
    suite = load(draw(asked("a"), "claude-sonnet-4-6", routing="us"), tmp_path)
    assert "claude-sonnet-4-6/us/converse" == suite.targets[1].name
    with pytest.raises(CatalogError, match="not offered"):
        draw(asked("a"), "claude-opus-4-5", routing="jp")


def test_a_candidate_that_is_called_today_already_is_one_target() -> None:
    assert 1 == len(draw(asked("a"), "claude-haiku-4-5").targets)


def test_an_option_that_a_candidate_refuses_is_taken_from_all_so_that_they_are_asked_alike(tmp_path: Path) -> None:
    drawn = draw(asked("a", options=Options(max_tokens=9, temperature=0.5)), "claude-opus-4-8")
    assert Options(max_tokens=9) == load(drawn, tmp_path).prompts[0].options
    (warning,) = [each for each in drawn.warnings if "temperature" in each]
    assert warning.startswith("1 prompts: temperature is left out: ")


def test_a_max_tokens_that_a_candidate_cannot_write_is_lowered_to_what_it_can(tmp_path: Path) -> None:
    drawn = draw(asked("a", options=Options(max_tokens=100_000)), "claude-opus-4-8")
    assert 64_000 == load(drawn, tmp_path).prompts[0].options.max_tokens


def test_an_option_that_no_suite_takes_is_left_out_and_reported(tmp_path: Path) -> None:
    tools = [Tool(name="a tool!", input_schema={"type": "object"})]
    drawn = draw(asked("a", options=Options(tools=tools)))
    assert Options() == load(drawn, tmp_path).prompts[0].options
    assert ("1 prompts: tools is left out: a suite cannot express its value",) == drawn.warnings


@pytest.mark.parametrize("name", ["", "two words", "../up"])
def test_a_name_that_no_suite_may_have_is_refused(name: str) -> None:
    with pytest.raises(SuiteError, match="is not a valid suite name"):
        make_suite_file(name, asked("a"), Candidates(), about=[])


def test_a_log_without_a_prompt_is_reported() -> None:
    traffic = Traffic(sample=10, seed=1)
    traffic.add_size(call())
    with pytest.raises(SuiteError, match="has no prompt"):
        draw(traffic)


def test_a_comment_at_the_head_stays_a_comment(tmp_path: Path) -> None:
    drawn = make_suite_file("mine", asked("a"), Candidates(), about=["a path\nsuite: other", "\x85targets: []"])
    assert "mine" == load(drawn, tmp_path).name
