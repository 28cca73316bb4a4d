"""What a run has recorded of its plan, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice

import msgspec

from harness.errors import StoreError
from harness.load.limits.budget import charged_usd
from harness.load.plan import NOTHING, PlannedRequest, Recorded, Tries, count_requests, is_done, make_plan
from harness.store.manifest import Manifest
from harness.store.query import connect
from harness.store.records import REPEATED
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

_BATCH = 10_000

_REQUESTS = f"""
SELECT request_id, any_value(target), any_value(prompt_id), any_value(repeat), any_value(phase), max(try_no),
    count(*) FILTER (error_kind IN {REPEATED}), arg_max(ok, try_no), arg_max(coalesce(error_kind, ''), try_no)
FROM attempts GROUP BY request_id
"""

_TOTALS = """
SELECT coalesce(sum(cost_usd), 0)::DOUBLE,
    coalesce(max(greatest(due_ns, sent_ns, headers_ns, first_ns, last_ns, done_ns)), 0),
    min(due_ns) FILTER (phase = 'measure')
FROM attempts
"""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """The rest of a run's plan."""

    recorded: Recorded
    planned: Mapping[str, int] | None
    """Requests to send, by target; targets without any are left out. None: the time bounds them."""
    left_s: float | None
    """What is left of the duration of a closed load. None: it has no duration."""
    cost_usd: float
    """Known cost of the attempts so far."""
    charged_usd: float
    """What they count in the budget, which is more if an answer broke off."""
    last_ns: int
    """The last stamp of the attempts so far, on the run's clock."""

    @property
    def is_nothing(self) -> bool:
        """Whether the run has recorded all of its plan."""
        return self.planned == {} or (self.left_s is not None and self.left_s <= 0)


def find_missing(folder: RunFolder, suite: Suite) -> Missing:
    """Compare the attempts of a run without journals with its plan. `suite`: as it ran.

    A request is done if its last attempt succeeded, or failed without another one to come. StoreError: the plan does
    not have a request that the run recorded.
    """
    manifest = folder.read_manifest()
    with closing(connect([folder])) as connection:
        cases: dict[str, int] = {}
        done: set[str] = set()
        tries: dict[str, Tries] = {}
        found = connection.execute(_REQUESTS)
        while rows := found.fetchmany(_BATCH):
            for request_id, target, prompt_id, repeat, phase, last_try, repeated, ok, error_kind in rows:
                cases[request_id] = hash((target, prompt_id, repeat, phase))
                if is_done(suite, last_try, repeated, ok=ok, error_kind=error_kind):
                    done.add(request_id)
                else:
                    tries[request_id] = Tries(made=last_try, repeated=repeated)
        ((cost_usd, last_ns, start_ns),) = connection.execute(_TOTALS).fetchall()
        charged = charged_usd(connection, suite)
    recorded = Recorded(done=done, tries=tries)
    return Missing(
        recorded=recorded,
        planned=_count_missing(manifest, suite, cases, recorded),
        left_s=_left_s(manifest, suite, 0 if start_ns is None else last_ns - start_ns),
        cost_usd=cost_usd,
        charged_usd=charged,
        last_ns=int(last_ns),
    )


def _count_missing(
    manifest: Manifest, suite: Suite, cases: dict[str, int], recorded: Recorded
) -> dict[str, int] | None:
    """Requests to send, by target; None if the plan has no end. StoreError: `cases` has a request that is not in it."""
    endless = count_requests(suite, seed=manifest.seed) is None
    missing: Counter[str] = Counter()
    for planned in _requests(manifest, suite, len(cases) if endless else None):
        case = cases.pop(planned.request_id, None)
        if case is not None and case != hash((planned.target, planned.prompt_id, planned.repeat, planned.phase)):
            raise _other_plan(manifest, planned.request_id)
        missing[planned.target] += planned.request_id not in recorded.done
    for request_id in cases:
        raise _other_plan(manifest, request_id)
    return None if endless else dict(+missing)


def _requests(manifest: Manifest, suite: Suite, recorded: int | None) -> Iterator[PlannedRequest]:
    """The plan's requests; of an endless plan those that the run can have started, as it `recorded` so many."""
    plan = make_plan(suite, seed=manifest.seed, recorded=NOTHING)
    if recorded is not None:
        plan = islice(plan, recorded + suite.load.warmup + suite.load.concurrency * (len(manifest.resumed) + 1))
    return (planned for each in plan for planned in each.requests)


def _other_plan(manifest: Manifest, request_id: str) -> StoreError:
    made_by = manifest.versions.get("harness", "unknown")
    return StoreError(
        f"{manifest.run_id}: its request {request_id!r} is not in the plan that this version makes of the suite and "
        f"seed (the run was made by harness {made_by}); run the suite again"
    )


def _left_s(manifest: Manifest, suite: Suite, elapsed_ns: int) -> float | None:
    """What is left of a closed load's duration, s. An open load's plan ends with it."""
    if suite.load.arrival != "closed" or suite.load.duration_s is None:
        return None
    return 0.0 if manifest.state == "complete" else max(0.0, suite.load.duration_s - elapsed_ns / 1e9)
