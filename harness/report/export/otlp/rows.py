"""The requests of a run, one after the other, with only their numbers: no prompt, no answer, no message."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby

import msgspec
from duckdb import DuckDBPyConnection

from harness.errors import StoreError
from harness.store.parquet import DUCKDB_ERRORS
from harness.store.query import connect
from harness.store.run_folder import RunFolder

BATCH = 1_000


class Row(msgspec.Struct, frozen=True):
    """One attempt. Fields as in `attempts.parquet`."""

    request_id: str
    try_no: int
    target: str
    model_id: str
    region: str
    api: str
    stream: bool
    prompt_id: str
    repeat: int
    phase: str
    due_ns: int
    sent_ns: int | None
    first_ns: int | None
    last_ns: int | None
    done_ns: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    stop_reason: str | None
    ok: bool
    error_kind: str | None
    http_status: int | None
    aws_request_id: str | None
    cost_usd: float | None

    @property
    def end_ns(self) -> int:
        """The last thing that is known of the attempt."""
        return max(each for each in (self.due_ns, self.sent_ns, self.last_ns, self.done_ns) if each is not None)


_SELECT = f"SELECT {', '.join(Row.__struct_fields__)} FROM attempts"
_RETRIED = "(SELECT DISTINCT request_id FROM attempts WHERE try_no > 1)"


def read_requests(run: RunFolder) -> Iterator[list[Row]]:
    """The attempts of each request, in order. Holds BATCH rows at a time, and those of retried requests for sorting.

    StoreError: the attempts cannot be read.
    """
    try:
        with closing(connect([run])) as con:
            yield from ([row] for row in _rows(con, f"{_SELECT} ANTI JOIN {_RETRIED} USING (request_id)"))
            retried = _rows(con, f"{_SELECT} SEMI JOIN {_RETRIED} USING (request_id) ORDER BY request_id, try_no")
            yield from (list(group) for _, group in groupby(retried, key=lambda row: row.request_id))
    except DUCKDB_ERRORS as error:
        raise StoreError(f"{run.path}: the attempts cannot be read: {error}") from error


def _rows(con: DuckDBPyConnection, sql: str) -> Iterator[Row]:
    result = con.execute(sql)
    while rows := result.fetchmany(BATCH):
        yield from (Row(*row) for row in rows)
