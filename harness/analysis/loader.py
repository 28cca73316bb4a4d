"""A run's Parquet files as one `Columns` and one `AttemptCounts` a target. DuckDB groups attempts into requests."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from harness.analysis.columns import AttemptCounts, AttemptsOverTime, Columns, RunData
from harness.errors import StoreError
from harness.store.parquet import DUCKDB_ERRORS
from harness.store.query import connect
from harness.store.records import MEASURED, VERDICT, last_attempts
from harness.store.run_folder import RunFolder

MOST_MESSAGE_CHARACTERS = 200
TIME_BINS = 60
SERVER_TIMES = ("server_latency_ms", "server_first_byte_ms")
"""Columns that are read only where an endpoint gave them."""

_PROMPTS = "select prompt_id, coalesce(any_value(group_id), prompt_id) as group_id from measured group by prompt_id"

_PROMPT_CODES = """
create temp table prompt_codes as select unnest($ids) as prompt_id, unnest(range(len($ids))) as code
"""

_VERDICTS = (
    f"create temp table verdicts as select request_id, {VERDICT}::integer as passed from scores group by request_id"
)

_REQUESTS = f"""
select request_id, repeat, attempts, throttled, first_due_ns / 1e9 as due_s, due_ns / 1e9 as last_due_s,
    backoff_ns::double / 1e9 as backoff_s,
    coalesce(first_try_sent_ns / 1e9, 'nan'::double) as first_try_sent_s,
    coalesce(sent_ns / 1e9, 'nan'::double) as sent_s,
    coalesce(if(stream, first_ns, null) / 1e9, 'nan'::double) as first_s,
    coalesce(if(stream, last_ns, null) / 1e9, 'nan'::double) as last_s,
    coalesce(done_ns / 1e9, 'nan'::double) as done_s,
    ok, error_kind,
    coalesce(input_tokens::double, 'nan'::double) as input_tokens,
    coalesce(output_tokens::double, 'nan'::double) as output_tokens,
    coalesce(cache_read_tokens, 0)::double as cache_read_tokens,
    coalesce(cache_write_tokens, 0)::double as cache_write_tokens,
    coalesce(total_cost_usd, 'nan'::double) as cost_usd,
    code, coalesce(verdicts.passed, 'nan'::double) as passed$server_times
from ({last_attempts("(from measured where target = $target)")})
join prompt_codes using (prompt_id) left join verdicts using (request_id)
order by due_s, request_id
"""

_COUNTS = """
select target, count(*) as attempts, coalesce(sum(input_tokens), 0)::bigint as input_tokens,
    coalesce(sum(output_tokens), 0)::bigint as output_tokens,
    coalesce(sum(cache_read_tokens), 0)::bigint as cache_read_tokens,
    coalesce(sum(cache_write_tokens), 0)::bigint as cache_write_tokens, sum(cost_usd) as cost_usd
from measured group by target
"""

_OVER_TIME = """
with stamped as (
    select target, error_kind, try_no, coalesce(sent_ns, due_ns) / 1e9 as at_s from measured
), spans as (
    select min(at_s) as start_s, greatest((max(at_s) - min(at_s)) / $bins, 1e-3) as width_s from stamped
)
select target, start_s, width_s, error_kind, least(floor((at_s - start_s) / width_s), $bins - 1)::bigint as bin,
    count(*) as attempts, count(*) filter (try_no > 1) as retries
from stamped, spans group by all
"""

# Strips the tags of a proxy's error page.
_ERRORS = r"""
select error_kind, sum(attempts)::bigint,
    first(message order by attempts desc, message) filter (message <> '') as message
