"""The bill taken apart by hand: price × tokens, each run at the price of its own day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import Columns, RunData
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import CompareReport, Difference
from harness.analysis.compare.cost.drift import find_drift
from harness.analysis.compare.cost.prices import RECOVERED, RunPrices, find_prices, price_ratios, same_price
from harness.analysis.compare.pairing import FinishedRun, pair
from harness.catalog.prices import STANDARD, Price, PriceOverride, Terms, Tier
from harness.catalog.target import Options
from harness.store.manifest import Manifest, TargetPrice
from harness.suite.suite import Suite

N = 40
RNG = np.random.default_rng(7)
GIVEN, MADE = np.round(RNG.lognormal(6, 0.8, N)), np.round(RNG.lognormal(5, 0.8, N))
IDS = np.array([f"p{i}" for i in range(N)], dtype=object)
MakeRun = Callable[..., FinishedRun]


def price(given: float, made: float, **more: Any) -> Price:
    return Price(input=given, output=made, source="here", as_of=None, **more)


def cost(rates: tuple[float, float], given: np.ndarray = GIVEN, made: np.ndarray = MADE) -> np.ndarray:
    return np.asarray((given * rates[0] + made * rates[1]) / 1e6)


def at(of: Price) -> RunPrices:
    return RunPrices(by_terms={STANDARD: of}, asked=dict.fromkeys(IDS, (STANDARD, None)))


@pytest.fixture
def run(
    make_suite: Callable[..., Suite],
    make_columns: Callable[..., Columns],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], Any],
) -> MakeRun:
    """A run of target `a` at these rates (input, output); `recorded`: its manifest holds them."""

    def build(
        rates: tuple[float, float], *, made: np.ndarray = MADE, recorded: bool = True, **changes: Any
    ) -> FinishedRun:
        suite = make_suite(prompts=N, gate={"cost_per_request": "10%"}, **changes.pop("suite", {}))
        arrays = {"prompt_id": IDS, "group_id": IDS, "input_tokens": GIVEN, "output_tokens": made}
        columns = make_columns(N, **arrays, **{"cost_usd": cost(rates, made=made), **changes})
        prices = (TargetPrice(target="a", price=price(*rates)),) if recorded else ()
        return FinishedRun(
            manifest=make_run_manifest(suite, prices=prices),
            suite=suite,
            data=RunData(columns={"a": columns}, counts={"a": count_attempts(columns)}, recorded=N),
        )

    return build


def rows(report: CompareReport) -> dict[str, Difference]:
    return {row.metric: row for row in report.comparisons[0].differences}


def test_price_and_tokens_multiply_to_the_ratio_of_totals(make_columns: Callable[..., Columns]) -> None:
    more = np.round(MADE * np.random.default_rng(8).lognormal(0.3, 0.5, N))
    pairs = pair(
        make_columns(N, prompt_id=IDS, input_tokens=GIVEN, output_tokens=MADE, cost_usd=cost((1, 5))),
        make_columns(N, prompt_id=IDS, input_tokens=GIVEN, output_tokens=more, cost_usd=cost((2, 8), made=more)),
    )
    drift = find_drift(pairs, (at(price(1, 5)), at(price(2, 8))), same_model=False)
    assert drift.price_ratio
    assert drift.token_ratio
    assert cost((2, 8), made=more).sum() / cost((1, 5)).sum() == pytest.approx(drift.cost_ratio)
    assert cost((2, 8)).sum() / cost((1, 5)).sum() == pytest.approx(drift.price_ratio)
    assert drift.price_ratio * drift.token_ratio == pytest.approx(drift.cost_ratio, rel=1e-12)
    assert cost((2, 8), made=more).sum() / cost((2, 8)).sum() == pytest.approx(drift.token_ratio)
    assert (1.0, more.sum() / MADE.sum()) == pytest.approx((drift.input_token_ratio, drift.output_token_ratio))


def test_the_cost_ratio_is_that_of_the_gates_row(run: MakeRun) -> None:
    report = compare_targets(run((1, 5)), run((1, 5), made=2 * MADE))
    assert np.exp(rows(report)["cost_per_request"].estimate or 0) == pytest.approx(
        report.comparisons[0].drift.cost_ratio
    )


def test_cost_is_price_times_tokens(make_columns: Callable[..., Columns]) -> None:
    """100 + 50 tokens at $1 and $5 a million cost 350 millionths; 100 + 100 at $2 and $10 1,200."""
    old = make_columns(4, prompt_id=IDS[:4], input_tokens=np.full(4, 100.0), output_tokens=np.full(4, 50.0),
                       cost_usd=np.full(4, 350e-6))  # fmt: skip
    new = make_columns(4, prompt_id=IDS[:4], input_tokens=np.full(4, 100.0), output_tokens=np.full(4, 100.0),
                       cost_usd=np.full(4, 1200e-6), passed=np.array([1.0, 1, 0, 0]))  # fmt: skip
    drift = find_drift(pair(old, new), (at(price(1, 5)), at(price(2, 10))), same_model=False)
    assert (1200 / 350, 2.0, 1200 / 700) == pytest.approx((drift.cost_ratio, drift.price_ratio, drift.token_ratio))
    assert (1400e-6, 4800e-6) == pytest.approx((drift.baseline_total_usd, drift.candidate_total_usd))
    assert (350e-6, 2400e-6) == pytest.approx(
        (drift.baseline_cost_per_correct_usd, drift.candidate_cost_per_correct_usd)
    )
    assert (
        "cost +243%: price +100% (price drift), 2 × the output tokens (token drift); different models may also "
        "count tokens differently"
    ) == drift.summary


def test_unknown_prices_take_nothing_apart(make_columns: Callable[..., Columns]) -> None:
    pairs = pair(*(make_columns(2, prompt_id=IDS[:2], cost_usd=np.array(each)) for each in ([1.0, 1], [2.0, 8])))
    nothing = RunPrices(by_terms={}, asked=dict.fromkeys(IDS, (STANDARD, None)))
    drift = find_drift(pairs, (nothing, nothing), same_model=True)
    assert (5.0, None, None) == (pytest.approx(drift.cost_ratio), drift.price_ratio, drift.token_ratio)


def test_a_list_price_that_rose_between_two_runs_is_a_row_and_a_finding(run: MakeRun) -> None:
    report = compare_targets(run((1, 5)), run((1.2, 6)))
    row, bill = rows(report)["list_price"], rows(report)["cost_per_request"]
    assert (np.log(1.2),) * 3 == pytest.approx((row.estimate, row.low, row.high))
    assert (bill.baseline, bill.candidate) == pytest.approx((row.baseline, row.candidate))
    assert ("worse", True, None, "price-list") == (row.verdict, row.exploratory, row.p_value, row.method)
    assert "the list price of a rose 20% between the runs; tokens are as many" in [f.what for f in report.findings]
    assert "worse" == bill.verdict == report.verdict
    assert "cost +20%: price +20% (price drift), the same number of tokens" == report.comparisons[0].drift.summary


def test_a_cost_that_fell_has_a_minus_like_every_other_number(run: MakeRun) -> None:
    report = compare_targets(run((1.2, 6)), run((0.9, 4.5)))
    assert "cost −25%: price −25% (price drift), the same number of tokens" == report.comparisons[0].drift.summary


def test_fewer_tokens_can_hide_a_list_price_that_rose(run: MakeRun) -> None:
    fewer = np.round(MADE / 1.25)
    report = compare_targets(run((1, 5)), run((1.2, 6), made=fewer))
    (told,) = [f.what for f in report.findings if "list price" in f.what]
    assert "rose 20% between the runs; at one price, the tokens alone would cost −" in told
    assert rows(report)["cost_per_request"].verdict != "worse"


def test_tokens_are_not_as_many_where_one_kind_grew_and_the_bill_hardly_shows_it(run: MakeRun) -> None:
    report = compare_targets(run((1, 0.2)), run((1.2, 0.24), made=np.round(1.06 * MADE)))
    (told,) = [f.what for f in report.findings if "list price" in f.what]
    assert "6% more output tokens" in report.comparisons[0].drift.summary
    assert told.endswith("between the runs; at one price, the tokens would cost about the same")


def test_the_same_price_has_no_row(run: MakeRun) -> None:
    report = compare_targets(run((1, 5)), run((1, 5)))
    assert "list_price" not in rows(report)
    assert not [f for f in report.findings if "price" in f.what]


def test_a_price_beyond_all_measure_is_unknown(run: MakeRun) -> None:
    """Of a manifest that somebody else wrote."""
    long = 1e6 * MADE
    earlier, later = run((1, 5), made=long), run((1, 5), made=long)
    absurd = msgspec.structs.replace(later.manifest, prices=(TargetPrice(target="a", price=price(1e308, 1e308)),))
    with np.errstate(over="ignore"):
        report = compare_targets(earlier, FinishedRun(manifest=absurd, suite=later.suite, data=later.data))
    assert report.comparisons[0].drift.price_ratio is None
    assert "list_price" not in rows(report)


def test_a_rate_that_no_token_was_charged_at_moves_nothing(run: MakeRun) -> None:
    later = run((1, 5))
    prices = (TargetPrice(target="a", price=price(1, 5, cache_read=0.3)),)
    cached = msgspec.structs.replace(later.manifest, prices=prices)
    report = compare_targets(run((1, 5)), FinishedRun(manifest=cached, suite=later.suite, data=later.data))
    assert "list_price" not in rows(report)
    assert 1.0 == report.comparisons[0].drift.price_ratio


def test_a_run_that_recorded_no_price_is_priced_by_its_own_costs(run: MakeRun) -> None:
    """Earlier versions recorded costs and tokens; nobody's price of today is (1, 5) or (1.2, 6)."""
    old = run((1, 5), recorded=False)
    found = find_prices(old, "a").by_terms[STANDARD]
    assert (1.0, 5.0, RECOVERED) == (found.input, found.output, found.source)
    report = compare_targets(old, run((1.2, 6)))
    assert pytest.approx(np.log(1.2)) == rows(report)["list_price"].estimate
    assert pytest.approx(1.2) == report.comparisons[0].drift.price_ratio


