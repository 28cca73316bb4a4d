"""Sample answers of a run for people to read: a few of each target, those that did not pass first."""

from __future__ import annotations

from contextlib import closing

import msgspec

from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.store.score import VERDICT

MOST_PER_TARGET = 5

_SAMPLES = f"""
with verdicts as (
    select request_id, {VERDICT} as passed,
        string_agg(reason, '; ') filter (passed is distinct from true and reason <> '') as reason
    from scores group by request_id
), answers as (
    select target, prompt_id, text, passed, coalesce(reason, '') as reason,
        row_number() over (
            partition by target order by case passed when false then 0 when true then 2 else 1 end, request_id
        ) as place
    from attempts join verdicts using (request_id) where phase = 'measure' and ok and text is not null
)
select target, prompt_id, text, passed, reason from answers where place <= $most order by target, place
"""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One graded answer. `answer` is hostile input: show it escaped only."""

    target: str
    prompt_id: str
    answer: str
    passed: bool | None
    """None: unscored."""
    reason: str = ""


def load_samples(run: RunFolder, *, most: int = MOST_PER_TARGET) -> list[Answer]:
    """At most `most` graded answers a target, by target: not passed before unscored before passed."""
    with closing(connect([run])) as con:
        rows = con.execute(_SAMPLES, {"most": most}).fetchall()
    return [
        Answer(target=target, prompt_id=prompt_id, answer=text, passed=passed, reason=reason)
        for target, prompt_id, text, passed, reason in rows
    ]