from (
    select error_kind, count(*) as attempts,
        left(trim(regexp_replace(left(error_message, 2000), '(</?[a-zA-Z!][^<>]*>|\s)+', ' ', 'g')), $most) as message
    from measured where target = $target and error_kind is not null group by all
)
group by error_kind order by 2 desc, 1
"""


def load_run(run: RunFolder) -> RunData:
    """The measured requests and attempts of a run that is over.

    Without `scores.parquet` no answer is scored. Raises StoreError if the folder holds no run or its files cannot be
    read.
    """
    targets = [target.name for target in run.read_manifest().targets]
    try:
        with closing(connect([run])) as con:
            con.execute(f"create temp view measured as {MEASURED}")
            counts = _load_over_time(con, _load_counts(con))
            measured = [name for name in targets if name in counts]
            return RunData(
                columns=_load_columns(con, measured),
                counts={name: counts[name] for name in measured},
                recorded=con.sql("select count(distinct request_id) from attempts").fetchall()[0][0],
            )
    except DUCKDB_ERRORS as error:
        raise StoreError(f"{run.path}: the attempts or scores cannot be read: {error}") from error


def load_readable_run(run: RunFolder) -> RunData | None:
    """The same of an earlier run: None where its rows are gone, as in a folder of summaries, or cannot be read."""
    try:
        return load_run(run) if run.attempts_path.is_file() else None
    except StoreError:
        return None


def _shorten(message: str) -> str:
    return message if len(message) <= MOST_MESSAGE_CHARACTERS else f"{message[: MOST_MESSAGE_CHARACTERS - 1]}…"


def _load_counts(con: duckdb.DuckDBPyConnection) -> dict[str, AttemptCounts]:
    counts = {}
    for row in con.sql(_COUNTS).fetchall():
        target, attempts, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd = row
        errors = con.execute(_ERRORS, {"target": target, "most": MOST_MESSAGE_CHARACTERS + 1}).fetchall()
        counts[target] = AttemptCounts(
            attempts=attempts,
            error_kinds={kind: count for kind, count, _ in errors},
            error_messages={kind: _shorten(message) for kind, _, message in errors if message is not None},
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cache_read_tokens=cache_read_tokens,
            cache_write_tokens=cache_write_tokens,
            cost_usd=cost_usd,
        )
    return counts


def _load_over_time(con: duckdb.DuckDBPyConnection, counts: dict[str, AttemptCounts]) -> dict[str, AttemptCounts]:
    """The counts with `over_time`, unless no attempt failed."""
    if not any(each.error_kinds for each in counts.values()):
        return counts
    rows = con.execute(_OVER_TIME, {"bins": TIME_BINS}).fetchall()
    start_s, width_s = rows[0][1:3]
    found = {}
    for name, each in counts.items():
        attempts, retries = np.zeros((2, TIME_BINS), dtype=np.int64)
        errors = {kind: np.zeros(TIME_BINS, dtype=np.int64) for kind in each.error_kinds}
        for target, _, _, kind, at, tried, retried in rows:
            if target == name:
                attempts[at] += tried
                retries[at] += retried
                if kind is not None:
                    errors[kind][at] += tried
        over_time = AttemptsOverTime(
            start_s=start_s, width_s=width_s, attempts=attempts, retries=retries, errors=errors
        )
        found[name] = replace(each, over_time=over_time)
    return found


def _load_columns(con: duckdb.DuckDBPyConnection, targets: list[str]) -> dict[str, Columns]:
    """One query a target. SQL returns prompts as codes, so that a million requests share the strings of few prompts."""
    prompts = np.array(con.sql(_PROMPTS).fetchall(), dtype=object).reshape(-1, 2)
    con.execute(_PROMPT_CODES, {"ids": prompts[:, 0].tolist()})
    con.execute(_VERDICTS)
    requests = _REQUESTS.replace("$server_times", _server_times(con))
    return {name: _columns(name, con.execute(requests, {"target": name}).fetchnumpy(), prompts) for name in targets}


def _server_times(con: duckdb.DuckDBPyConnection) -> str:
    """SQL for those of SERVER_TIMES that an attempt has, in seconds."""
    given = con.sql(f"select {', '.join(f'count({name}) > 0' for name in SERVER_TIMES)} from measured").fetchall()[0]
    return "".join(
        f", coalesce({name} / 1e3, 'nan'::double) as {name.removesuffix('_ms')}_s"
        for name, there in zip(SERVER_TIMES, given, strict=True)
        if there
    )


def _columns(target: str, rows: dict[str, npt.NDArray[Any]], prompts: npt.NDArray[Any]) -> Columns:
    """`prompts`: one row a code, (prompt id, group). Of retries, cache and throttles nothing if there were none."""
    code, masked = rows.pop("code"), rows.pop("error_kind")
    if not (rows["attempts"] > 1).any():
        del rows["last_due_s"], rows["backoff_s"]
    if not (rows["cache_read_tokens"].any() or rows["cache_write_tokens"].any()):
        del rows["cache_read_tokens"], rows["cache_write_tokens"]
    if not rows["throttled"].any():
        del rows["throttled"]
    error_kind = np.ma.getdata(masked).copy()
    error_kind[np.ma.getmaskarray(masked)] = None
    return Columns(target=target, prompt_id=prompts[code, 0], group_id=prompts[code, 1], error_kind=error_kind, **rows)
