"""The rows of `attempts.parquet` and `scores.parquet`, and SQL over them."""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

import msgspec

SCHEMA_VERSION = 3
"""Raised when a column or a metric's formula changes. 2: a pass rate is the mean over prompts, not over requests. 3: so
are the success rate, the error rate and the cost per request, that of answered requests alone."""
PHASES = ("warmup", "measure")

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""In the range of a BIGINT column. A journal line with a value outside it is damaged."""


Nanoseconds = Annotated[int, msgspec.Meta(ge=-(10**18), le=10**18)]
"""Within 31 years of the run's start, so that differences and their sums over a request's attempts fit a BIGINT."""
Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
"""So few that the sum over a run fits a BIGINT."""
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class Attempt(msgspec.Struct, kw_only=True, frozen=True):
    """One HTTP exchange.

    `*_ns` are nanoseconds on the run's clock, which starts with it (`Manifest.utc_ns`); None: did not happen.
    `chunk_us` holds the arrival of each content chunk in microseconds after `sent_ns`. `text` is the model's answer:
    hostile input.
    """

    run_id: str
    request_id: str
    attempt_id: str
    try_no: Number
    """1 for the first try."""
    target: str
    base_model: str
    model_id: str
    routing: str
    api: str
    client: str
    region: str
    stream: bool
    prompt_id: str
    group_id: str | None = None
    repeat: Number
    phase: str
    """One of `PHASES`."""
    due_ns: Nanoseconds
    sent_ns: Nanoseconds | None = None
    headers_ns: Nanoseconds | None = None
    first_ns: Nanoseconds | None = None
    last_ns: Nanoseconds | None = None
    done_ns: Nanoseconds | None = None
    chunk_us: list[Integer] = []
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    stop_reason: str | None = None
    text: str | None = None
    """The model's answer; each tool call follows as one line of JSON, `{"tool": NAME, "input": {…}}`."""
    ok: bool
    error_kind: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    http_status: Number | None = None
    aws_request_id: str | None = None
    server_latency_ms: Amount | None = None
    server_first_byte_ms: Amount | None = None
    cost_usd: Amount | None = None
    """None: unknown (no price, or no usage in the answer)."""
    citations: str | None = None
    """JSON, as the api gave them: a list of `{"document", "start_page", "end_page", "text"}`. None: no citations."""


def is_sampled(request_id: str, share: float | None) -> bool:
    """Whether the text of a request's answer is stored, and so can be graded. `share` None: all.

    Depends on the request's id only, so the graded answers are a random sample.
    """
    return share is None or crc32(request_id.encode()) < share * 2**32


PAIRWISE = "pairwise"
"""The scorer that compares with the baseline: `value` is 1 (better), 0.5 or 0, and `passed` is always null."""

VERDICT = (
    "CASE WHEN bool_or(NOT passed) THEN false"
    f" WHEN count(*) FILTER (scorer <> '{PAIRWISE}') = count(passed) AND count(passed) > 0 THEN true END"
)
"""SQL over the scores of one request: true if all checks passed, false if any failed, else NULL."""


REPEATED = ("cancelled", "credentials")
"""Error kinds of attempts that ended a run early. A resumed run makes them again, as if they had never been made."""

# What ended the run before it was resumed is not the endpoint's time.
_RETRIED = """
    SELECT run_id, request_id, max(try_no) AS try_no, count(*) AS attempts,
        coalesce(min(due_ns) FILTER ({kept}), min(due_ns)) AS due_ns,
        if(bool_or({kept}), arg_min_null(sent_ns, try_no) FILTER ({kept}), arg_min_null(sent_ns, try_no)) AS sent_ns,
        sum(cost_usd) AS cost_usd, count(*) FILTER (error_kind = 'throttled') AS throttled,
        -- (all due − the first) − (all ends − the last): each backoff is the next attempt's due − an attempt's end
        coalesce(sum(due_ns) FILTER ({kept}) - min(due_ns) FILTER ({kept}) - sum({end}) FILTER ({kept})
            + arg_max({end}, try_no) FILTER ({kept}), 0) AS backoff_ns
    FROM {attempts} AS a SEMI JOIN (SELECT DISTINCT run_id, request_id FROM {attempts} AS b WHERE try_no > 1)
    USING (run_id, request_id) GROUP BY run_id, request_id
"""
_LAST = """
    SELECT a.*, coalesce(again.attempts, 1) AS attempts, coalesce(again.due_ns, a.due_ns) AS first_due_ns,
        if(again.try_no IS NULL, a.sent_ns, again.sent_ns) AS first_try_sent_ns,
        if(again.try_no IS NULL, a.cost_usd, again.cost_usd) AS total_cost_usd,
        coalesce(again.throttled, (a.error_kind IS NOT DISTINCT FROM 'throttled')::BIGINT) AS throttled,
        coalesce(again.backoff_ns, 0) AS backoff_ns
    FROM {attempts} AS a LEFT JOIN ({again}) AS again USING (run_id, request_id)
    WHERE again.try_no IS NULL OR again.try_no = a.try_no
"""


def last_attempts(attempts: str = "attempts") -> str:
    """SQL for the requests in `attempts` (a view, or a query in brackets): one row each, from its last attempt.

    A row has the columns of the last attempt, and for the request: the number of `attempts` and of those `throttled`,
    when it was due and first sent (`first_due_ns`, `first_try_sent_ns`), the time between attempts (`backoff_ns`) and
    the known cost of them all (`total_cost_usd`). Only retried requests are grouped, as grouping is slow.
    """
    end, kept = "coalesce(done_ns, sent_ns, due_ns)", f"coalesce(error_kind NOT IN {REPEATED}, true)"
    return _LAST.format(attempts=attempts, again=_RETRIED.format(attempts=attempts, end=end, kept=kept))


LAST_MEASURED = last_attempts("(FROM attempts WHERE phase = 'measure')")
"""SQL for the measured requests, cancelled ones included."""


MEASURED = """
    SELECT * FROM attempts ANTI JOIN (
        SELECT run_id, request_id
        FROM attempts SEMI JOIN (FROM attempts WHERE error_kind = 'cancelled') USING (run_id, request_id)
        GROUP BY ALL HAVING arg_max(error_kind IS NOT DISTINCT FROM 'cancelled', try_no)
    ) USING (run_id, request_id)
    WHERE phase = 'measure' AND error_kind IS DISTINCT FROM 'cancelled'
"""
"""SQL for the measured attempts. A request that was stopped for good neither failed nor counts, and neither does an
attempt that was stopped before the run was resumed."""


class Score(msgspec.Struct, kw_only=True, frozen=True):
    """The result of one check of one answer. A prompt with several checks has several rows per `request_id`."""

    request_id: str
    scorer: str
    value: float | None
    """0 … 1. None: the scorer failed, as `reason` says, and the answer is unscored."""
    passed: bool | None
    reason: str = ""
    cost_usd: float | None = None
