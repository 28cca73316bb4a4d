"""Chooses which answers a book shows: those that matter first, with the other arms' answers to the same question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import duckdb
import msgspec

MOST_ANSWERS = 2_000
SLOWEST = 50
"""Of each arm."""
SHARES = {"flips": 0.5, "failures": 0.8, "slowest": 0.9, "random": 1.0}
"""How full the sample is at most after each kind of answer; what one kind leaves is the next one's."""

Kind = Literal["flips", "failures", "slowest", "random"]
Unit = tuple[int, int]
"""A prompt and a repeat: a question with the answer of each arm."""

# Of each changed prompt, a repeat in which one side passed and the other did not; losses and gains by turns.
_FLIPS = """
with outcomes as (
    select prompt, arm, repeat, bool_or(passed) as right_, bool_or(not passed) as wrong from requests
    where prompt in (select prompt from changes) group by all
), candidates as (
    select prompt, changes.arm, repeat, change, worse,
        if(worse, base.right_, base.wrong) is true as matched
    from changes join outcomes as own using (prompt, arm)
    left join outcomes as base using (prompt, repeat)
    where base.arm = changes.against and if(worse, own.wrong, own.right_)
), one as (
    select prompt, arm, change, worse, arg_min(repeat, (not matched, repeat)) as repeat from candidates group by all
)
select prompt, repeat from (
    select *, row_number() over (partition by worse order by abs(change) desc, prompt, arm) as place from one
) order by place, worse desc limit $most
"""

# The same number of each kind of failure and arm, as far as there are as many.
_FAILURES = """
with groups as (
    select arm, coalesce(error_kind, '') as kind,
        min({'seed': hash(prompt, repeat), 'prompt': prompt, 'repeat': repeat}, $most) as members
    from requests where not ok or not passed group by all
), members as (
    select arm, kind, unnest(members, max_depth := 2), generate_subscripts(members, 1) as place from groups
)
select prompt, repeat from members order by place, kind = '', kind, arm limit $most
"""

_SLOWEST = """
with members as (
    select arm, unnest(max({'e2e_ns': e2e_ns, 'prompt': prompt, 'repeat': repeat}, $slowest), max_depth := 2)
    from requests where ok and e2e_ns is not null group by arm
)
select prompt, repeat from members
order by row_number() over (partition by arm order by e2e_ns desc, prompt, repeat), arm limit $most
"""

_RANDOM = """
select prompt, repeat from (
    select unnest(min({'seed': hash(prompt, repeat), 'prompt': prompt, 'repeat': repeat}, $most), max_depth := 2)
    from requests
)
"""

_QUERIES: dict[Kind, str] = {"flips": _FLIPS, "failures": _FAILURES, "slowest": _SLOWEST, "random": _RANDOM}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The questions whose answers are shown, the most telling first."""

    units: dict[Kind, list[Unit]]
    """By why they were chosen."""

    @property
    def questions(self) -> list[Unit]:
        return [unit for units in self.units.values() for unit in units]


def choose(con: duckdb.DuckDBPyConnection, most: int = MOST_ANSWERS) -> Sample:
    """At most `most` answers, from the tables of `make_tables`; more only if the first question alone has more.

    The same run gives the same sample.
    """
    found = {kind: _find(con, kind, most) for kind in _QUERIES}
    sizes = _sizes(con, {unit for units in found.values() for unit in units})
    chosen: dict[Unit, Kind] = {}
    used = 0
    for kind, units in found.items():
        limit = int(SHARES[kind] * most)
        for unit in units:
            if unit not in chosen and (used + sizes[unit] <= limit or not chosen):
                chosen[unit] = kind
                used += sizes[unit]
    return Sample(units={kind: [unit for unit, why in chosen.items() if why == kind] for kind in _QUERIES})


def _find(con: duckdb.DuckDBPyConnection, kind: Kind, most: int) -> list[Unit]:
    """The questions of one kind, the most telling first, each once."""
    sql = _QUERIES[kind]
    named = {"most": most, "slowest": SLOWEST}
    rows = con.execute(sql, {name: value for name, value in named.items() if f"${name}" in sql}).fetchall()
    return list(dict.fromkeys(rows))


def _sizes(con: duckdb.DuckDBPyConnection, units: Iterable[Unit]) -> dict[Unit, int]:
    """How many answers each question has."""
    rows = con.execute(
        "select prompt, repeat, count(*) from requests where (prompt, repeat) in"
        " (select (unnest($prompts), unnest($repeats))) group by all",
        as_columns(units),
    ).fetchall()
    return {(prompt, repeat): count for prompt, repeat, count in rows}


def as_columns(units: Iterable[Unit]) -> dict[str, Sequence[int]]:
    """The questions as parameters of a query: `$prompts` and `$repeats`."""
    listed = list(units)
    return {"prompts": [prompt for prompt, _ in listed], "repeats": [repeat for _, repeat in listed]}
