"""What a model rejects: sampling parameters, thinking, prompts beyond its context window, too many pages."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

from harness.catalog.models import find_model
from harness.errors import CatalogError
from harness.simulator.faults import validation
from harness.simulator.model.profiles import ModelName

LONG_CONTEXT_BETA = "context-1m-2025-08-07"
LONG_CONTEXT = 1_000_000
"""Tokens."""
_LONG_CONTEXT_MODELS = frozenset({("sonnet", 4.0), ("sonnet", 4.5)})
_DEFAULT_WINDOW = 200_000
_NO_SAMPLING_SINCE = 4.7
_THINKING_SINCE = 3.7
_ADAPTIVE_SINCE = 4.6
_MIN_BUDGET = 1_024
_PAGES = 600
_PAGES_OF_SMALL_WINDOWS = 100


def check_sampling(model: ModelName, given: dict[str, Any]) -> None:
    """Reject sampling parameters for generations without them. `given`: name → value, None if not sent."""
    if model.generation < _NO_SAMPLING_SINCE:
        return
    for name, value in given.items():
        if value is not None:
            raise validation(f"{name}: sampling parameters are not supported by this model")


def check_thinking(model: ModelName, thinking: dict[str, Any] | None, max_tokens: int) -> bool:
    """Whether the model should think. Rejects an invalid budget and models without thinking."""
    kind = thinking.get("type") if thinking else "disabled"
    if thinking is None or kind == "disabled":
        return False
    if kind not in ("enabled", "adaptive"):
        raise validation(f"thinking.type: Input should be 'enabled', 'adaptive' or 'disabled', not {kind!r}")
    if model.generation < (_ADAPTIVE_SINCE if kind == "adaptive" else _THINKING_SINCE):
        raise validation(f"thinking.type: {kind!r} is not supported by this model")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < _MIN_BUDGET:
            raise validation(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_MIN_BUDGET}")
        if budget >= max_tokens:
            raise validation("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return True


def check_window(model: ModelName, input_tokens: int, betas: Collection[str]) -> None:
    """Reject a prompt that is longer than the model's context window."""
    window = _window(model.base_id)
    if LONG_CONTEXT_BETA in betas and (model.family, model.generation) in _LONG_CONTEXT_MODELS:
        window = max(window, LONG_CONTEXT)
    if input_tokens > window:
        raise validation("Input is too long for requested model.")


def check_pages(model: ModelName, pages: int) -> None:
    """Reject more PDF pages than the model accepts."""
    limit = _PAGES if _window(model.base_id) > _DEFAULT_WINDOW else _PAGES_OF_SMALL_WINDOWS
    if pages > limit:
        raise validation(f"A maximum of {limit} PDF pages may be provided.")


def check_citations(enabled: list[bool]) -> None:
    """Reject citations that are enabled for some documents only."""
    if any(enabled) and not all(enabled):
        raise validation("Citations must be enabled on all or none of the documents in the request.")


@lru_cache(maxsize=256)
def _window(base_id: str) -> int:
    try:
        known = find_model(base_id).context_window
    except CatalogError:
        return _DEFAULT_WINDOW
    return known.value if known else _DEFAULT_WINDOW
