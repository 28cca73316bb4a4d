"""What is compared with what: targets of finished runs, whether those runs are valid, and their prompts, paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import AttemptCounts, Codes, Columns, Floats, RunData
from harness.analysis.stats.means import cluster_codes
from harness.analysis.validity import check_validity
from harness.catalog.target import Target
from harness.errors import CompareError
from harness.store.finding import Finding
from harness.store.manifest import Manifest
from harness.store.run_folder import RunFolder
from harness.suite.digest import prompt_content
from harness.suite.suite import Prompt, Suite


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """A run that is over: how it ended, what it asked, and what came of it. Without a folder there are no answers."""

    manifest: Manifest
    suite: Suite
    data: RunData
    folder: RunFolder | None = None

    def target(self, name: str) -> Target:
        """The target of that name. StopIteration: there is none."""
        return next(target for target in self.suite.targets if target.name == name)

    @property
    def names(self) -> list[str]:
        return [target.name for target in self.suite.targets]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """One candidate and its baseline."""

    baseline: FinishedRun
    baseline_target: str
    candidate: FinishedRun
    candidate_target: str

    @property
    def baseline_columns(self) -> Columns:
        return self.baseline.data.columns[self.baseline_target]

    @property
    def candidate_columns(self) -> Columns:
        return self.candidate.data.columns[self.candidate_target]

    @property
    def baseline_counts(self) -> AttemptCounts:
        return self.baseline.data.counts[self.baseline_target]

    @property
    def candidate_counts(self) -> AttemptCounts:
        return self.candidate.data.counts[self.candidate_target]


def find_pairings(
    baseline: FinishedRun, candidate: FinishedRun | None, baseline_target: str | None, candidate_targets: Sequence[str]
) -> list[Pairing]:
    """What is compared with what; see `compare.compare_targets`. CompareError: nothing is, or a name is unknown."""
    other = candidate or baseline
    if candidate is not None and candidate.manifest.run_id == baseline.manifest.run_id:
        raise CompareError(f"both sides are run {baseline.manifest.run_id}, one of them a copy; name another run")
    _check_names(baseline, [baseline_target] if baseline_target is not None else [])
    _check_names(other, candidate_targets)
    if candidate is None:
        against = baseline_target or baseline.suite.baseline
        if against is None:
            raise CompareError(
                "no baseline: name one with --baseline, or in the suite as `baseline:` "
                f"(targets: {_describe(baseline)})"
            )
        names = [(against, name) for name in candidate_targets or baseline.names if name != against]
    else:
        names = _between(baseline, candidate, baseline_target, candidate_targets)
    if not names:
        raise CompareError("nothing to compare with the baseline: it is the only target that was named")
    pairings = [
        Pairing(baseline=baseline, baseline_target=old, candidate=other, candidate_target=new) for old, new in names
    ]
    _refuse_judges(pairings)
    _refuse_unmeasured(pairings)
    return pairings


def _between(
    baseline: FinishedRun, candidate: FinishedRun, baseline_target: str | None, candidate_targets: Sequence[str]
) -> list[tuple[str, str]]:
    """Two runs: namesakes, unless a baseline is named or no name is in both."""
    wanted = candidate_targets or candidate.names
    if baseline_target is not None:
        if not candidate_targets and baseline_target in candidate.names:
            return [(baseline_target, baseline_target)]
        return [(baseline_target, name) for name in wanted]
    namesakes = [(name, name) for name in wanted if name in baseline.names]
    if namesakes:
        alone = [name for name in candidate_targets if name not in baseline.names]
        if alone:
            raise CompareError(
                f"{baseline.manifest.run_id} has no target {alone[0]!r} to compare it with (it has "
                f"{_describe(baseline)}); name one: harness compare RUN LATER --baseline TARGET --candidate TARGET"
            )
        return namesakes
    against = baseline.suite.baseline or (baseline.names[0] if len(baseline.names) == 1 else None)
    if against is None:
        raise CompareError(
            f"no baseline: the runs share no target and the first has several; name one of {_describe(baseline)} "
            "with --baseline"
        )
    return [(against, name) for name in wanted]


def _check_names(side: FinishedRun, names: Sequence[str]) -> None:
    for name in names:
        if name not in side.names:
            raise CompareError(f"{side.manifest.run_id} has no target {name!r} (targets: {_describe(side)})")


def _refuse_judges(pairings: Sequence[Pairing]) -> None:
    """A judge favours what is like itself: it may grade, or be graded, here or in the other run."""
    for each in pairings:
        judges = {j.target.base_model: j.name for s in (each.baseline, each.candidate) for j in s.suite.graders.judges}
        for side, name in _arms(each):
            judge = judges.get(side.target(name).base_model)
            if judge is not None:
                raise CompareError(
                    f"{name} is the model of the judge {judge!r} and cannot be compared: a model favours its own "
                    "answers; choose another judge"
                )


def _refuse_unmeasured(pairings: Sequence[Pairing]) -> None:
    for side, name in {(id(s), n): (s, n) for each in pairings for s, n in _arms(each)}.values():
        if name not in side.data.columns:
            raise CompareError(
                f"{side.manifest.run_id}: no measured request of {name}; run the suite again, longer than its warm-up"
            )


def _arms(each: Pairing) -> tuple[tuple[FinishedRun, str], tuple[FinishedRun, str]]:
    return (each.baseline, each.baseline_target), (each.candidate, each.candidate_target)


def invalid_findings(pairings: Sequence[Pairing]) -> list[Finding]:
    """Why a compared run is invalid, as far as the compared targets are concerned."""
    by_side: dict[int, tuple[FinishedRun, list[str]]] = {}
    for side, name in (arm for each in pairings for arm in _arms(each)):
        names = by_side.setdefault(id(side), (side, []))[1]
        if name not in names:
            names.append(name)
    several = len(by_side) > 1
    found = [
        _of_run(finding, side) if several else finding
        for side, names in by_side.values()
        for finding in check_validity(side.manifest, _only(side.suite, names), _only_data(side.data, names))
        if finding.invalidates
    ]
    return list(dict.fromkeys(found))


def difference_findings(baseline: FinishedRun, candidate: FinishedRun, pairings: Sequence[Pairing]) -> list[Finding]:
    """What differs between two runs beyond the targets and is in every difference, and what was not compared at all."""
    if baseline is candidate:
        return []
    differing = [
        name
        for name, same in (
            ("endpoint", baseline.manifest.endpoint == candidate.manifest.endpoint),
            ("load", baseline.suite.load == candidate.suite.load),
            ("retries", baseline.suite.retries == candidate.suite.retries),
            ("host", baseline.manifest.host == candidate.manifest.host),
        )
        if not same
    ]
    found = [
        Finding(
            what=f"the runs also differ in {', '.join(differing)}; that is part of each difference in latency, errors "
            "and throttling",
            remedy="run baseline and candidate in one suite, at the same moment",
        )
    ] if differing else []  # fmt: skip
    if baseline.manifest.simulated != candidate.manifest.simulated:
        found.append(Finding(what="one of the runs is simulated, the other is not", remedy="compare like with like"))
    if baseline.suite.gate != candidate.suite.gate:
        found.append(
            Finding(what="the runs' gates differ; the candidate's decides", remedy="run the baseline again to agree")
        )
    compared = {each.candidate_target for each in pairings}
    alone = [name for name in candidate.names if name not in compared and name not in baseline.names]
    if alone:
        found.append(
            Finding(
                what=f"not compared: {', '.join(alone)}, which {baseline.manifest.run_id} does not have",
                remedy="name what to set it against: harness compare RUN LATER --baseline TARGET --candidate TARGET",
            )
        )
    return found


def _of_run(finding: Finding, side: FinishedRun) -> Finding:
    return msgspec.structs.replace(finding, what=f"{side.manifest.run_id}: {finding.what}")


def _only(suite: Suite, names: Sequence[str]) -> Suite:
    return msgspec.structs.replace(suite, targets=tuple(each for each in suite.targets if each.name in names))


def _only_data(data: RunData, names: Sequence[str]) -> RunData:
    return replace(
        data,
        columns={name: c for name, c in data.columns.items() if name in names},
        counts={name: c for name, c in data.counts.items() if name in names},
    )


def _describe(side: FinishedRun) -> str:
    return ", ".join(side.names)


LABELS = ("tags", "group")
"""Keys of a prompt that change neither the question nor its check."""
MOST_NAMED = 5
JUDGED = {"judge", "pairwise"}
"""Checks that ask a judge."""


Unshared = tuple[tuple[str, ...], tuple[str, ...]]
"""Ids of prompts that only the baseline's suite has, and only the candidate's."""


def unshared_prompts(baseline: Suite, candidate: Suite) -> Unshared:
    """The prompts that only one of the suites has; the others are compared.

    Targets, load and endpoint may differ: they are what is compared, or a finding says so.

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
    only_baseline, only_candidate = (
        tuple(prompt.id for prompt in suite.prompts if prompt.id not in ours) for suite in (baseline, candidate)
    )
    return only_baseline, only_candidate


