"""Prompts whose share of passed answers changed, with an answer of each side for people to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Literal

import msgspec
import numpy as np

from harness.analysis.compare.comparison import Flip, Outcomes
from harness.analysis.compare.pairing import ArmColumns, Pairs
from harness.analysis.stats.churn import expected_changes
from harness.characters import counted
from harness.store.query import connect
from harness.store.records import LAST_MEASURED, VERDICT
from harness.store.run_folder import RunFolder

MOST_ANSWERS = 50
"""Changed prompts that are listed with their answers."""
MOST_CHARACTERS = 2000
"""Of an answer; a longer one ends with how many it has."""

_ANSWERS = f"""
with verdicts as (
    select request_id, {VERDICT} as passed,
        string_agg(reason, '; ') filter (passed is distinct from true and reason <> '') as reason
    from scores group by request_id
)
select prompt_id, passed, ok, left(text, $most), length(text), error_kind, reason
from ({LAST_MEASURED}) left join verdicts using (request_id)
where target = $target and prompt_id in (select unnest($prompts)) order by request_id
"""


class ScoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. Hostile input: escape it."""

    passed: bool | None
    text: str | None
    reason: str


def find_flips(pairs: Pairs, tags: Mapping[str, tuple[str, ...]]) -> list[Flip]:
    """Every prompt whose share of passed answers differs, without answers: the worst first, then by id.

    A prompt without a scored answer on one side is left out: a change is unknown.
    """
    flips = [
        Flip(prompt_id=prompt, tags=tags.get(prompt, ()), direction=direction, baseline=before, candidate=after)
        for prompt, before, after in zip(
            map(str, pairs.prompts), _outcomes(pairs.baseline), _outcomes(pairs.candidate), strict=True
        )
        if (direction := _direction(before, after)) is not None
    ]
    return sorted(flips, key=lambda flip: (round(_share(flip.candidate) - _share(flip.baseline), 12), flip.prompt_id))


def count_unscored(pairs: Pairs) -> int:
    """Prompts without a scored answer on one side or both."""
    sides = zip(_outcomes(pairs.baseline), _outcomes(pairs.candidate), strict=True)
    return sum(not before.scored or not after.scored for before, after in sides)


def expected_from_repeats(pairs: Pairs) -> tuple[float, str] | None:
    """How many prompts an unchanged model would change, and what it is from: `3 repeats`. None: nothing was repeated.

    From the baseline's repeats, or the candidate's if the baseline has none: how often a target disagrees with itself.
    """
    before, after = _outcomes(pairs.baseline), _outcomes(pairs.candidate)
    both = [i for i in range(len(before)) if before[i].scored and after[i].scored]
    answers = [np.array([side[i].scored for i in both], dtype=np.int64) for side in (before, after)]
    for side, known in zip((before, after), answers, strict=True):
        passed = np.array([side[i].passed for i in both], dtype=np.int64)
        changes = expected_changes(passed, known, *answers)
        if changes is not None:
            return changes, counted(int(np.median(known[known >= 2])), "repeat")
    return None


def _outcomes(arm: ArmColumns) -> list[Outcomes]:
    """One entry a prompt."""
    scored = ~np.isnan(arm.columns.passed)
    passed = np.bincount(arm.codes[arm.columns.passed == 1], minlength=arm.prompts)
    known = np.bincount(arm.codes[scored], minlength=arm.prompts)
    total = np.bincount(arm.codes, minlength=arm.prompts)
    return [
        Outcomes(passed=right, scored=count, unscored=every - count)
        for right, count, every in zip(passed.tolist(), known.tolist(), total.tolist(), strict=True)
    ]


def _direction(before: Outcomes, after: Outcomes) -> Literal["worse", "better"] | None:
    """By cross-multiplication, which does not round; None: the same share, or none on a side."""
    was, now = before.passed * after.scored, after.passed * before.scored
    if not before.scored or not after.scored or was == now:
        return None
    return "worse" if now < was else "better"


def _share(side: Outcomes) -> float:
    return side.passed / side.scored


def with_answers(
    flips: Sequence[Flip], baseline: tuple[RunFolder, str], candidate: tuple[RunFolder, str]
) -> list[Flip]:
    """All flips, the MOST_ANSWERS largest losses and gains with both sides' answers."""
    ids = _largest(flips)
    before, after = _read(*baseline, ids), _read(*candidate, ids)
    chosen = set(ids)
    return [
        _add_answers(flip, before.get(flip.prompt_id, []), after.get(flip.prompt_id, []))
        if flip.prompt_id in chosen
        else flip
        for flip in flips
    ]


def _largest(flips: Sequence[Flip]) -> list[str]:
    """Ids of half losses and half gains, or more of one where there are few of the other."""
    lost = [flip.prompt_id for flip in flips if flip.direction == "worse"]
    gained = [flip.prompt_id for flip in reversed(flips) if flip.direction == "better"]
    losses = max(MOST_ANSWERS // 2, MOST_ANSWERS - len(gained))
    return lost[:losses] + gained[: MOST_ANSWERS - len(lost[:losses])]


def _add_answers(flip: Flip, before: Sequence[ScoredAnswer], after: Sequence[ScoredAnswer]) -> Flip:
    lost = flip.direction == "worse"
    was, now = _pick(before, passed=lost), _pick(after, passed=not lost)
    failing = now if lost else was
    return msgspec.structs.replace(
        flip,
        baseline_answer=None if was is None else was.text,
        candidate_answer=None if now is None else now.text,
        reason="" if failing is None else failing.reason,
    )


def _pick(answers: Sequence[ScoredAnswer], *, passed: bool) -> ScoredAnswer | None:
    """The first answer with that outcome."""
    return next((each for each in answers if each.passed is passed), None)


def _read(folder: RunFolder, target: str, prompts: list[str]) -> dict[str, list[ScoredAnswer]]:
    answers: dict[str, list[ScoredAnswer]] = defaultdict(list)
    if not prompts:
        return answers
    with closing(connect([folder])) as con:
        rows = con.execute(_ANSWERS, {"most": MOST_CHARACTERS, "target": target, "prompts": prompts}).fetchall()
    for prompt_id, passed, ok, text, characters, error_kind, reason in rows:
        why = reason or ("" if ok else f"request failed: {error_kind}")
        if ok and text is not None and characters > MOST_CHARACTERS:
            text += f"… ({characters:,} characters)"
        answers[prompt_id].append(ScoredAnswer(passed=passed, text=text if ok else None, reason=why))
    return answers
