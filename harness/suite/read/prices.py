"""The user's own prices: out of the file that the suite names, or in the suite itself; and what has no price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness.catalog.price_file import PriceFileError, price_mistakes, read_price_file
from harness.catalog.prices import PriceOverride, price_for, terms_of
from harness.catalog.target import Target, merge_options
from harness.suite.grammar.mistakes import Mistake
from harness.suite.read.text_file import FileMistake, find_beside, read_bytes
from harness.suite.suite import Prompt

MAX_PRICE_BYTES = 1_000_000


def read_prices(
    folder: Path, written: str | Sequence[PriceOverride] | None
) -> tuple[tuple[PriceOverride, ...], list[Mistake]]:
    """The prices under the key `prices`, and what is wrong with them. A file lies in `folder` or below it."""
    if not isinstance(written, str):
        prices = tuple(written or ())
        return prices, [Mistake(path, message) for path, message in price_mistakes([_given(price) for price in prices])]
    try:
        path = find_beside(folder, written)
        read_bytes(path, max_bytes=MAX_PRICE_BYTES, remedy="a price file names models and rates, nothing else")
        return read_price_file(path), []
    except FileMistake as error:
        return (), [Mistake(("prices",), f"{written!r}: {error.message}")]
    except PriceFileError as error:
        return (), [Mistake(("prices",), each) for each in error.mistakes]


def _given(price: PriceOverride) -> dict[str, object]:
    return {key: value for key, value in msgspec.to_builtins(price).items() if value is not None}


def price_warnings(
    targets: Sequence[Target],
    judges: Sequence[Target],
    prompts: Sequence[Prompt],
    prices: Sequence[PriceOverride],
    *,
    inline: bool,
) -> Iterator[str]:
    """Who is asked at a price that is not known, and the prices in the suite itself that are nobody's.

    A price file may serve many suites, so nobody expects each of its prices to be used.
    """
    asked = [(judge, terms_of(judge.options)) for judge in judges]
    for target in targets:
        sent = (merge_options(target.options, prompt.options) for prompt in prompts)
        asked += [(target, terms) for terms in dict.fromkeys(map(terms_of, sent))]
    for target, terms in asked:
        if price_for(target.base_model, target.routing, prices, terms) is None:
            named = " ".join(filter(None, (f"{target.model}/{target.routing}", terms.qualifier())))
            entry = ", ".join(
                [f"model: {target.model}", *terms.non_default(), "input: USD per million tokens, output: …"]
            )
            yield (
                f"the price of {named} is not known, so neither is what it costs, and no budget can hold it; give "
                f"your own: prices: [{{{entry}}}]"
            )
    for index, price in enumerate(prices if inline else ()):
        if not any(price.covers(target.base_model, target.routing, terms) for target, terms in asked):
            message = "look at its model, routing, service_tier and latency, or take it out"
            yield f"prices[{index}]: no target and no judge uses this price; {message}"
