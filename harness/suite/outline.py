"""The outline of a suite that `harness validate` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Target, merge_options
from harness.suite.check.size import prompt_tokens
from harness.suite.suite import Attachment, Load, Suite


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A summary of a suite's content."""

    suite: str
    digest: str
    endpoint: str
    targets: tuple[Target, ...]
    baseline: str | None
    prompts: int
    longest_tokens: int
    """Input tokens of the longest prompt, estimated for the target that reads the most of it."""
    attachments: tuple[Attachment, ...]
    """Documents, then images, each file once, without paths."""
    prices: tuple[PriceOverride, ...]
    """The user's own prices."""
    tags: dict[str, int]
    """Tag → number of prompts, in the order of the file."""
    checks: dict[str, int]
    """Check type → number of prompts' checks, most frequent first. The default check counts as `exact`."""
    judges: dict[str, str]
    """Judge → model id."""
    load: str
    budget_usd: float | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def make_outline(suite: Suite) -> Outline:
    """The outline of a suite."""
    return Outline(
        suite=suite.name,
        digest=suite.digest,
        endpoint=suite.endpoint,
        targets=suite.targets,
        baseline=suite.baseline,
        prompts=len(suite.prompts),
        longest_tokens=_longest_tokens(suite),
        attachments=_attachments(suite),
        prices=suite.prices,
        tags=dict(Counter(tag for prompt in suite.prompts for tag in prompt.tags)),
        checks=dict(Counter(check.type for prompt in suite.prompts for check in prompt.checks).most_common()),
        judges={judge.name: judge.target.model_id for judge in suite.graders.judges},
        load=describe_load(suite.load),
        budget_usd=suite.budget_usd,
        notes=suite.notes,
        warnings=suite.warnings,
    )


def _longest_tokens(suite: Suite) -> int:
    return max(
        (
            prompt_tokens(prompt, merge_options(target.options, prompt.options), target.api)
            for target in suite.targets
            for prompt in suite.prompts
        ),
        default=0,
    )


def _attachments(suite: Suite) -> tuple[Attachment, ...]:
    attached = [each for prompt in suite.prompts for each in prompt.documents]
    attached += [each for prompt in suite.prompts for each in prompt.images]
    return tuple(msgspec.structs.replace(each, path=None) for each in {each.digest: each for each in attached}.values())


def describe_load(load: Load) -> str:
    """`closed, 5 slots, paired, each prompt 1 ×, warm-up of 2`."""
    parts: list[str] = [load.arrival]
    if load.arrival == "closed":
        parts += [f"{load.concurrency} slots", "paired" if load.paired else "slots for each target"]
    parts += _open_parts(load)
    if load.duration_s is not None:
        parts.append(f"{load.duration_s:g} s at most")
    if load.requests is not None:
        parts.append(f"{load.requests:,} requests for each target at most")
    unbounded = load.duration_s is None and load.requests is None and load.arrival not in ("ramp", "steps", "trace")
    if load.repeats is not None or unbounded:
        parts.append(f"each prompt {load.repeats or 1} ×")
    if load.max_in_flight is not None:
        parts.append(f"at most {load.max_in_flight} in flight")
    if load.warmup:
        parts.append(f"warm-up of {load.warmup}")
    if load.store_text is not None:
        parts.append(f"{load.store_text:.0%} of the answers stored")
    return ", ".join(parts)


def _open_parts(load: Load) -> Iterator[str]:
    """The parts that describe an open load's schedule."""
    if load.steps:
        yield ", ".join(f"{step.rate_per_s:g}/s for {step.duration_s:g} s" for step in load.steps)
    if load.calls:
        speed = "" if load.speed is None else f", {load.speed:g} times as fast"
        yield f"{len(load.calls):,} calls in {load.calls[-1].at_s:g} s{speed}"
    if load.rate_per_s is not None:
        to = "" if load.to_per_s is None else f" to {load.to_per_s:g}/s"
        yield f"{load.rate_per_s:g}/s{to} for each target"
    for name, rate in (load.rates_per_s or {}).items():
        yield f"{rate:g}/s for {name}"
    if load.burstiness is not None:
        yield f"burstiness {load.burstiness:g}"
    if load.burst is not None:
        yield f"{load.burst} at a time"
