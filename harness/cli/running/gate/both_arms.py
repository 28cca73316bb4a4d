"""The suite of a rerun: a run's candidates, and beside them the baselines, also those of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.catalog.target import Target
from harness.suite.derived import keep_targets
from harness.suite.digest import digest_suite
from harness.suite.suite import Suite

SUFFIX = " (baseline)"
"""Of a baseline whose name the candidate's run gives to a target with another model id or other options."""
Pair = tuple[str, str]
"""The names of a baseline and of its candidate."""


class BothArms(msgspec.Struct, frozen=True, kw_only=True):
    """What a rerun asks."""

    suite: Suite
    in_one_run: tuple[Pair, ...] = ()
    """Both are targets of `suite`."""
    candidate_alone: tuple[Pair, ...] = ()
    """The baseline is a target of the earlier run."""


def in_both_runs(old: Target, new: Target) -> bool:
    """Whether two runs asked the same target: a rerun against itself says nothing about a change in time."""
    return msgspec.structs.replace(old, name=new.name) == new


def rerun_suite(plan: Suite, earlier: Suite | None, pairs: Sequence[Pair], *, apart: bool = False) -> BothArms:
    """The suite that asks these pairs again, of `plan` and the earlier run's suite; None: both targets are of `plan`.

    A baseline of the earlier run becomes a target of the rerun, with its model id and options, the rate that its own
    suite gave it and the prices of its model; not if both runs asked the same target, or if `apart` (it lived at
    another endpoint). StopIteration: no such target.
    """
    if earlier is None:
        return BothArms(suite=keep_targets(plan, {name for pair in pairs for name in pair}), in_one_run=tuple(pairs))
    suite = keep_targets(plan, {new for _, new in pairs})
    together: list[Pair] = []
    alone: list[Pair] = []
    for old, new in pairs:
        target = _target(earlier, old)
        if apart or in_both_runs(target, _target(plan, new)):
            alone.append((old, new))
            continue
        suite, name = _with_baseline(suite, earlier, target)
        together.append((name, new))
    suite = msgspec.structs.replace(suite, baseline=None)
    suite = msgspec.structs.replace(suite, digest=digest_suite(suite))
    return BothArms(suite=suite, in_one_run=tuple(together), candidate_alone=tuple(alone))


def _with_baseline(suite: Suite, earlier: Suite, target: Target) -> tuple[Suite, str]:
    """The suite with a target of the earlier one, and its name there."""
    taken = {each.name: each for each in suite.targets}
    name = target.name if taken.get(target.name, target) == target else f"{target.name}{SUFFIX}"
    if name in taken:
        return suite, name
    only = keep_targets(earlier, {target.name})
    known = {_key(price) for price in suite.prices}
    rates, regions = dict(suite.load.rates_per_s or {}), dict(suite.usual_regions)
    if target.name in (only.load.rates_per_s or {}):
        rates[name] = (only.load.rates_per_s or {})[target.name]
    if target.name in earlier.usual_regions:
        regions[name] = earlier.usual_regions[target.name]
    suite = msgspec.structs.replace(
        suite,
        targets=(*suite.targets, msgspec.structs.replace(target, name=name)),
        prices=(*suite.prices, *(price for price in only.prices if _key(price) not in known)),
        load=msgspec.structs.replace(suite.load, rates_per_s=rates or None),
        usual_regions=regions,
    )
    return suite, name


def _key(price: object) -> tuple[object, ...]:
    return tuple(getattr(price, field) for field in ("model", "routing", "terms"))


def _target(suite: Suite, name: str) -> Target:
    return next(target for target in suite.targets if target.name == name)
