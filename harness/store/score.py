"""One row of `scores.parquet`: what one scorer says of one request's answer."""

from __future__ import annotations

import msgspec


class Score(msgspec.Struct, kw_only=True, frozen=True):
    """The verdict of one check of one prompt. Rows share a `request_id` where a prompt has several checks."""

    request_id: str
    scorer: str
    value: float | None
    """0 … 1; None: the scorer itself broke (`reason` says how), the answer is unscored."""
    passed: bool | None
    reason: str = ""
    cost_usd: float | None = None
