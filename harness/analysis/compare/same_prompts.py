"""Whether two suites asked the same: the prompts of both must be word for word alike, and checked alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.errors import CompareError
from harness.suite.digest import prompt_content
from harness.suite.suite import Prompt, Suite

NOT_ASKED = ("tags", "group")
"""What of a prompt changes neither the question nor its check."""
MOST_TOLD = 5
JUDGED = {"judge", "pairwise"}
"""Checks that ask a judge."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of prompts, in the suites' order."""

    both: tuple[str, ...]
    only_baseline: tuple[str, ...] = ()
    only_candidate: tuple[str, ...] = ()


def shared_prompts(baseline: Suite, candidate: Suite) -> Shared:
    """The prompts that both suites have. Targets, load and endpoint may differ; that is what is compared, or told.

    CompareError: a prompt is not the same in both, other judges or check files graded it, or they have none in common.
    """
    asked = {prompt.id: prompt for prompt in candidate.prompts}
    both = tuple(prompt.id for prompt in baseline.prompts if prompt.id in asked)
    if not both:
        raise CompareError(
            f"suites {baseline.name} and {candidate.name} have no prompt in common; compare runs of the same suite"
        )
    if baseline.digest != candidate.digest:
        _refuse_changed({prompt.id: prompt for prompt in baseline.prompts}, asked, both)
        _refuse_other_graders(baseline, candidate, [asked[id_] for id_ in both])
    ours = set(both)
    return Shared(
        both=both,
        only_baseline=tuple(prompt.id for prompt in baseline.prompts if prompt.id not in ours),
        only_candidate=tuple(prompt.id for prompt in candidate.prompts if prompt.id not in ours),
    )


def _refuse_changed(baseline: dict[str, Prompt], candidate: dict[str, Prompt], both: tuple[str, ...]) -> None:
    changed = {id_: _changed_keys(baseline[id_], candidate[id_]) for id_ in both}
    told = [f"{id_} ({', '.join(keys)})" for id_, keys in changed.items() if keys]
    if told:
        more = f" and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
        raise CompareError(
            f"the suites differ: {len(told)} of {len(both)} prompts were asked or checked differently: "
            f"{', '.join(told[:MOST_TOLD])}{more}; run the baseline again with the suite of today"
        )


def _refuse_other_graders(baseline: Suite, candidate: Suite, prompts: Sequence[Prompt]) -> None:
    """Another judge, or another text of a check file, is another measure."""
    used = {check.type for prompt in prompts for check in prompt.checks}
    changed = []
    if used & JUDGED:
        changed += _differing("judge", *({j.name: j.target for j in s.graders.judges} for s in (baseline, candidate)))
    if "python" in used:
        files = ({f.name: f.digest for f in s.graders.check_files} for s in (baseline, candidate))
        changed += _differing("check file", *files)
    if changed:
        raise CompareError(
            f"the suites grade differently: {', '.join(changed)}; run the baseline again with the suite of today"
        )


def _differing(kind: str, one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Of what both have; a grader that only one has grades no prompt of both."""
    return [f"{kind} {name}" for name in sorted(one.keys() & other.keys()) if one[name] != other[name]]


def _changed_keys(one: Prompt, other: Prompt) -> list[str]:
    first, second = _asked(one), _asked(other)
    return [key for key in sorted({**first, **second}) if first.get(key) != second.get(key)]


def _asked(prompt: Prompt) -> dict[str, Any]:
    return {key: value for key, value in prompt_content(prompt).items() if key not in NOT_ASKED}
