"""Prompts as people read them: every turn, files by name, checks in a few words, filler cut."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from harness.analysis.answers.book import AskedPrompt, Turn
from harness.analysis.answers.prompts import MOST_BYTES, MOST_CHARACTERS, asked_prompts, describe_check
from harness.catalog.target import Options
from harness.suite.generate import with_filler
from harness.suite.suite import Attachment, Check, Filler, Message, Prompt, Suite

MakeSuite = Callable[..., Suite]


def ask(make_suite: MakeSuite, prompt: Prompt, *systems: str | None) -> AskedPrompt:
    """The prompt in a suite of one target for each system prompt."""
    suite = make_suite([f"t{at}" for at in range(len(systems) or 1)])
    targets = tuple(
        msgspec.structs.replace(target, options=Options(system=system))
        for target, system in zip(suite.targets, systems or (None,), strict=True)
    )
    (asked,) = asked_prompts(msgspec.structs.replace(suite, targets=targets, prompts=(prompt,)), [prompt.id])
    return asked


def question(text: str = "Why?", **changes: object) -> Prompt:
    return msgspec.structs.replace(Prompt(id="p", messages=(Message(role="user", content=text),)), **changes)


def test_a_prompt_has_all_its_turns_and_files(make_suite: MakeSuite) -> None:
    said = ("user", "Hi"), ("assistant", "Hello"), ("user", "Who?")
    file = Attachment(name="docs/a.pdf", media_type="application/pdf", digest="0" * 64, size=1)
    prompt = question(
        messages=tuple(Message(role=role, content=text) for role, text in said),
        documents=(file,),
        images=(msgspec.structs.replace(file, name="b.png"),),
        options=Options(system="Be brief."),
        expect="Bob",
        checks=(Check(type="exact"),),
        tags=("who",),
        group="people",
    )
    expected = AskedPrompt(
        id="p",
        tags=("who",),
        group="people",
        turns=(Turn(role="system", text="Be brief."), *(Turn(role=role, text=text) for role, text in said)),
        attachments=("docs/a.pdf", "b.png"),
        expect="Bob",
        checks=("exact",),
    )
    assert expected == ask(make_suite, prompt)


@pytest.mark.parametrize(
    ("own", "targets", "shown"),
    [
        (None, ["brief"], ["brief"]),
        (None, ["brief", "brief"], ["brief"]),
        (None, ["brief", "long"], []),
        (None, ["brief", None], []),
        ("own", ["brief", "long"], ["own"]),
    ],
)
def test_a_system_prompt_is_shown_where_all_targets_get_the_same(
    make_suite: MakeSuite, own: str | None, targets: list[str | None], shown: list[str]
) -> None:
    asked = ask(make_suite, question(options=Options(system=own)), *targets)
    assert shown == [turn.text for turn in asked.turns if turn.role == "system"]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (Check(type="numeric"), "numeric"),
        (Check(type="numeric", params={"tolerance": 0.1}), "numeric"),
        (Check(type="regex", params={"pattern": "^Paris"}), "regex: ^Paris"),
        (Check(type="judge", params={"judge": "opus", "rubric": "fluent\nEnglish"}), "judge: fluent English"),
        (Check(type="contains", params={"expect": ["a", "b"]}), 'contains: ["a","b"]'),
        (Check(type="citations", params={"pages": [3]}), "citations: [3]"),
        (Check(type="python", params={"file": "checks.py", "function": "grade_it"}), "python: grade_it"),
        (Check(type="regex", params={"pattern": "x" * 500}), f"regex: {'x' * 112}…"),
    ],
)
def test_a_check_is_told_in_a_few_words(check: Check, words: str) -> None:
    assert words == describe_check(check)


def test_of_generated_text_the_beginning_and_the_needle_are_shown(make_suite: MakeSuite) -> None:
    filler = Filler(tokens=50_000, needle="The code is 42.", depth=0.25)
    message = with_filler(Message(role="user", content="What is the code?"), filler)
    (turn,) = ask(make_suite, question(messages=(message,), filler=filler)).turns
    assert turn.text.startswith(message.content[:200])
    assert turn.text.endswith(
        "[about 50,000 tokens of generated text; hidden in it at 25%: The code is 42.]\n\nWhat is the code?"
    )
    assert len(turn.text) < 600


def test_long_texts_are_cut_and_say_how_long_they_are(make_suite: MakeSuite) -> None:
    (turn,) = ask(make_suite, question("x" * 50_000)).turns
    assert f"{'x' * MOST_CHARACTERS}… (50,000 characters)" == turn.text


def test_many_long_prompts_fit_into_a_page(make_suite: MakeSuite) -> None:
    prompts = tuple(question("y" * 19_000, id=f"p{at}") for at in range(1_000))
    asked = asked_prompts(msgspec.structs.replace(make_suite(), prompts=prompts), [each.id for each in prompts])
    assert 0.9 * MOST_BYTES < len(msgspec.json.encode(asked)) < 1.2 * MOST_BYTES


def test_a_prompt_that_the_suite_lacks_has_its_id_alone(make_suite: MakeSuite) -> None:
    assert [AskedPrompt(id="gone")] == asked_prompts(make_suite(), ["gone"])