def test_costs_on_record_win_over_the_price_of_today(run: MakeRun) -> None:
    """The suite's own price says 9 and 9 today; what was paid says 1 and 5."""
    dear = PriceOverride(model="anthropic.a", input=9, output=9)
    old = run((1, 5), recorded=False, suite={"prices": (dear,)})
    assert 5.0 == find_prices(old, "a").by_terms[STANDARD].output
    agreeing = PriceOverride(model="anthropic.a", input=1, output=5, cache_read=0.1)
    found = find_prices(run((1, 5), recorded=False, suite={"prices": (agreeing,)}), "a").by_terms[STANDARD]
    assert 0.1 == found.cache_read


def test_costs_that_follow_no_price_leave_it_unknown(run: MakeRun) -> None:
    erratic = cost((1, 5)) * np.random.default_rng(9).lognormal(0, 0.1, N)
    old = run((1, 5), recorded=False, cost_usd=erratic)
    assert {} == find_prices(old, "a").by_terms
    drift = compare_targets(old, run((1.2, 6))).comparisons[0].drift
    assert (None, None) == (drift.price_ratio, drift.token_ratio)
    assert {} == find_prices(run((1, 5), recorded=False, cost_usd=np.full(N, np.nan)), "a").by_terms


def test_every_tier_and_the_cache_have_their_own_rates(make_columns: Callable[..., Columns]) -> None:
    long = Tier(above_input_tokens=1000, input=2, output=10, cache_read=0.5)
    rates = price(1, 5, cache_read=0.1, cache_write_5m=1.25, tiers=(long,))
    c = make_columns(
        2, prompt_id=IDS[:2], input_tokens=np.array([100.0, 900]), output_tokens=np.array([10.0, 10]),
        cache_read_tokens=np.array([1000.0, 100]), cache_write_tokens=np.array([0.0, 0]),
    )  # fmt: skip
    found = price_ratios(c, at(price(1, 5)), at(rates))
    paid = np.array([100 + 50 + 1000, 900 + 50 + 100])
    assert [(200 + 100 + 500) / paid[0], (900 + 50 + 10) / paid[1]] == pytest.approx(found.tolist())
    assert np.isnan(price_ratios(c, at(msgspec.structs.replace(rates, source=RECOVERED)), at(rates))).all()


