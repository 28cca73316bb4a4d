"""What each request's tokens cost, kind by kind, at a price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from harness.analysis.columns import Columns, Floats
from harness.catalog.prices import Price, Rates, Terms, cost_usd, terms_of
from harness.catalog.target import CacheTtl, Target, merge_options
from harness.suite.suite import Prompt

KINDS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
Asked = tuple[Terms, CacheTtl | None]
"""What a prompt's options say of its price: the terms, and how long what it writes to the cache is kept."""
Kind = TypeVar("Kind")


def asked_of(target: Target, prompts: Iterable[Prompt]) -> dict[str, Asked]:
    """Prompt id → on which terms a target is asked it."""
    options = {prompt.id: merge_options(target.options, prompt.options) for prompt in prompts}
    return {prompt_id: (terms_of(each), each.cache) for prompt_id, each in options.items()}


def requests_by(c: Columns, kinds: Mapping[str, Kind]) -> Iterator[tuple[Kind, npt.NDArray[np.bool_]]]:
    """Each kind of prompt (prompt id → kind) with its requests, as flags."""
    codes = {kind: code for code, kind in enumerate(dict.fromkeys(kinds.values()))}
    code_of = {prompt: codes[kind] for prompt, kind in kinds.items()}
    found = np.array([code_of.get(prompt, -1) for prompt in c.prompts[0]], dtype=np.int64)[c.prompts[1]]
    for kind, code in codes.items():
        yield kind, found == code


def token_counts(c: Columns) -> Floats:
    """One row for each of KINDS, one entry a request; NaN where input or output is unknown or nothing was answered."""
    none = np.zeros(len(c.ok))
    cached = [none if each is None else np.nan_to_num(each) for each in (c.cache_read_tokens, c.cache_write_tokens)]
    return np.where(c.ok, np.array([c.input_tokens, c.output_tokens, *cached]), np.nan)


def kind_costs(price: Price, tokens: Floats, ttl: CacheTtl | None) -> Floats:
    """What the tokens of `token_counts` cost, USD, in the same shape, as `cost_usd` has it. NaN where they are."""
    whole = tokens[0] + tokens[2] + tokens[3]
    costs = np.full(tokens.shape, np.nan)
    for above, rates in ((-1, price), *((tier.above_input_tokens, tier) for tier in price.tiers)):
        listed = {name: getattr(rates, name) for name in Rates.__struct_fields__}
        flat = Price(**listed, source=price.source, as_of=None)
        each = [cost_usd(flat, **{kind: int(kind == of) for kind in KINDS}, cache_ttl=ttl) for of in KINDS]
        costs = np.where(whole > above, np.array(each)[:, None] * tokens, costs)
    return costs


def total_costs(price: Price, tokens: Floats, ttl: CacheTtl | None) -> Floats:
    """What each request's tokens cost in all, USD. NaN where tokens are unknown."""
    return np.asarray(kind_costs(price, tokens, ttl).sum(axis=0))
