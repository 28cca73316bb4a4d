"""Prompts that one side passed and the other did not, with an answer of each for people to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing

import msgspec
import numpy as np

from harness.analysis.comparison import Flip
from harness.analysis.pairs import Pairs
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.store.score import VERDICT

MOST_FLIPS = 50
MOST_CHARACTERS = 2000
"""Of an answer."""
PASSED = 0.5
"""A prompt asked several times passes where at least half of its answers do."""

_ANSWERS = f"""
with verdicts as (
    select request_id, {VERDICT} as passed,
        string_agg(reason, '; ') filter (passed is distinct from true and reason <> '') as reason
    from scores group by request_id
), last as (
    select * from attempts where target = $target and phase = 'measure' and prompt_id in (select unnest($prompts))
    qualify row_number() over (partition by request_id order by try_no desc) = 1
)
select prompt_id, passed, ok, left(text, $most), error_kind, reason from last left join verdicts using (request_id)
order by request_id
"""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. Hostile input: show it escaped only."""

    passed: bool | None
    text: str | None
    reason: str


def find_flips(pairs: Pairs, tags: Mapping[str, tuple[str, ...]]) -> list[Flip]:
    """Every prompt whose outcome differs, without answers: losses first, the largest change first."""
    before, _ = pairs.baseline.means(pairs.baseline.columns.passed)
    after, _ = pairs.candidate.means(pairs.candidate.columns.passed)
    flips = [
        Flip(
            prompt_id=str(prompt),
            tags=tags.get(str(prompt), ()),
            direction="pass_to_fail" if was > now else "fail_to_pass",
            baseline_passed=float(was),
            candidate_passed=float(now),
        )
        for prompt, was, now in zip(pairs.prompts, before, after, strict=True)
        if not np.isnan(was) and not np.isnan(now) and (was >= PASSED) != (now >= PASSED)
    ]
    return sorted(flips, key=lambda flip: flip.candidate_passed - flip.baseline_passed)


def with_answers(
    flips: Sequence[Flip], baseline: tuple[RunFolder, str], candidate: tuple[RunFolder, str]
) -> list[Flip]:
    """At most MOST_FLIPS of them, losses and gains in turn as far as there are, with both sides' answers."""
    shown = _fairly(flips)
    ids = [flip.prompt_id for flip in shown]
    before, after = _read(*baseline, ids), _read(*candidate, ids)
    return [_told(flip, before.get(flip.prompt_id, []), after.get(flip.prompt_id, [])) for flip in shown]


def _fairly(flips: Sequence[Flip]) -> list[Flip]:
    lost = [flip for flip in flips if flip.direction == "pass_to_fail"]
    gained = [flip for flip in reversed(flips) if flip.direction == "fail_to_pass"]
    room = max(MOST_FLIPS // 2, MOST_FLIPS - len(gained))
    return lost[:room] + gained[: MOST_FLIPS - len(lost[:room])]


def _told(flip: Flip, before: Sequence[Said], after: Sequence[Said]) -> Flip:
    lost = flip.direction == "pass_to_fail"
    was, now = _pick(before, passed=lost), _pick(after, passed=not lost)
    failing = now if lost else was
    return msgspec.structs.replace(
        flip,
        baseline_answer=None if was is None else was.text,
        candidate_answer=None if now is None else now.text,
        reason="" if failing is None else failing.reason,
    )


def _pick(said: Sequence[Said], *, passed: bool) -> Said | None:
    """The first answer with that outcome."""
    return next((each for each in said if each.passed is passed), None)


def _read(folder: RunFolder, target: str, prompts: list[str]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = defaultdict(list)
    if not prompts:
        return found
    with closing(connect([folder])) as con:
        rows = con.execute(_ANSWERS, {"most": MOST_CHARACTERS, "target": target, "prompts": prompts}).fetchall()
    for prompt_id, passed, ok, text, error_kind, reason in rows:
        why = reason or ("" if ok else f"request failed: {error_kind}")
        found[prompt_id].append(Said(passed=passed, text=text if ok else None, reason=why))
    return found
