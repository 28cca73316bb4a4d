"""Sample answers of a run for people to read: a few of each target, those that did not pass first."""

from __future__ import annotations

from contextlib import closing

import msgspec

from harness.store.query import connect
from harness.store.records import VERDICT
from harness.store.run_folder import RunFolder

MOST_PER_TARGET = 5

# Texts and reasons are most of the file, so they are read only for the few that are chosen for each target.
_SAMPLES = f"""
with verdicts as (
    select request_id, {VERDICT} as passed from scores group by request_id
), chosen as materialized (
    select target, unnest(min({{
        'place': case passed when false then 0 when true then 2 else 1 end, 'request_id': request_id,
        'attempt_id': attempt_id, 'passed': passed
    }}, $most), max_depth := 2)
    from attempts join verdicts using (request_id) where phase = 'measure' and ok and text is not null
    group by target
), reasons as (
    select request_id, string_agg(reason, '; ') filter (passed is distinct from true and reason <> '') as reason
    from scores where request_id in (select request_id from chosen) group by request_id
)
select chosen.target, prompt_id, text, passed, coalesce(reason, '') as reason
from chosen left join reasons using (request_id)
join (select attempt_id, prompt_id, text from attempts where attempt_id in (select attempt_id from chosen))
    using (attempt_id)
order by chosen.target, place, request_id
"""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One graded answer. `answer` is hostile input: escape it."""

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
