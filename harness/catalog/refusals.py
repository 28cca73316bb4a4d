"""Options that a model refuses, and how to fix them, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.catalog.models import Model
from harness.catalog.target import Options

Refusal = tuple[str, str]
"""(option, what is wrong and how to fix it)."""

_SAMPLING = ("temperature", "top_p", "top_k")
_LEAST_THINKING = 1024
_NO_SUCH_TIERS = {"claude-haiku-4-5": ("priority", "flex")}
"""From one model card; nothing is known about other models."""
_OPTIMISED = ("claude-3-5-haiku",)


def refusals(model: Model, options: Options) -> list[Refusal]:
    """Every option that the service is known to reject with HTTP 400.

    `options`: of one request, the prompt's merged over the target's.
    """
    return [refusal for rule in _RULES for refusal in rule(model, options)]


def _sampling(model: Model, options: Options) -> Iterator[Refusal]:
    """Anthropic's API version 2026-10-21 and AWS's model card of Opus 4.7; both at once: AWS's page on Messages."""
    names = [name for name in _SAMPLING if getattr(options, name) is not None]
    if model.generation >= (4, 7):
        for name in names:
            yield name, f"{model.name} refuses {name}, as does every model from 4.7 on; leave it out"
    elif model.generation >= (4, 1) and {"temperature", "top_p"} <= set(names):
        yield "top_p", f"{model.name} takes temperature or top_p, not both; drop one of them"


def _thinking(model: Model, options: Options) -> Iterator[Refusal]:
    """AWS's pages on extended and on adaptive thinking."""
    thinking = options.thinking
    if thinking is None:
        return
    if model.generation < (3, 7):
        yield "thinking", f"{model.name} has no extended thinking (available from 3.7 on); leave it out"
    elif thinking == "adaptive" and model.generation < (4, 6):
        yield "thinking", f"{model.name} has no adaptive thinking (available from 4.6 on); write a budget in tokens"
    elif isinstance(thinking, int):
        yield from _thinking_budget(model, thinking, options.max_tokens)


def _thinking_budget(model: Model, budget: int, max_tokens: int | None) -> Iterator[Refusal]:
    if model.generation >= (4, 7):
        yield "thinking", f"{model.name} refuses a thinking budget, as does every model from 4.7 on; write 'adaptive'"
    elif budget < _LEAST_THINKING:
        yield "thinking", f"a thinking budget must be at least {_LEAST_THINKING} tokens, got {budget}; raise it"
    elif max_tokens is not None and budget >= max_tokens:
        yield (
            "thinking",
            f"max_tokens ({max_tokens}) must be more than the thinking budget ({budget}); raise max_tokens",
        )


def _beside_thinking(model: Model, options: Options) -> Iterator[Refusal]:
    """AWS's page on extended thinking, 'Feature compatibility'."""
    if options.thinking is None or model.generation < (3, 7):
        return
    if options.tool_choice not in (None, "auto", "none"):
        yield "tool_choice", "thinking cannot be combined with a forced tool; write 'auto', or leave thinking out"
    if model.generation >= (4, 7):
        return
    if options.temperature not in (None, 1):
        yield "temperature", "thinking cannot be combined with a temperature other than 1; leave one of them out"
    if options.top_k is not None:
        yield "top_k", "thinking cannot be combined with top_k; leave one of them out"
    if options.top_p is not None and options.top_p < 0.95:
        yield "top_p", "thinking cannot be combined with a top_p under 0.95; leave one of them out"


def _length(model: Model, options: Options) -> Iterator[Refusal]:
    most = model.max_output
    if most is not None and options.max_tokens is not None and options.max_tokens > most.value:
        source = f"({most.source}, {most.as_of})"
        yield "max_tokens", f"{model.name} writes at most {most.value:,} tokens, got {options.max_tokens:,} {source}"


def _caching(model: Model, options: Options) -> Iterator[Refusal]:
    """AWS's page on prompt caching."""
    if options.cache is not None and model.generation < (3, 5):
        yield "cache", f"{model.name} has no prompt caching (available from 3.5 on); leave it out"
    elif options.cache == "1h" and model.generation < (4, 5):
        yield "cache", f"{model.name} keeps a cache for 5 minutes only (an hour from 4.5 on); write '5m'"


def _citing(model: Model, options: Options) -> Iterator[Refusal]:
    """Anthropic's page on citations."""
    if options.citations and model.generation < (3, 5):
        yield "citations", f"{model.name} cannot cite documents (available from 3.5 on); leave it out"


def _service(model: Model, options: Options) -> Iterator[Refusal]:
    """AWS's model card of Haiku 4.5; AWS's page on latency-optimised inference."""
    if options.service_tier in _NO_SUCH_TIERS.get(model.name, ()):
        yield "service_tier", f"{model.name} has no tier '{options.service_tier}'; write 'default' or 'reserved'"
    if options.latency == "optimized" and model.name not in _OPTIMISED:
        yield (
            "latency",
            f"{model.name} has no latency-optimised inference (only {', '.join(_OPTIMISED)} has it); leave it out",
        )


_RULES: tuple[Callable[[Model, Options], Iterator[Refusal]], ...] = (
    _sampling,
    _thinking,
    _beside_thinking,
    _length,
    _caching,
    _citing,
    _service,
)
