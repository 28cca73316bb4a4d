"""One row of `scores.parquet`: what one scorer says of one request's answer."""

from __future__ import annotations

import msgspec

PAIRWISE = "pairwise"
"""The scorer whose rows compare: `value` is 1 (better than the baseline), 0.5 or 0, and `passed` is always null."""

VERDICT = (
    "CASE WHEN bool_or(NOT passed) THEN false"
    f" WHEN count(*) FILTER (scorer <> '{PAIRWISE}') = count(passed) AND count(passed) > 0 THEN true END"
)
"""SQL over the scores of one request: passed all checks, failed one, or NULL: unscored."""


class Score(msgspec.Struct, kw_only=True, frozen=True):
    """The verdict of one check of one prompt. Rows share a `request_id` where a prompt has several checks."""

    request_id: str
    scorer: str
    value: float | None
    """0 … 1; None: the scorer itself broke (`reason` says how), the answer is unscored."""
    passed: bool | None
    reason: str = ""
    cost_usd: float | None = None
