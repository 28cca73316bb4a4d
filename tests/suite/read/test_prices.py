"""Prices of one's own in a suite: what cannot be meant is refused, what nothing uses and what is unknown is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog.prices import PriceOverride
from harness.errors import SuiteError
from harness.suite.loader import load_suite
from harness.suite.stored import encode_suite, read_suite
from harness.suite.suite import Suite

SUITE = """\
suite: demo
targets:
  - {model: claude-sonnet-4-6, routing: [global, us]TARGET}
prompts:
  - {id: a, prompt: Hi, expect: HoPROMPT}
prices:
"""


def load(folder: Path, *prices: str, target: str = "", prompt: str = "") -> Suite:
    text = SUITE.replace("TARGET", target).replace("PROMPT", prompt) + "".join(f"  - {{{each}}}\n" for each in prices)
    path = folder / "x.yaml"
    path.write_text(text.removesuffix("prices:\n"), encoding="utf-8")
    return load_suite(path)


SONNET = "model: claude-sonnet-4-6"


@pytest.mark.parametrize(
    ("price", "told"),
    [
        ("model: claude-sonet-4-6, input: 3, output: 15", "model: unknown model 'claude-sonet-4-6'; did you mean"),
        (f"{SONNET}, routing: golbal, input: 3, output: 15", "routing: expected one of global, us"),
        (f"{SONNET}, routing: golbal, input: 3, output: 15", "got 'golbal'; did you mean 'global'?"),
        (
            f"{SONNET}, service_tier: prio, input: 3, output: 15",
            "service_tier: 'prio' is not one of default, flex",
        ),
        (f"{SONNET}, input: -3, output: 15", "input: must be at least 0"),
        (f"{SONNET}, input: 0, output: 15", "input: is 0, so budgets and gates would not work"),
        (f"{SONNET}, input: 0.000003, output: 15", "input: 3e-06 is too low for USD per million tokens"),
        (f"{SONNET}, input: 3, output: 0.001", "output: 0.001 is too low for USD per million tokens"),
        (f"{SONNET}, input: 3, output: 15000000", "output: 15000000.0 is too high for USD per million tokens"),
        (f"{SONNET}, input: 3, output: 15, cache_read: 1e300", "cache_read: 1e+300 is too high"),
        (f"{SONNET}, input: 3, ouput: 15", "ouput: unknown key 'ouput'; did you mean 'output'?"),
        (
            f"{SONNET}, input: 3, output: 15, tiers: [{{above_input_tokens: 200000, input: 0, output: 2}}]",
            "tiers[0].input: is 0",
        ),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused(tmp_path: Path, price: str, told: str) -> None:
    with pytest.raises(SuiteError) as refusal:
        load(tmp_path, price)
    assert "x.yaml:7: prices[0]." in str(refusal.value)
    assert told in str(refusal.value)


def test_the_same_price_twice_is_refused(tmp_path: Path) -> None:
    price = "model: claude-sonnet-4-6, input: 3, output: 15"
    same = "model: anthropic.claude-sonnet-4-6, input: 4, output: 16"
    with pytest.raises(SuiteError, match=r"x\.yaml:8: prices\[1\]: has the same model and routing as prices\[0\]"):
        load(tmp_path, price, same)
    assert load(tmp_path, price, f"{price}, service_tier: priority", target=", service_tier: priority")


@pytest.mark.parametrize(
    "price", ["model: claude-haiku-4-5", f"{SONNET}, routing: eu", f"{SONNET}, latency: optimized"]
)
def test_a_price_that_no_target_uses_is_reported(tmp_path: Path, price: str) -> None:
    suite = load(tmp_path, f"{price}, input: 3, output: 15")
    assert ["prices[0]: no target or judge uses this price"] == [each.partition(";")[0] for each in suite.warnings]


def test_prices_that_targets_use_are_not_worth_a_word(tmp_path: Path) -> None:
    prices = (
        "model: claude-sonnet-4-6, input: 3, output: 15",
        "model: claude-sonnet-4-6, routing: us, input: 3, output: 15",
    )
    assert () == load(tmp_path, *prices).warnings


@pytest.mark.parametrize(
    "options",
    [{"target": ", service_tier: priority"}, {"prompt": ", service_tier: priority"}],
    ids=["target", "prompt"],
)
def test_a_price_that_is_not_known_is_reported_and_a_price_of_ones_own_fixes_it(
    tmp_path: Path, options: dict[str, str]
) -> None:
    told = "the price of claude-sonnet-4-6/us with service_tier: priority is unknown, so its cost is too"
    warnings = load(tmp_path, **options).warnings
    assert [told] == [each.partition(", and")[0] for each in warnings if "/us" in each]
    mended = load(tmp_path, "model: claude-sonnet-4-6, service_tier: priority, input: 5.25, output: 26.25", **options)
    assert () == mended.warnings
    assert (
        PriceOverride(model="claude-sonnet-4-6", service_tier="priority", input=5.25, output=26.25),
    ) == mended.prices
    (tmp_path / "suite.json").write_bytes(encode_suite(mended))
    assert mended.prices == read_suite(tmp_path).prices


def test_a_run_whose_prices_would_be_refused_today_still_loads(tmp_path: Path) -> None:
    stored = encode_suite(load(tmp_path, "model: claude-sonnet-4-6, input: 3, output: 15"))
    (tmp_path / "suite.json").write_bytes(stored.replace(b'"input":3.0', b'"input":0.0'))
    assert 0 == read_suite(tmp_path).prices[0].input
