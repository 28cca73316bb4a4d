"""Matches a run with Bedrock's own invocation log: what is missing in either of them, and where they differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from harness.analysis.reconcile.logged import Logged, bare_id
from harness.analysis.reconcile.reconciliation import (
    DISAGREEING,
    EXAMPLES,
    REASONS,
    Difference,
    Foreign,
    LogRead,
    Reason,
    Reconciliation,
    TargetMatch,
    Unlogged,
)
from harness.catalog.prices import cost_usd, terms_of
from harness.catalog.target import Target, merge_options
from harness.errors import StoreError
from harness.store.manifest import Manifest
from harness.store.parquet import DUCKDB_ERRORS, column_types, open_offline, quote
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

DELIVERY = timedelta(minutes=15)
"""How long a record may take to reach the log."""
_BATCH = 10_000
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def time_span_ns(run: RunFolder) -> tuple[int, int]:
    """When the run's first call was due and its last one was over, ns since the run's origin."""
    with closing(_connect(run, None)) as con:
        sql = "select coalesce(min(due_ns), 0), coalesce(max(coalesce(done_ns, sent_ns, due_ns)), 0) from attempts"
        first_ns, last_ns = con.sql(sql).fetchall()[0]
    return int(first_ns), int(last_ns)


def reconcile(run: RunFolder, spooled: Path, read: LogRead, *, suite: Suite, now: datetime) -> Reconciliation:
    """Match a run's attempts with spooled records by request id. StoreError: the attempts cannot be read."""
    manifest = run.read_manifest()
    try:
        with closing(_connect(run, spooled)) as con:
            records = int(con.sql("select count(*) from logged").fetchall()[0][0])
            unlogged, examples = _find_unlogged(con, manifest, now=now, any_logged=records > 0)
            matched = {target.name: _Matched(target, suite, manifest) for target in manifest.targets}
            differences = _compare(con, matched)
            foreign, other, own = _find_foreign(con, manifest)
    except DUCKDB_ERRORS as error:
        raise StoreError(f"{run.path}: the attempts and the log cannot be matched: {error}") from error
    accounted = sum(min(count, foreign_without_id) for count, foreign_without_id in own.values())
    not_in_run = sum(count for count, _ in own.values()) - accounted
    targets = [each.result(unlogged[name]) for name, each in matched.items()]
    disagreeing = sum(each.unlogged.get(reason, 0) for each in targets for reason in DISAGREEING)
    return Reconciliation(
        run_id=manifest.run_id,
        simulated=manifest.simulated,
        **msgspec.structs.asdict(read),
        records=records,
        targets=targets,
        unlogged=examples,
        differences=differences,
        other_traffic=other,
        unanswered=accounted,
        not_in_run=not_in_run,
        foreign=foreign,
        agrees=not disagreeing and not not_in_run and not any(each.differing for each in targets),
    )


def _connect(run: RunFolder, spooled: Path | None) -> duckdb.DuckDBPyConnection:
    """A connection with `attempts` and `logged`; a record that was delivered twice counts once."""
    con = open_offline()
    con.execute(f"create view attempts as from read_parquet({quote(str(run.attempts_path.resolve()))})")
    if spooled is not None:
        columns = column_types(Logged)
        kinds = ", ".join(f"{quote(name)}: {quote(kind)}" for name, kind in columns.items())
        source = f"read_json({quote(str(spooled))}, format = 'newline_delimited', columns = {{{kinds}}})"
        con.execute(f"create table logged as select distinct on (aws_request_id) * from {source}")
    return con


_UNLOGGED = """
select attempt_id, target, attempts.aws_request_id, error_kind, api, sent_ns is null, ok, coalesce(done_ns, due_ns)
from attempts anti join logged using (aws_request_id) order by ok desc, due_ns, attempt_id
"""


