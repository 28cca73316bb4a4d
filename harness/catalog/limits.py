"""Context windows, and how many tokens of quota an output token costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from harness.catalog.models import Model
from harness.catalog.names import generation, short_name
from harness.catalog.sources import Fact

LONG_CONTEXT_BETA = "context-1m-2025-08-07"
"""The value of `anthropic_beta` that opened the 1M window of Sonnet 4 and 4.5."""

_BURNDOWN_PAGE = ("AWS's page on token burndown, at second hand", "2026-11-22")
_GUESS = ("a guess: AWS's page names no rate for this model", "2026-11-22")


def context_window(model: Model, beta: Sequence[str] | None = None) -> int | None:
    """The model's context window in tokens, input and output together, with these beta values. None: unknown.

    A beta's window is returned even after the beta ended; see `long_context_warning`.
    """
    if model.long_context and LONG_CONTEXT_BETA in (beta or ()):
        return model.long_context.value
    return model.context_window.value if model.context_window else None


def long_context_warning(model: Model, beta: Sequence[str] | None, today: date) -> str | None:
    """A warning if the 1M beta has ended, or has no effect on this model."""
    if LONG_CONTEXT_BETA not in (beta or ()):
        return None
    if model.long_context is None:
        own = f"; its window is {model.context_window.value:,} tokens without it" if model.context_window else ""
        return f"beta '{LONG_CONTEXT_BETA}' is for Sonnet 4 and 4.5 and does nothing for {model.name}{own}; drop it"
    ended = model.long_context_ended
    if ended and ended.value <= today:
        return (
            f"beta '{LONG_CONTEXT_BETA}' ended on {ended.value} ({ended.source}, {ended.as_of}; no date is known for "
            f"Bedrock), so {model.name} may refuse a long prompt; models from 4.6 on take 1M tokens without it"
        )
    return None


def burndown(base_model: str) -> int:
    """How many tokens of the tokens-per-minute quota an output token costs on bedrock-runtime."""
    return burndown_fact(base_model).value


def burndown_fact(base_model: str) -> Fact[int]:
    """The same with its source. A model that AWS's page does not name gets the last documented rule: 5 from 3.7 on."""
    rate, (source, as_of) = _burndown(short_name(base_model), generation(base_model))
    return Fact(value=rate, source=source, as_of=as_of)


def _burndown(name: str, version: tuple[int, int]) -> tuple[int, tuple[str, str]]:
    if version < (3, 7):
        return 1, _BURNDOWN_PAGE
    if version <= (4, 7):
        return 5, _BURNDOWN_PAGE
    if version == (4, 8):
        return 15, _BURNDOWN_PAGE
    if name in ("claude-sonnet-5", "claude-opus-5"):
        return 10, _BURNDOWN_PAGE
    return 5, _GUESS