def test_prompts_on_their_own_terms_have_their_own_price(make_columns: Callable[..., Columns]) -> None:
    flex = Terms(service_tier="flex")
    asked = {"p0": (STANDARD, None), "p1": (flex, None)}
    old = RunPrices(by_terms={STANDARD: price(1, 5), flex: price(0.5, 2.5)}, asked=asked)
    new = RunPrices(by_terms={STANDARD: price(2, 10)}, asked=asked)
    c = make_columns(2, prompt_id=IDS[:2])
    assert [2.0] == price_ratios(c, old, new)[:1].tolist()
    assert np.isnan(price_ratios(c, old, new)[1])


def test_prices_are_the_same_up_to_rounding() -> None:
    assert same_price(price(1, 5), price(1 + 1e-9, 5))
    assert not same_price(price(1, 5), price(1.2, 5))
    assert not same_price(price(1, 5), price(1, 5, cache_read=0.1))
    recovered = Price(input=1, output=5, source=RECOVERED, as_of=None)
    assert same_price(recovered, price(1, 5, cache_read=0.1))


def test_a_manifest_holds_the_price_of_each_target_on_all_terms_of_its_prompts(
    make_suite: Callable[..., Suite], make_run_manifest: Callable[..., Manifest]
) -> None:
    own = [PriceOverride(model="anthropic.a", input=1, output=5)]
    own += [PriceOverride(model="anthropic.a", input=2, output=9, service_tier="priority")]
    suite = make_suite(prompts=3, prices=tuple(own))
    prompts = list(suite.prompts)
    for index, tier in ((1, "priority"), (2, "flex")):
        prompts[index] = msgspec.structs.replace(prompts[index], options=Options(service_tier=tier))
    manifest = make_run_manifest(msgspec.structs.replace(suite, prompts=tuple(prompts)))
    assert [("a", "default", 5.0), ("a", "priority", 9.0)] == [
        (each.target, each.service_tier, each.price.output) for each in manifest.prices
    ]
    assert manifest == msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest)
