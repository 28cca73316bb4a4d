"""Requests as aligned arrays and attempts as counts, by target: what metrics, summaries and figures compute from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
"""Integers from 0 that stand for names: of prompts, or of clusters of them."""


def code_names(names: npt.NDArray[Any]) -> tuple[dict[Any, int], Codes]:
    """Name → code, from 0 in order of appearance, and the code of each entry.

    By a dict: sorting a million strings takes seconds.
    """
    code = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return code, np.fromiter(map(code.__getitem__, names), np.int64, len(names))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Requests of one target in due order, phase `measure`; all arrays have one entry a request.

    Times are seconds since the run's origin, NaN where it did not happen, and belong to the request's last attempt,
    except `due_s` and `first_try_sent_s`, which are the first attempt's: retries and their backoff are part of what a
    user waits for. Without streaming there is no first or last chunk: an answer that comes whole has no TTFT.
    """

    target: str
    request_id: npt.NDArray[Any]
    prompt_id: npt.NDArray[Any]
    group_id: npt.NDArray[Any]
    """Group, or the prompt's own id where it has none."""
    repeat: npt.NDArray[np.int64]
    due_s: Floats
    first_try_sent_s: Floats
    sent_s: Floats
    first_s: Floats
    last_s: Floats
    done_s: Floats
    attempts: npt.NDArray[np.int64]
    """Attempts that the request took."""
    ok: npt.NDArray[np.bool_]
    error_kind: npt.NDArray[Any]
    """Of the last attempt; None where ok."""
    input_tokens: Floats
    output_tokens: Floats
    cost_usd: Floats
    """Sum over the request's attempts with known cost; NaN: unknown for all of them."""
    passed: Floats
    """1 all checks passed, 0 not, NaN unscored."""
    last_due_s: Floats | None = None
    """When the last attempt was due; None: no request was retried."""
    backoff_s: Floats | None = None
    """Seconds that the request spent between its attempts, 0 with one attempt; None: no request was retried."""
    cache_read_tokens: Floats | None = None
    cache_write_tokens: Floats | None = None
    """Beside `input_tokens`, which excludes them; None: nothing was cached."""
    throttled: npt.NDArray[np.int64] | None = None
    """How many of `attempts` were throttled; None: none were."""
    server_latency_s: Floats | None = None
    """The server's own time for the last attempt, NaN where it gave none; None: it never did."""
    server_first_byte_s: Floats | None = None
    """The server's own time to its first byte; None: it never gave one."""

    @cached_property
    def prompts(self) -> tuple[dict[str, int], Codes]:
        """Prompt id → code, and each request's code."""
        return code_names(self.prompt_id)

    @cached_property
    def groups(self) -> Codes:
        """The code of each request's group."""
        return code_names(self.group_id)[1]

    def select(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        """The chosen requests, in their order."""
        arrays = {each.name: getattr(self, each.name) for each in fields(self)}
        selected: dict[str, Any] = {n: array[chosen] for n, array in arrays.items() if isinstance(array, np.ndarray)}
        return replace(self, **selected)


@dataclass(frozen=True, kw_only=True)
class AttemptsOverTime:
    """One target's measured attempts, retries and errors in equal bins of time; arrays have one entry a bin."""

    start_s: float
    """Where the first bin begins, s since the run's origin."""
    width_s: float
    attempts: Codes
    """By when they were sent, or due if they never were."""
    retries: Codes
    """Those of `attempts` that were not a request's first."""
    errors: dict[str, Codes]
    """Error kind → failed attempts, most frequent kind first."""


@dataclass(frozen=True, kw_only=True)
class AttemptCounts:
    """One target's measured attempts, counted."""

    attempts: int
    error_kinds: dict[str, int]
    """Attempts by error kind, most frequent first."""
    error_messages: dict[str, str] = field(default_factory=dict)
    """Error kind → its most frequent message, cut to length; kinds without any are left out. Hostile: escape it."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float | None
    """Sum over attempts with known cost; None: known for none of them."""
    over_time: AttemptsOverTime | None = None
    """None: no attempt of the run failed."""


@dataclass(frozen=True, kw_only=True)
class RunData:
    """What the analysis and the figures need of a run's Parquet files."""

    columns: dict[str, Columns]
    """By target in the suite's order; a target without measured requests is not in it."""
    counts: dict[str, AttemptCounts]
    """By target; the same targets as `columns`."""
    recorded: int
    """Requests with an attempt on record, warm-up included."""
