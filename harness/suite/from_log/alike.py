"""Logged prompts made to fit every target, so that all of them are asked alike."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from harness.catalog.models import find_model
from harness.catalog.target import Options, Target
from harness.suite.check.fit import fit_mistakes
from harness.suite.suite import Prompt


class Unfit(Exception):
    """A prompt that a target cannot be asked whatever is left out; the text says why."""


def fit_all(prompt: Prompt, targets: Sequence[Target]) -> tuple[Options, dict[str, str]]:
    """The prompt's options without those that a target refuses, and why each of them was changed, by name.

    `max_tokens` is lowered to what every model can write. Raises Unfit.
    """
    changed: dict[str, str] = {}
    while found := fit_mistakes(list(enumerate(targets)), [prompt]):
        mistake = found[0]
        name = str(mistake.path[-1])
        if mistake.path[:1] != ("prompts",) or getattr(prompt.options, name, None) is None:
            raise Unfit(mistake.message)
        least = _longest(targets) if name == "max_tokens" and name not in changed else None
        changed[name] = mistake.message
        prompt = structs.replace(prompt, options=structs.replace(prompt.options, **{name: least}))
    return prompt.options, changed


def _longest(targets: Sequence[Target]) -> int | None:
    """The longest answer that every model can write. None: nothing is known."""
    models = [find_model(target.base_model) for target in targets]
    return min((model.max_output.value for model in models if model.max_output), default=None)