def _refuse_changed(baseline: dict[str, Prompt], candidate: dict[str, Prompt], both: tuple[str, ...]) -> None:
    changed = {id_: _changed_keys(baseline[id_], candidate[id_]) for id_ in both}
    named = [f"{id_} ({', '.join(keys)})" for id_, keys in changed.items() if keys]
    if named:
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        raise CompareError(
            f"the suites differ: {len(named)} of {len(both)} prompts were asked or checked differently: "
            f"{', '.join(named[:MOST_NAMED])}{more}; run the baseline again with the suite of today"
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
    return {key: value for key, value in prompt_content(prompt).items() if key not in LABELS}


@dataclass(frozen=True, kw_only=True)
class ArmColumns:
    """One arm's requests of the prompts that both were asked, and each request's prompt as a code."""

    columns: Columns
    codes: Codes
    prompts: int

    def means(self, values: Floats) -> tuple[Floats, Codes]:
        """By prompt: the mean of its values (NaN: it has none), and how many there are. `values`: one a request."""
        there = ~np.isnan(values)
        counts = np.bincount(self.codes[there], minlength=self.prompts)
        sums = np.bincount(self.codes[there], weights=values[there], minlength=self.prompts)
        return np.divide(sums, counts, out=np.full(self.prompts, np.nan), where=counts > 0), counts


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Both arms over the same prompts. `groups`: one entry a prompt, its group's name, or its own id without one."""

    prompts: npt.NDArray[Any]
    groups: npt.NDArray[Any]
    baseline: ArmColumns
    candidate: ArmColumns

    def clusters(self, kept: npt.NDArray[np.bool_]) -> Codes:
        """Codes from 0 of what is independent among the prompts that are kept."""
        return cluster_codes(self.groups[kept])


def pair(baseline: Columns, candidate: Columns) -> Pairs:
    """Line up two targets' columns. Requests of prompts that only one side has are left out."""
    asked = set(candidate.prompt_id)
    group_of = {p: g for p, g in zip(baseline.prompt_id, baseline.group_id, strict=True) if p in asked}
    code = {prompt: index for index, prompt in enumerate(sorted(group_of))}
    return Pairs(
        prompts=np.array(list(code), dtype=object),
        groups=np.array([group_of[prompt] for prompt in code], dtype=object),
        baseline=_arm(baseline, code),
        candidate=_arm(candidate, code),
    )


def _arm(columns: Columns, code: dict[str, int]) -> ArmColumns:
    codes = np.fromiter((code.get(prompt, -1) for prompt in columns.prompt_id), np.int64, len(columns.prompt_id))
    kept = codes >= 0
    return ArmColumns(columns=columns.select(kept), codes=codes[kept], prompts=len(code))
