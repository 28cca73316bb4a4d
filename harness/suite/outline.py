"""A suite in short: what `harness validate` says of it."""

from __future__ import annotations

from collections import Counter

import msgspec

from harness.catalog.target import Target
from harness.suite.schema import Load, Suite


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite asks for, counted."""

    suite: str
    digest: str
    endpoint: str
    targets: tuple[Target, ...]
    baseline: str | None
    prompts: int
    tags: dict[str, int]
    """Prompts by tag, in the order of the file."""
    checks: dict[str, int]
    """Prompts' checks by type, most frequent first; the default check counts as `exact`."""
    load: str
    budget_usd: float | None
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def make_outline(suite: Suite) -> Outline:
    """The suite in short."""
    return Outline(
        suite=suite.name,
        digest=suite.digest,
        endpoint=suite.endpoint,
        targets=suite.targets,
        baseline=suite.baseline,
        prompts=len(suite.prompts),
        tags=dict(Counter(tag for prompt in suite.prompts for tag in prompt.tags)),
        checks=dict(Counter(check.type for prompt in suite.prompts for check in prompt.checks).most_common()),
        load=describe_load(suite.load),
        budget_usd=suite.budget_usd,
        notes=suite.notes,
        warnings=suite.warnings,
    )


def describe_load(load: Load) -> str:
    """`closed, 5 slots, paired, each prompt 1 ×, warm-up of 2`."""
    parts = [load.arrival]
    if load.arrival == "closed":
        parts += [f"{load.concurrency} slots", "paired" if load.paired else "slots for each target"]
    elif load.rate_per_s is not None:
        parts.append(f"{load.rate_per_s:g}/s for each target")
    if load.duration_s is not None:
        parts.append(f"{load.duration_s:g} s at most")
    if load.repeats is not None or load.duration_s is None:
        parts.append(f"each prompt {load.repeats or 1} ×")
    if load.warmup:
        parts.append(f"warm-up of {load.warmup}")
    return ", ".join(parts)
