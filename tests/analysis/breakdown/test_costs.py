import msgspec
import numpy as np
import pytest

from harness.analysis.breakdown.costs import cost_parts
from harness.analysis.columns import RunData
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.metrics import cost_per_request_usd
from harness.catalog.prices import Price
from harness.store.manifest import TargetPrice

WORLDWIDE = Price(input=1.0, output=5.0, cache_read=0.1, cache_write_5m=1.25, source="test", as_of=None)
REGIONAL = Price(input=1.1, output=5.5, cache_read=0.11, cache_write_5m=1.375, source="test", as_of=None)


@pytest.fixture
def priced(make_suite, make_run_manifest):
    """A run of a global target `a` and a regional one `b` of the same model, at the prices above."""

    def build(columns, *, names=("a", "b")) -> FinishedRun:
        suite = make_suite(names)
        targets = tuple(
            msgspec.structs.replace(t, base_model="anthropic.m", routing="us" if t.name == "b" else "global")
            for t in suite.targets
        )
        suite = msgspec.structs.replace(suite, targets=targets)
        prices = {"a": WORLDWIDE, "b": REGIONAL}
        manifest = make_run_manifest(suite, prices=tuple(TargetPrice(target=n, price=prices[n]) for n in names))
        return FinishedRun(manifest=manifest, suite=suite, data=RunData(columns=columns, counts={}, recorded=0))

    return build


def paid(price: Price, *tokens: np.ndarray) -> np.ndarray:
    rates = (price.input, price.output, price.cache_read, price.cache_write_5m)
    return sum(rate * each for rate, each in zip(rates, tokens, strict=True)) / 1e6


def test_the_parts_are_exact_and_add_up_to_the_summarys_cost(priced, make_columns) -> None:
    rng = np.random.default_rng(2)
    tokens = [rng.integers(10, 900, 25).astype(float) for _ in range(4)]
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    columns = {
        name: make_columns(25, name, cost_usd=paid(price, *tokens), **dict(zip(names, tokens, strict=True)))
        for name, price in (("a", WORLDWIDE), ("b", REGIONAL))
    }
    run = priced(columns)
    for name in columns:
        found = cost_parts(run, name)
        assert found.total_usd == pytest.approx(1000 * cost_per_request_usd(columns[name]))
        assert sum(found.parts.values()) == pytest.approx(found.total_usd)
    regional, worldwide = cost_parts(run, "b"), cost_parts(run, "a")
    assert regional.parts["regional premium"] == pytest.approx(worldwide.total_usd / 10)
    assert {**worldwide.parts, "regional premium": pytest.approx(worldwide.total_usd / 10)} == pytest.approx(
        regional.parts
    )
    assert "regional premium" not in worldwide.parts


def test_every_prompt_counts_once_however_often_it_was_asked(priced, make_columns) -> None:
    prompts = np.array(["p0", "p0", "p0", "p1"], dtype=object)
    tokens = np.array([100.0, 100.0, 100.0, 500.0])
    c = make_columns(4, prompt_id=prompts, input_tokens=tokens, output_tokens=np.zeros(4), cost_usd=tokens / 1e6)
    assert cost_parts(priced({"a": c}, names=("a",)), "a").parts == {"input": pytest.approx(0.3)}


def test_earlier_attempts_and_unpriced_answers_are_a_part_of_their_own(priced, make_columns) -> None:
    c = make_columns(10, cost_usd=np.full(10, 0.01))
    found = cost_parts(priced({"a": c}, names=("a",)), "a")
    assert found.parts["other"] == pytest.approx(10 - 1000 * (20 + 5 * 11) / 1e6)


def test_without_a_global_price_the_premium_is_not_told_apart(priced, make_columns) -> None:
    c = make_columns(10, "b", cost_usd=np.full(10, (20 * 1.1 + 11 * 5.5) / 1e6))
    found = cost_parts(priced({"b": c}, names=("b",)), "b")
    assert not found.premium_known
    assert {"input", "output"} == set(found.parts)


def test_without_a_known_cost_there_is_nothing(priced, make_columns) -> None:
    assert cost_parts(priced({"a": make_columns(cost_usd=np.full(10, np.nan))}, names=("a",)), "a") is None
