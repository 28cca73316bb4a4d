"""The measured requests of a book's arms as tables in DuckDB: a narrow row each, and counts by prompt and arm."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import msgspec

from harness.analysis.answers.book import BookArm
from harness.store.records import MEASURED, VERDICT, last_attempts

_ARMS = """
create temp table arms as
select unnest($runs) as run_id, unnest($targets) as target, unnest(range(len($runs)))::int as arm,
    unnest($against)::int as against
"""

_MEASURED = f"create temp view measured as {MEASURED}"

_PROMPTS = """
create temp table prompts as
with listed as (select unnest($ids) as prompt_id, unnest(range(len($ids)))::int as prompt),
foreign_ids as (
    select distinct prompt_id from measured semi join arms using (run_id, target) where $others
    and prompt_id not in (select prompt_id from listed)
)
from listed union all
select prompt_id, (len($ids) - 1 + row_number() over (order by prompt_id))::int from foreign_ids
"""

_VERDICTS = f"""
create temp table verdicts as
select run_id, request_id, {VERDICT} as passed from scores group by run_id, request_id
"""

_REQUESTS = f"""
create temp table requests as
select prompt, arm, coalesce(repeat, 0) as repeat, request_id, coalesce(ok, false) as ok, error_kind, passed,
    done_ns::double - first_due_ns as e2e_ns,
    text is not null as stored, verdicts.request_id is not null as graded
from ({last_attempts("(from measured semi join arms using (run_id, target))")})
join arms using (run_id, target) join prompts using (prompt_id) left join verdicts using (run_id, request_id)
"""

_CELLS = """
create temp table cells as
select prompt, arm, count(*) as answers, count(*) filter (passed) as passed, count(passed) as scored,
    count(*) filter (not ok) as failed
from requests group by prompt, arm
"""

# Passed shares are compared by cross-multiplication, which does not round.
_CHANGES = """
create temp table changes as
select cell.prompt, cell.arm, arms.against,
    cell.passed / cell.scored - base.passed / base.scored as change,
    cell.passed * base.scored < base.passed * cell.scored as worse
from cells as cell join arms on arms.arm = cell.arm
join cells as base on base.prompt = cell.prompt and base.arm = arms.against
where cell.scored > 0 and base.scored > 0 and cell.passed * base.scored <> base.passed * cell.scored
"""


class Arms(msgspec.Struct, frozen=True):
    """The columns of a book, each with the run in which it is."""

    shown: Sequence[BookArm]
    run_ids: Sequence[str]


def make_tables(con: duckdb.DuckDBPyConnection, arms: Arms, prompt_ids: Sequence[str], *, others: bool) -> None:
    """Create `arms`, `prompts`, `requests`, `cells` and `changes`.

    `prompt_ids`: those of the suite, whose codes are their places in it. `others`: whether prompts that are only in the
    attempts count too, after those of the suite and by id. Cancelled requests do not count.
    """
    con.execute(
        _ARMS,
        {
            "runs": list(arms.run_ids),
            "targets": [arm.target for arm in arms.shown],
            "against": [arm.against for arm in arms.shown],
        },
    )
    con.execute(_MEASURED)
    con.execute(_PROMPTS, {"ids": list(prompt_ids), "others": others})
    for table in (_VERDICTS, _REQUESTS, _CELLS, _CHANGES):
        con.execute(table)
