"""The user's own prices: out of the file that the suite names, or written in the suite itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from harness.catalog.price_file import read_price_file
from harness.catalog.prices import PriceOverride
from harness.errors import CatalogError
from harness.suite.file import PriceEntry
from harness.suite.mistakes import Mistake
from harness.suite.text_file import FileMistake, check_file, find_beside

MAX_PRICE_BYTES = 1_000_000


def read_prices(
    folder: Path | None, written: str | Sequence[PriceEntry] | None
) -> tuple[tuple[PriceOverride, ...], list[Mistake]]:
    """The prices under the key `prices`, and what is wrong with them. A file lies in `folder` or below it."""
    if not isinstance(written, str):
        return tuple(msgspec.convert(entry, PriceOverride, from_attributes=True) for entry in written or ()), []
    try:
        path = find_beside(folder, written)
        check_file(path, max_bytes=MAX_PRICE_BYTES, remedy="a price file names models and rates, nothing else")
        return read_price_file(path), []
    except FileMistake as error:
        return (), [Mistake(("prices",), f"{written!r}: {error.message}")]
    except CatalogError as error:
        return (), [Mistake(("prices",), line) for line in str(error).splitlines()]