def _find_unlogged(
    con: duckdb.DuckDBPyConnection, manifest: Manifest, *, now: datetime, any_logged: bool
) -> tuple[dict[str, Counter[Reason]], list[Unlogged]]:
    """Attempts that are not in the log: counts by target, and the first EXAMPLES, answered ones first."""
    counts: dict[str, Counter[Reason]] = {target.name: Counter() for target in manifest.targets}
    examples: list[Unlogged] = []
    fresh_utc_ns = round((now - DELIVERY).timestamp() * 1e9)
    for attempt_id, target, request_id, error_kind, api, unsent, ok, done_ns in _rows(con.execute(_UNLOGGED)):
        if ok and api != "mantle":
            reason: Reason = (
                "log_delay" if manifest.utc_ns(done_ns) > fresh_utc_ns else "missing" if any_logged else "logging_off"
            )
        else:
            reason = _reason(request_id, error_kind, api, unsent=unsent)
        counts[target][reason] += 1
        if len(examples) < EXAMPLES:
            examples.append(
                Unlogged(
                    attempt_id=attempt_id,
                    target=target,
                    aws_request_id=request_id,
                    reason=reason,
                    error_kind=error_kind,
                )
            )
    return counts, examples


def _reason(request_id: str | None, error_kind: str | None, api: str, *, unsent: bool) -> Reason:
    if unsent:
        return "not_sent"
    if api == "mantle":
        return "other_endpoint"
    if request_id is None:
        return "no_request_id"
    return "throttled" if error_kind == "throttled" else "failed"


_SIDES = ", ".join(f"attempts.{name}, logged.{name}" for name in _TOKENS)
_MATCHED = f"""
select target, attempt_id, aws_request_id, prompt_id, ok, attempts.error_code, logged.error_code, served_in,
    attempts.cost_usd, {_SIDES}
from attempts join logged using (aws_request_id) order by due_ns, attempt_id
"""


class _Matched:
    """One target's attempts in the log, added up."""

    def __init__(self, target: Target, suite: Suite, manifest: Manifest) -> None:
        self._target = target
        options = {prompt.id: merge_options(target.options, prompt.options) for prompt in suite.prompts}
        terms = {prompt_id: terms_of(each) for prompt_id, each in options.items()}
        prices = {each: manifest.price_on_day(target, each, suite.prices) for each in set(terms.values())}
        self._prices = {prompt_id: prices[each] for prompt_id, each in terms.items()}
        self._ttl = {prompt_id: each.cache for prompt_id, each in options.items()}
        self._logged = 0
        self._differing = 0
        self._cost: list[float] = [0.0, 0.0, 0.0]
        self._costed = False
        self._served: Counter[str] = Counter()

    def take(self, row: tuple[Any, ...]) -> list[Difference]:
        """Count one attempt that is in the log; returns its differences."""
        _, attempt_id, request_id, prompt_id, ok, _, log_error, served_in, cost, *sides = row
        self._logged += 1
        self._served[served_in] += 1
        run, log = dict(zip(_TOKENS, sides[::2], strict=True)), dict(zip(_TOKENS, sides[1::2], strict=True))
        log_cost = self._cost_of(log, prompt_id)
        self._add_cost(cost, log_cost)
        if not ok:
            return []
        pairs: list[tuple[str, Any, Any]] = [(name, run[name], log[name]) for name in _TOKENS]
        differing = [pair for pair in pairs if _differ(*pair)]
        if cost is not None and log_cost is not None and abs(cost - log_cost) > 1e-9 + 1e-6 * cost:
            differing.append(("cost_usd", cost, log_cost))
        if log_error is not None:
            differing.append(("error_code", None, log_error))
        self._differing += bool(differing)
        name = self._target.name
        return [
            Difference(attempt_id=attempt_id, target=name, aws_request_id=request_id, what=what, run=one, log=other)
            for what, one, other in differing
        ]

    def result(self, unlogged: Counter[Reason]) -> TargetMatch:
        return TargetMatch(
            target=self._target.name,
            attempts=self._logged + unlogged.total(),
            logged=self._logged,
            unlogged={reason: unlogged[reason] for reason in REASONS if unlogged[reason]},
            differing=self._differing,
            cost_usd=self._cost[0] if self._costed else None,
            logged_cost_usd=self._cost[1] if self._costed else None,
            unseen_cost_usd=self._cost[2],
            served_in=dict(self._served.most_common()),
        )

    def _add_cost(self, cost: float | None, log_cost: float | None) -> None:
        if log_cost is None:
            return
        if cost is None:
            self._cost[2] += log_cost
        else:
            self._costed = True
            self._cost[0] += cost
            self._cost[1] += log_cost

    def _cost_of(self, log: Mapping[str, int | None], prompt_id: str) -> float | None:
        """By the log's token counts; None if it has none or no price is known."""
        price = self._prices.get(prompt_id)
        if price is None or log["input_tokens"] is None or log["output_tokens"] is None:
            return None
        return cost_usd(
            price,
            input_tokens=log["input_tokens"],
            output_tokens=log["output_tokens"],
            cache_read_tokens=log["cache_read_tokens"] or 0,
            cache_write_tokens=log["cache_write_tokens"] or 0,
            cache_ttl=self._ttl.get(prompt_id),
        )


