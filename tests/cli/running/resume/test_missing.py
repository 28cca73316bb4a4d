"""Which requests of a plan are done, and which are sent again, in how many attempts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.cli.running.resume.missing import find_missing
from harness.errors import StoreError
from harness.load.plan import PlannedRequest, count_requests, make_plan
from harness.store.manifest import new_manifest
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.loader import load_suite
from harness.suite.suite import Suite

SUITE = """\
suite: tiny
targets: [{model: claude-haiku-4-5, routing: [us, global]}]
load: {repeats: 3}
retries: {max_attempts: 3, on: [throttled]}
prompts: [{id: a, prompt: a}, {id: b, prompt: b}]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "tiny.yaml").write_text(SUITE)
    return load_suite(tmp_path / "tiny.yaml")


def attempt(run_id: str, planned: PlannedRequest, try_no: int, error_kind: str | None) -> Attempt:
    return Attempt(
        run_id=run_id, request_id=planned.request_id, attempt_id=f"{planned.request_id}-{try_no}", try_no=try_no,
        target=planned.target, base_model="b", model_id="m", routing="us", api="converse", client="wire",
        region="us-east-1", stream=True, prompt_id=planned.prompt_id, repeat=planned.repeat, phase=planned.phase,
        due_ns=try_no, done_ns=100 * try_no, ok=error_kind is None, error_kind=error_kind, cost_usd=0.25,
    )  # fmt: skip


def stored(results: Path, suite: Suite, *tries: tuple[str | None, ...], seed: int = 1) -> RunFolder:
    """A run of the plan's first requests, each with attempts that failed with these kinds (None: succeeded)."""
    counts = count_requests(suite, seed=1) or {}
    manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=sum(counts.values()))
    run = create_run(results, manifest, suite)
    requests = [one for each in make_plan(suite, seed=seed) for one in each.requests]
    attempts = [
        attempt(manifest.run_id, planned, number, kind)
        for planned, kinds in zip(requests, tries, strict=False)
        for number, kind in enumerate(kinds, start=1)
    ]
    run.journal_path().write_bytes(msgspec.json.Encoder().encode_lines(attempts))
    run.finalise("interrupted")
    return run


@pytest.mark.parametrize(
    ("kinds", "next_try"),
    [
        ((None,), None),
        (("validation",), None),
        (("throttled",), 2),
        (("throttled", "throttled"), 3),
        (("throttled", "throttled", "throttled"), None),
        (("cancelled",), 2),
        (("credentials",), 2),
        (("throttled", "throttled", "credentials"), 4),
        (("throttled", "cancelled", "throttled"), 4),
        (("throttled", "throttled", "throttled", "cancelled"), 5),
        (("cancelled", "throttled", "throttled", "throttled"), None),
    ],
)
def test_a_request_goes_on_unless_its_last_attempt_was_final(
    tmp_path: Path, suite: Suite, kinds: tuple[str | None, ...], next_try: int | None
) -> None:
    missing = find_missing(stored(tmp_path, suite, kinds), suite)
    first = next(make_plan(suite, seed=1)).requests[0]
    rest = [one for each in make_plan(suite, seed=1, recorded=missing.recorded) for one in each.requests]
    goes_on = {one.request_id: one.tries.made + 1 for one in rest}
    assert next_try == goes_on.get(first.request_id)
    assert len(rest) == sum((missing.planned or {}).values()) == 12 - (next_try is None)
    assert (0.25 * len(kinds), 100 * len(kinds)) == (missing.cost_usd, missing.last_ns)


def test_a_plan_that_is_recorded_has_nothing_missing(tmp_path: Path, suite: Suite) -> None:
    assert find_missing(stored(tmp_path, suite, *[(None,)] * 12), suite).is_nothing


def test_attempts_of_another_plan_are_refused(tmp_path: Path, suite: Suite) -> None:
    with pytest.raises(StoreError, match=r"its request '\d+-\d+' is not in the plan .* \(the run was made by harness"):
        find_missing(stored(tmp_path, suite, *[(None,)] * 12, seed=2), suite)
