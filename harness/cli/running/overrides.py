"""Loads a suite with every validator, and applies a command's options to it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from math import inf
from pathlib import Path

import msgspec

from harness.catalog.target import merge_options
from harness.endpoints import client_names, unsupported
from harness.endpoints.address import make_connection
from harness.errors import HarnessError
from harness.store.records import PAIRWISE
from harness.suite.check.load import plan_mistakes
from harness.suite.derived import compares_pairs, keep_targets
from harness.suite.digest import digest_suite
from harness.suite.grammar.mistakes import Mistake
from harness.suite.loader import load_suite
from harness.suite.suite import Load, Suite


class Overrides(msgspec.Struct, frozen=True, kw_only=True):
    """Options that override the suite; None, or no targets: keep the suite's."""

    endpoint: str | None = None
    targets: tuple[str, ...] = ()
    repeats: int | None = None
    budget_usd: float | None = None


def load_checked(path: Path) -> Suite:
    """Load a suite. SuiteError: every mistake in it."""
    from harness.load.limits.quota import budget_mistakes
    from harness.scoring.checks import check_mistakes, redaction_mistakes
    from harness.scoring.judging.calibration import calibration_mistakes

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    validators = [check_mistakes, redaction_mistakes, calibration_mistakes, wire_mistakes, budget_mistakes]
    return load_suite(path, validators=validators, home_region=region)


def wire_mistakes(suite: Suite) -> Iterable[Mistake]:
    """Unknown clients, apis that a client does not support, and options that an api does not support."""
    known = client_names()
    for at, target in enumerate(suite.targets):
        if target.client not in known:
            yield Mistake(("targets", at, "client"), f"unknown client {target.client!r} (known: {', '.join(known)})")
            continue
        refusals = [unsupported(target, merge_options(target.options, prompt.options)) for prompt in suite.prompts]
        yield from (
            Mistake(("targets", at, "api"), mistake) for mistake in dict.fromkeys(refusals) if mistake is not None
        )
    for judge in suite.graders.judges:
        if judge.target.client not in known:
            mistake = f"unknown client {judge.target.client!r} (known: {', '.join(known)})"
            yield Mistake(("judges", judge.name, "client"), mistake)
        elif (refused := unsupported(judge.target, judge.target.options)) is not None:
            yield Mistake(("judges", judge.name, "api"), refused)


def load_for_run(path: Path, overrides: Overrides) -> Suite:
    """Load a suite and apply the options; its digest changes with them. HarnessError: unknown target, or bad value."""
    _check(overrides)
    suite = load_checked(path)
    load: Load = suite.load
    if overrides.repeats is not None:
        if load.arrival == "trace":
            raise HarnessError("--repeats cannot be used with a trace; limit it with load.requests or load.duration")
        load = msgspec.structs.replace(load, repeats=overrides.repeats)
    suite = msgspec.structs.replace(
        suite,
        endpoint=overrides.endpoint or suite.endpoint,
        load=load,
        budget_usd=suite.budget_usd if overrides.budget_usd is None else overrides.budget_usd,
    )
    if overrides.targets:
        suite = _only_targets(suite, overrides.targets)
    check_plan(suite, option="" if overrides.repeats is None else f"--repeats {overrides.repeats}: ")
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def check_plan(suite: Suite, *, option: str) -> None:
    """HarnessError: the load is too large to plan. `option`: what changed it, as the prefix of the message."""
    names = [target.name for target in suite.targets]
    for mistake in plan_mistakes(suite.load, prompts=len(suite.prompts), targets=names):
        raise HarnessError(f"{option}the load {mistake.message}")


def _check(overrides: Overrides) -> None:
    """Apply the rules of the suite file to the options. HarnessError: a value breaks one."""
    if overrides.endpoint is not None and overrides.endpoint != "simulator":
        make_connection(overrides.endpoint, region="us-east-1", pool_size=1, connect_timeout_s=1.0)
    check_budget(overrides.budget_usd)


def check_budget(budget_usd: float | None) -> None:
    """HarnessError: the value of --budget cannot be one."""
    if budget_usd is not None and not 0 < budget_usd < inf:
        raise HarnessError(f"--budget {budget_usd:g}: must be finite and more than 0; leave it out for no budget")


def _only_targets(suite: Suite, names: tuple[str, ...]) -> Suite:
    known = [target.name for target in suite.targets]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its targets: {', '.join(known)}"
            raise HarnessError(f"--target {name}: the suite has no such target; {hint}")
    kept = keep_targets(suite, names)
    return msgspec.structs.replace(kept, warnings=(*kept.warnings, *_without_pairs(kept, suite.baseline)))


def _without_pairs(suite: Suite, baseline: str | None) -> Iterator[str]:
    """A warning if the targets that are left give pairwise checks nothing to compare."""
    checks = (check for prompt in suite.prompts for check in prompt.checks)
    if compares_pairs(suite) or not any(check.type == PAIRWISE for check in checks):
        return
    needed = "another target" if suite.baseline is not None else f"the baseline: --target {baseline}"
    yield f"pairwise checks have nothing to compare without {needed}; there will be no win rates"


def check_account(suite: Suite) -> None:
    """For a suite that is sent to AWS, look at the account first; see `check_before_run`, which takes time to load."""
    if suite.endpoint == "aws":
        from harness.cli.running.preflight import check_before_run

        check_before_run(suite)