def _differ(name: str, run: int | None, log: int | None) -> bool:
    """Cached tokens that one side does not mention count as 0; a count that the log lacks cannot differ."""
    if name.startswith("cache"):
        return (run or 0) != (log or 0)
    return log is not None and run != log


def _compare(con: duckdb.DuckDBPyConnection, matched: Mapping[str, _Matched]) -> list[Difference]:
    differences: list[Difference] = []
    for row in _rows(con.execute(_MATCHED)):
        differences += matched[row[0]].take(row)[: EXAMPLES - len(differences)]
    return differences


_FOREIGN = """
from logged anti join attempts using (aws_request_id)
where model_id in (select unnest($models)) and at_us between $from_us and $to_us
"""
_CALLERS = "select distinct identity from logged semi join attempts using (aws_request_id) where identity is not null"
_WITHOUT_ID = "select model_id, count(*) from attempts where aws_request_id is null and sent_ns is not null group by 1"


def _find_foreign(
    con: duckdb.DuckDBPyConnection, manifest: Manifest
) -> tuple[list[Foreign], int, dict[str, tuple[int, int]]]:
    """Records without an attempt: the first EXAMPLES of the run's own callers, the number of other callers', and by
    model the number of its own and of the attempts that were sent and got no request id.

    The run's callers are those of the matched records. If none matches, every record may be the run's.
    """
    callers = [caller for (caller,) in con.sql(_CALLERS).fetchall()]
    from_us, to_us = _own_time(con, manifest)
    models = list({bare_id(target.model_id) for target in manifest.targets})
    values: dict[str, Any] = {"models": models, "from_us": from_us, "to_us": to_us}
    own = "identity is null or identity in (select unnest($callers))" if callers else "true"
    parameters = {**values, "callers": callers} if callers else values
    counted = con.execute(
        f"select model_id, count(*) filter ({own}), count(*) {_FOREIGN} group by 1", parameters
    ).fetchall()
    without_id: Counter[str] = Counter()
    for model_id, count in con.sql(_WITHOUT_ID).fetchall():
        without_id[bare_id(model_id)] += count
    shown = con.execute(
        f"select aws_request_id, strftime(make_timestamp(at_us), '%Y-%m-%dT%H:%M:%SZ'), model_id, region, identity"
        f" {_FOREIGN} and ({own}) order by at_us, aws_request_id limit {EXAMPLES}",
        parameters,
    ).fetchall()
    foreign = [
        Foreign(aws_request_id=request_id, at=at, model_id=model_id, region=region, identity=identity)
        for request_id, at, model_id, region, identity in shown
    ]
    others = sum(count - mine for _, mine, count in counted)
    return foreign, others, {model_id: (mine, without_id[model_id]) for model_id, mine, _ in counted if mine}


def _own_time(con: duckdb.DuckDBPyConnection, manifest: Manifest) -> tuple[int, int]:
    """From the run's first due to its last done, µs since 1970, rounded outwards to the log's whole seconds.

    Matches are sought over a longer time; a record without an attempt counts only if it falls into this one.
    """
    [(first_ns, last_ns)] = con.sql("select min(due_ns), max(coalesce(done_ns, due_ns)) from attempts").fetchall()
    first_s, last_s = (manifest.utc_ns(at_ns) / 1e9 for at_ns in (first_ns or 0, last_ns or 0))
    return math.floor(first_s) * 1_000_000, math.ceil(last_s) * 1_000_000


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := result.fetchmany(_BATCH):
        yield from batch
