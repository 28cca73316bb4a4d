from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from harness.analysis.breakdown.clients import client_overheads


@pytest.fixture
def through(make_target):
    """Targets that differ in the client alone."""

    def build(clients: Sequence[str]):
        return [msgspec.structs.replace(make_target("a"), name=f"a/{client}", client=client) for client in clients]

    return build


def test_a_client_is_compared_with_wire_wherever_that_stands(through, make_columns) -> None:
    late = {"aioboto3": 0.05, "wire": 0.0, "anthropic": 0.2}
    due = np.arange(200.0)
    columns = {
        f"a/{client}": make_columns(200, f"a/{client}", first_s=due + 0.5 + by + 0.001 * (due % 7))
        for client, by in late.items()
    }
    found = client_overheads(through(list(late)), columns)
    assert [("aioboto3", "wire"), ("anthropic", "wire")] == [(each.client, each.reference_client) for each in found]
    effects = [each.differences["TTFT", "p50"] for each in found]
    assert [0.05, 0.2] == pytest.approx([effect.estimate for effect in effects])
    assert all(effect.low > 0 for effect in effects)
    assert [200, 200] == [each.n for each in found]


def test_a_p95_without_bounds_is_left_out(through, make_columns) -> None:
    columns = {f"a/{client}": make_columns(30, f"a/{client}") for client in ("wire", "aioboto3")}
    (found,) = client_overheads(through(["wire", "aioboto3"]), columns)
    assert {("TTFT", "p50"), ("E2E", "p50")} == set(found.differences)


def test_one_client_or_other_models_have_no_overhead(make_target, through, make_columns) -> None:
    assert client_overheads(through(["wire"]), {"a/wire": make_columns()}) == []
    other = [make_target("a"), msgspec.structs.replace(make_target("b"), client="wire")]
    assert client_overheads(other, {"a": make_columns(), "b": make_columns(10, "b")}) == []


def test_only_prompts_answered_through_both_count(through, make_columns) -> None:
    half = np.arange(40) % 10 < 5
    columns = {"a/wire": make_columns(40, "a/wire"), "a/aioboto3": make_columns(40, "a/aioboto3", ok=half)}
    (found,) = client_overheads(through(["wire", "aioboto3"]), columns)
    assert found.n == 20
