import os
import re
from pathlib import Path

import pytest

from harness.catalog.price_file import read_price_file
from harness.catalog.prices import PriceOverride, Tier
from harness.errors import CatalogError

GOOD = """
[[prices]]
model = "claude-sonnet-4-5"
routing = "global"
input = 2.7
output = 13.5
cache_read = 0.27

[[prices.tiers]]
above_input_tokens = 400_000
input = 8
output = 30

[[prices.tiers]]
above_input_tokens = 200_000
input = 5.4
output = 20

[[prices]]
model = "anthropic.claude-opus-9"
input = 7
output = 35
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_price_file_is_read_with_its_long_context_rates_in_order(tmp_path: Path) -> None:
    tiers = (
        Tier(above_input_tokens=200_000, input=5.4, output=20),
        Tier(above_input_tokens=400_000, input=8, output=30),
    )
    assert read_price_file(write(tmp_path, GOOD)) == (
        PriceOverride(
            model="claude-sonnet-4-5", routing="global", input=2.7, output=13.5, cache_read=0.27, tiers=tiers
        ),
        PriceOverride(model="anthropic.claude-opus-9", input=7, output=35),
    )


def test_a_price_may_be_that_of_a_service_tier_and_a_latency(tmp_path: Path) -> None:
    text = '[[prices]]\nmodel = "claude-opus-4-5"\ninput = 4\noutput = 20\n'
    found = read_price_file(write(tmp_path, text + text + 'service_tier = "priority"\nlatency = "optimized"\n'))
    assert [(None, None), ("priority", "optimized")] == [(price.service_tier, price.latency) for price in found]


ENTRY = '[[prices]]\nmodel = "claude-opus-4-5"\ninput = 4\noutput = 20\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "prices: write one [[prices]] table per price"),
        ("prices = 3", "prices: write one [[prices]] table per price"),
        (f"discount = 1\n{ENTRY}", "discount: unknown key"),
        (f"{ENTRY}imput = 3", "prices[0].imput: unknown key; did you mean input?"),
        (ENTRY.replace("input = 4\n", ""), "prices[0].input: is missing"),
        (ENTRY.replace("4\n", '"4"\n'), "prices[0].input: expected USD per million tokens, 0 or more, got '4'"),
        (ENTRY.replace("20", "-1"), "prices[0].output: expected USD per million tokens, 0 or more, got -1"),
        (ENTRY.replace("20", "nan"), "prices[0].output: expected USD per million tokens, 0 or more, got nan"),
        (ENTRY.replace("20", "true"), "prices[0].output: expected USD per million tokens, 0 or more, got True"),
        (
            ENTRY.replace("opus", "opsu"),
            "prices[0].model: unknown model 'claude-opsu-4-5'; did you mean claude-opus-4-5",
        ),
        (ENTRY.replace('model = "claude-opus-4-5"\n', ""), "prices[0].model: is missing"),
        (f'{ENTRY}routing = "moon"', "prices[0].routing: expected one of global, us, eu"),
        (f'{ENTRY}routing = ["us"]', "prices[0].routing: expected one of global, us, eu"),
        (f'{ENTRY}service_tier = "prio"', "prices[0].service_tier: expected one of default, priority, flex, reserved"),
        (f'{ENTRY}latency = "optimised"', "prices[0].latency: expected one of standard, optimized"),
        (ENTRY.replace("20", "0"), "prices[0].output: is 0, so budgets and gates would not work"),
        (
            ENTRY.replace("input = 4", "input = 0.000004"),
            "prices[0].input: 4e-06 is too low for USD per million tokens",
        ),
        (ENTRY.replace("20", "20_000_000"), "prices[0].output: 20000000 is too high for USD per million tokens"),
        (f"{ENTRY}tiers = 1", "prices[0].tiers: write one [[prices.tiers]] table"),
        (f"{ENTRY}[[prices.tiers]]\ninput = 1\noutput = 2", "prices[0].tiers[0].above_input_tokens: expected a number"),
        (f"{ENTRY}[[prices.tiers]]\nabove_input_tokens = 9\noutput = 2", "prices[0].tiers[0].input: is missing"),
        (f"{ENTRY}{ENTRY}", "prices[1]: has the same model and routing as prices[0]; drop one of them"),
        (
            f"{ENTRY}{ENTRY.replace('claude-opus-4-5', 'anthropic.claude-opus-4-5-20251101-v1:0')}",
            "prices[1]: has the same model and routing as prices[0]; drop one of them",
        ),
        ("[[prices]", "is not TOML"),
    ],
)
def test_a_mistake_is_reported_with_the_file_and_the_key(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(CatalogError) as refusal:
        read_price_file(path)
    assert re.match(rf"{re.escape(str(path))}:[1-9]\d*: {re.escape(told)}", str(refusal.value))


def test_a_mistake_is_reported_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("routing =", "routnig =").replace("input = 8", "").replace("20\n", "-20\n", 1)
    text = text.replace("input = 7", "input = 0x" + "F" * 9000)
    with pytest.raises(CatalogError) as refusal:
        read_price_file(write(tmp_path, text))
    told = [each.removeprefix(f"{tmp_path}/prices.toml:") for each in str(refusal.value).splitlines()]
    assert [
        ("4", "prices[0].routnig"),
        ("9", "prices[0].tiers[0].input"),
        ("17", "prices[0].tiers[1].output"),
        ("21", "prices[1].input"),
    ] == [tuple(each.split(": ")[:2]) for each in told]


def test_the_line_of_invalid_toml_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"prices\.toml:6: is not TOML: "):
        read_price_file(write(tmp_path, GOOD.replace('"global"', '"global"\nx = [').replace("13.5", "=")))


def test_a_pipe_as_a_price_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "prices.toml")
    with pytest.raises(CatalogError, match="not a regular file"):
        read_price_file(tmp_path / "prices.toml")


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as refusal:
        read_price_file(write(tmp_path, '[[prices]]\nmodel = "claude-opus-4-5"\nrouting = "moon"\ntip = 1\n'))
    assert len(str(refusal.value).splitlines()) == 4


def test_a_file_that_is_not_there_or_not_text_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be read: No such file"):
        read_price_file(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match="is not TOML"):
        read_price_file(tmp_path / "binary.toml")


ENTRY = '[[prices]]\nmodel = "claude-haiku-4-5"\noutput = 5\ninput = '


@pytest.mark.parametrize(
    "text",
    [
        ENTRY + "1" + "0" * 400,
        ENTRY + "1" + "0" * 5000,
        ENTRY + "0x" + "F" * 5000,
        ENTRY + "inf",
        ENTRY + "nan",
        "a = " + "[" * 5000,
        "\ud800",
    ],
    ids=["a huge number", "thousands of digits", "hexadecimal", "infinity", "no number", "deep nesting", "no UTF-8"],
)
def test_a_price_file_that_cannot_be_meant_is_a_mistake_of_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CatalogError, match=r"prices\.toml:"):
        read_price_file(path)
