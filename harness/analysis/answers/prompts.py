"""The prompts of a suite as they were asked, for people: turns, attachments, expected answer and checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.analysis.answers.book import AskedPrompt, Turn
from harness.analysis.answers.fit import fit
from harness.characters import printable
from harness.suite.generate import make_filler, without_filler
from harness.suite.suite import Check, Prompt, Suite

MOST_BYTES = 2_000_000
"""Of the turns and expected answers of all prompts together."""
MOST_CHARACTERS = 20_000
"""Of one turn, and of one expected answer."""
MOST_CHECK_CHARACTERS = 120
FILLER_CHARACTERS = 300
"""Shown of generated text before the question."""
_TELLING = ("expect", "pattern", "rubric", "tool", "function", "document", "pages", "text", "schema", "calls")
"""Parameters that say what a check looks for, the most telling first."""


def asked_prompts(suite: Suite, prompts: Iterable[str]) -> list[AskedPrompt]:
    """The prompts of these ids, in this order; one that the suite does not have has an id and nothing else."""
    known = {prompt.id: prompt for prompt in suite.prompts}
    system = shared_system(suite)
    return _fitted([_asked(known[name], system) if name in known else AskedPrompt(id=name) for name in prompts])


def shared_system(suite: Suite) -> str | None:
    """The system prompt that all targets have. None: they have none, or not the same."""
    systems = {target.options.system for target in suite.targets}
    return systems.pop() if len(systems) == 1 else None


def own_systems(suite: Suite) -> list[str | None]:
    """The system prompt of each target, where those of the targets differ; a long one is cut."""
    if shared_system(suite) is not None:
        return [None] * len(suite.targets)
    systems = [target.options.system for target in suite.targets]
    return [each and _with_length(each[:MOST_CHARACTERS], each) for each in systems]


def describe_check(check: Check) -> str:
    """A check in a few words: `numeric`, `regex: ^Paris`, `judge: fluent`."""
    telling = next((check.params[name] for name in _TELLING if check.params.get(name) not in (None, "", [], {})), None)
    if telling is None:
        return check.type
    words = printable(telling if isinstance(telling, str) else _as_json(telling))
    return _shorten(f"{check.type}: {words}", MOST_CHECK_CHARACTERS)


def _as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _asked(prompt: Prompt, system: str | None) -> AskedPrompt:
    own = prompt.options.system if prompt.options.system is not None else system
    first, *others = prompt.messages
    question = without_filler(first, prompt.filler).content
    if prompt.filler is not None:
        question = f"{_describe_filler(prompt)}\n\n{question}"
    turns = [Turn(role="system", text=own)] if own is not None else []
    turns += [Turn(role=first.role, text=question), *(Turn(role=each.role, text=each.content) for each in others)]
    return AskedPrompt(
        id=prompt.id,
        tags=prompt.tags,
        group=prompt.group,
        turns=tuple(turns),
        attachments=tuple(each.name for each in (*prompt.documents, *prompt.images)),
        expect=prompt.expect,
        checks=tuple(describe_check(check) for check in prompt.checks),
    )


def _describe_filler(prompt: Prompt) -> str:
    """The beginning of the generated text, how much there is of it, and what is hidden in it."""
    assert prompt.filler is not None
    filler = prompt.filler
    shown = make_filler(msgspec.structs.replace(filler, tokens=FILLER_CHARACTERS // 4, needle=None))
    hidden = f"; hidden in it at {filler.depth:.0%}: {filler.needle}" if filler.needle else ""
    return f"{_shorten(shown, FILLER_CHARACTERS)} [about {filler.tokens:,} tokens of generated text{hidden}]"


def _fitted(prompts: Sequence[AskedPrompt]) -> list[AskedPrompt]:
    """The prompts with texts that fit into a page."""
    texts = [text for each in prompts for text in (*(turn.text for turn in each.turns), each.expect or "")]
    cut = iter(fit([text[:MOST_CHARACTERS] for text in texts], MOST_BYTES))
    whole = iter(texts)

    def next_text() -> str:
        return _with_length(next(cut), next(whole))

    fitted = []
    for each in prompts:
        turns = tuple(Turn(role=turn.role, text=next_text()) for turn in each.turns)
        expect = next_text()
        fitted.append(msgspec.structs.replace(each, turns=turns, expect=None if each.expect is None else expect))
    return fitted


def _with_length(shown: str, whole: str) -> str:
    """What is shown of a text, and how long that is if it is cut."""
    return shown if len(shown) == len(whole) else f"{shown}… ({len(whole):,} characters)"


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
