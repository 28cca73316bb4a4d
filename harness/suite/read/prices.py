"""Reads the user's own prices, from a file or from the suite itself, and warns about missing and unused ones."""

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
    """The prices under the key `prices`, and their mistakes. A file must be in or below `folder`."""
    if not isinstance(written, str):
        prices = tuple(written or ())
        return prices, [Mistake(path, message) for path, message in price_mistakes([_given(price) for price in prices])]
    try:
        path = find_beside(folder, written)
        read_bytes(path, max_bytes=MAX_PRICE_BYTES, remedy="it should contain prices only")
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
    """Warnings about targets and judges without a price, and about unused prices in the suite itself (`inline`).

    A price file may serve many suites, so its unused prices are fine.
    """
    used = [(judge, terms_of(judge.options)) for judge in judges]
    for target in targets:
        sent = (merge_options(target.options, prompt.options) for prompt in prompts)
        used += [(target, terms) for terms in dict.fromkeys(map(terms_of, sent))]
    for target, terms in used:
        if price_for(target.base_model, target.routing, prices, terms) is None:
            named = " ".join(filter(None, (f"{target.model}/{target.routing}", terms.qualifier())))
            entry = ", ".join(
                [f"model: {target.model}", *terms.non_default(), "input: USD per million tokens, output: …"]
            )
            yield (
                f"the price of {named} is unknown, so its cost is too, and a budget does not limit it; add your own: "
                f"prices: [{{{entry}}}]"
            )
    for index, price in enumerate(prices if inline else ()):
        if not any(price.covers(target.base_model, target.routing, terms) for target, terms in used):
            message = "check its model, routing, service_tier and latency, or remove it"
            yield f"prices[{index}]: no target or judge uses this price; {message}"
