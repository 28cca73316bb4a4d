"""What is compared with what: targets of finished runs, whether those runs are valid, and their prompts, paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Codes, Columns, Floats, RunData
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
    """A finished run: its manifest, suite and data. Without a folder there are no answers to show."""

    manifest: Manifest
    suite: Suite
    data: RunData
    folder: RunFolder | None = None

    def target(self, name: str) -> Target:
        """The target of that name. StopIteration: no such target."""
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


def find_pairings(
    baseline: FinishedRun,
    candidate: FinishedRun | None,
    baseline_target: str | None,
    candidate_targets: Sequence[str],
    pairs: Sequence[tuple[str, str]] = (),
) -> list[Pairing]:
    """Each candidate with its baseline; see `compare.compare_targets`. CompareError: no pair, or an unknown name."""
    other = candidate or baseline
    if candidate is not None and candidate.manifest.run_id == baseline.manifest.run_id:
        raise CompareError(f"both sides are copies of run {baseline.manifest.run_id}; name another run")
    _check_names(baseline, [baseline_target] if baseline_target is not None else [])
    _check_names(other, candidate_targets)
    if pairs:
        names = list(pairs)
    elif candidate is None:
        against = baseline_target or baseline.suite.baseline
        if against is None:
            raise CompareError(
                f"no baseline: name one with --baseline or as `baseline:` in the suite (targets: {_describe(baseline)})"
            )
        names = [(against, name) for name in candidate_targets or baseline.names if name != against]
    else:
        names = _between(baseline, candidate, baseline_target, candidate_targets)
    if not names:
        raise CompareError("nothing to compare: the baseline is the only target; name another with --candidate")
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
        unmatched = [name for name in candidate_targets if name not in baseline.names]
        if unmatched:
            raise CompareError(
                f"run {baseline.manifest.run_id} has no target {unmatched[0]!r} to compare with (targets: "
                f"{_describe(baseline)}); name one: harness compare RUN LATER --baseline TARGET --candidate TARGET"
            )
        return namesakes
    against = baseline.suite.baseline or (baseline.names[0] if len(baseline.names) == 1 else None)
    if against is None:
        raise CompareError(
            "no baseline: the runs have no target in common and the first has several; choose one with --baseline "
            f"(targets: {_describe(baseline)})"
        )
    return [(against, name) for name in wanted]


def _check_names(side: FinishedRun, names: Sequence[str]) -> None:
    for name in names:
        if name not in side.names:
            raise CompareError(f"run {side.manifest.run_id} has no target {name!r} (targets: {_describe(side)})")


def _refuse_judges(pairings: Sequence[Pairing]) -> None:
    """A judge favours answers like its own, so its model may not be compared, whichever of the runs it judged."""
    for each in pairings:
        judges = {j.target.base_model: j.name for s in (each.baseline, each.candidate) for j in s.suite.graders.judges}
        for side, name in _arms(each):
            judge = judges.get(side.target(name).base_model)
            if judge is not None:
                raise CompareError(
                    f"{name} uses the same model as judge {judge!r} and cannot be compared: a model favours its own "
                    "answers; choose another judge"
                )


def _refuse_unmeasured(pairings: Sequence[Pairing]) -> None:
    for side, name in {(id(s), n): (s, n) for each in pairings for s, n in _arms(each)}.values():
        if name not in side.data.columns:
            raise CompareError(
                f"run {side.manifest.run_id} measured no requests for {name}; run the suite again, for longer than its "
                "warm-up"
            )


def _arms(each: Pairing) -> tuple[tuple[FinishedRun, str], tuple[FinishedRun, str]]:
    return (each.baseline, each.baseline_target), (each.candidate, each.candidate_target)


def invalid_findings(pairings: Sequence[Pairing]) -> list[Finding]:
    """Why a compared run is invalid; considers only the compared targets."""
    by_side: dict[int, tuple[FinishedRun, list[str]]] = {}
    for side, name in (arm for each in pairings for arm in _arms(each)):
        names = by_side.setdefault(id(side), (side, []))[1]
        if name not in names:
            names.append(name)
    several = len(by_side) > 1
    findings = [
        _with_run(finding, side) if several else finding
        for side, names in by_side.values()
        for finding in check_validity(side.manifest, _only(side.suite, names), _only_data(side.data, names))
        if finding.invalidates
    ]
    return list(dict.fromkeys(findings))


def concerns(pairing: Pairing, finding: Finding) -> bool:
    """Whether a finding is about one of the two that are compared, or about a whole run."""
    return finding.target in (None, pairing.baseline_target, pairing.candidate_target)


def difference_findings(baseline: FinishedRun, candidate: FinishedRun, pairings: Sequence[Pairing]) -> list[Finding]:
    """What else differs between two runs and so is part of every difference, and which targets were not compared."""
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
    findings = [
        Finding(
            what=f"the runs also differ in {', '.join(differing)}, which affects latency, errors and throttling",
            remedy="run baseline and candidate as targets of one suite, at the same time",
        )
    ] if differing else []  # fmt: skip
    if baseline.manifest.simulated != candidate.manifest.simulated:
        findings.append(
            Finding(what="only one of the runs is simulated", remedy="compare two simulated runs or two real ones")
        )
    if baseline.suite.gate != candidate.suite.gate:
        findings.append(
            Finding(
                what="the runs have different gates; the candidate's gate decides",
                remedy="run the baseline again with the candidate's gate",
            )
        )
    compared = {each.candidate_target for each in pairings}
    unmatched = [name for name in candidate.names if name not in compared and name not in baseline.names]
    if unmatched:
        findings.append(
            Finding(
                what=f"not compared: {', '.join(unmatched)}, since run {baseline.manifest.run_id} has no such target",
                remedy="name the pair to compare: harness compare RUN LATER --baseline TARGET --candidate TARGET",
            )
        )
    return findings


def _with_run(finding: Finding, side: FinishedRun) -> Finding:
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
"""Keys of a prompt that change neither the request nor its checks."""
MOST_NAMED = 5
JUDGED = {"judge", "pairwise"}
"""Checks that ask a judge."""


Unshared = tuple[tuple[str, ...], tuple[str, ...]]
"""Ids of prompts that only the baseline's suite has, and only the candidate's."""


def unshared_prompts(baseline: Suite, candidate: Suite) -> Unshared:
    """The prompts that only one of the suites has; all others are compared.

    Targets, load and endpoint may differ: they are what is compared, or a finding says so.

    CompareError: a prompt, its judge or its check file differs between the suites, or they have no prompt in common.
    """
    candidates = {prompt.id: prompt for prompt in candidate.prompts}
    both = tuple(prompt.id for prompt in baseline.prompts if prompt.id in candidates)
    if not both:
        raise CompareError(
            f"suites {baseline.name} and {candidate.name} have no prompt in common; compare runs of the same suite"
        )
    if baseline.digest != candidate.digest:
        _refuse_changed({prompt.id: prompt for prompt in baseline.prompts}, candidates, both)
        _refuse_other_graders(baseline, candidate, [candidates[id_] for id_ in both])
    shared = set(both)
    only_baseline, only_candidate = (
        tuple(prompt.id for prompt in suite.prompts if prompt.id not in shared) for suite in (baseline, candidate)
    )
    return only_baseline, only_candidate


def _refuse_changed(baseline: dict[str, Prompt], candidate: dict[str, Prompt], both: tuple[str, ...]) -> None:
    changed = {id_: _changed_keys(baseline[id_], candidate[id_]) for id_ in both}
    named = [f"{id_} ({', '.join(keys)})" for id_, keys in changed.items() if keys]
    if named:
        more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
        raise CompareError(
            f"the suites differ in {len(named)} of {len(both)} prompts or their checks: "
            f"{', '.join(named[:MOST_NAMED])}{more}; run the baseline again with the current suite"
        )


def _refuse_other_graders(baseline: Suite, candidate: Suite, prompts: Sequence[Prompt]) -> None:
    """Another judge or another version of a check file is another measure."""
    used = {check.type for prompt in prompts for check in prompt.checks}
    changed = []
    if used & JUDGED:
        changed += _differing("judge", *({j.name: j.target for j in s.graders.judges} for s in (baseline, candidate)))
    if "python" in used:
        files = ({f.name: f.digest for f in s.graders.check_files} for s in (baseline, candidate))
        changed += _differing("check file", *files)
    if changed:
        raise CompareError(
            f"the suites grade differently ({', '.join(changed)}); run the baseline again with the current suite"
        )


def _differing(kind: str, one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    """Graders that both suites have and that differ; one that only one suite has grades no shared prompt."""
    return [f"{kind} {name}" for name in sorted(one.keys() & other.keys()) if one[name] != other[name]]


def _changed_keys(one: Prompt, other: Prompt) -> list[str]:
    first, second = _content(one), _content(other)
    return [key for key in sorted({**first, **second}) if first.get(key) != second.get(key)]


def _content(prompt: Prompt) -> dict[str, Any]:
    return {key: value for key, value in prompt_content(prompt).items() if key not in LABELS}


@dataclass(frozen=True, kw_only=True)
class ArmColumns:
    """One arm's requests for the prompts of both arms, and each request's prompt as a code."""

    columns: Columns
    codes: Codes
    prompts: int

    def means(self, values: Floats) -> tuple[Floats, Codes]:
        """By prompt: the mean of its values (NaN: it has none) and their number. `values`: one a request."""
        known = ~np.isnan(values)
        counts = np.bincount(self.codes[known], minlength=self.prompts)
        sums = np.bincount(self.codes[known], weights=values[known], minlength=self.prompts)
        return np.divide(sums, counts, out=np.full(self.prompts, np.nan), where=counts > 0), counts


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Both arms over the same prompts. `groups`: one entry a prompt, its group's name, or its own id without one.

    `together`: in one run, so at the same time.
    """

    prompts: npt.NDArray[Any]
    groups: npt.NDArray[Any]
    baseline: ArmColumns
    candidate: ArmColumns
    together: bool = True

    def clusters(self, selected: npt.NDArray[np.bool_]) -> Codes:
        """Codes from 0 of the independent clusters among the selected prompts."""
        return cluster_codes(self.groups[selected])


def pair(baseline: Columns, candidate: Columns, *, together: bool = True) -> Pairs:
    """Align two targets' columns by prompt, without the prompts that only one side has. `together`: of one run."""
    shared, groups = candidate.prompts[0], zip(baseline.prompt_id, baseline.group_id, strict=True)
    group_of = {prompt: group for prompt, group in groups if prompt in shared}
    code = {prompt: index for index, prompt in enumerate(sorted(group_of))}
    return Pairs(
        prompts=np.array(list(code), dtype=object),
        groups=np.array([group_of[prompt] for prompt in code], dtype=object),
        baseline=_arm(baseline, code),
        candidate=_arm(candidate, code),
        together=together,
    )


def _arm(columns: Columns, code: dict[str, int]) -> ArmColumns:
    codes = np.array([code.get(prompt, -1) for prompt in columns.prompts[0]], dtype=np.int64)[columns.prompts[1]]
    shared = codes >= 0
    return ArmColumns(columns=columns.select(shared), codes=codes[shared], prompts=len(code))
