"""The output of `harness models`: models, prices and sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.catalog.limits import burndown_fact
from harness.catalog.live import ApplicationProfile
from harness.catalog.models import Model
from harness.catalog.prices import USERS_PRICES, Price, PriceOverride, Rates, premium, price_for
from harness.catalog.sources import Fact

_KINDS = {
    "input": "input",
    "output": "output",
    "cache_write_5m": "cache write 5 min",
    "cache_write_1h": "cache write 1 h",
    "cache_read": "cache read",
}
_DATED = ("status", "deprecated", "legacy", "extended_access", "end_of_life")
_SIZES = ("context_window", "long_context", "long_context_ended", "max_output")


def print_models(
    console: Console,
    chosen: Sequence[Model],
    profiles: Sequence[ApplicationProfile],
    overrides: Sequence[PriceOverride],
) -> None:
    """Print models, prices and sources; each table fits 80 columns."""
    console.print(_models_table(chosen))
    console.print(_prices_table(chosen, overrides))
    _print_profiles(console, chosen, profiles)
    _print_footer(console, chosen, overrides)


def print_facts(console: Console, chosen: Sequence[Model], overrides: Sequence[PriceOverride]) -> None:
    """Print a table for each model: every fact with its source and date."""
    for model in chosen:
        table = _new_table(f"{model.name} · {model.base_id}")
        table.add_column("fact", no_wrap=True)
        table.add_column("value", ratio=3)
        table.add_column("source, as of", ratio=2)
        for what, value, source, as_of in _facts(model, overrides):
            table.add_row(what, value, f"{source}, {as_of}")
        console.print(table)


def _new_table(title: str) -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", title=title, title_justify="left")


def _models_table(chosen: Sequence[Model]) -> Table:
    table = _new_table("models")
    table.add_column("model, base id, lifecycle", no_wrap=True)
    table.add_column("offered")
    table.add_column("context,\noutput", justify="right", no_wrap=True)
    region = next((model.live_region for model in chosen if model.live_region), None)
    for model in chosen:
        names = Text.assemble((model.name, "bold"), f"\n  {model.base_id}\n  {_lifecycle(model)}")
        table.add_row(names, _offered(model, region), f"{_tokens(model.context_window)}\n{_tokens(model.max_output)}")
    return table


def _offered(model: Model, region: str | None) -> str:
    """The routings; a star marks those for which no source names a Region. With --live, those of its Region first."""
    if region is None:
        return _routings(model, model.routings)
    here = [routing for routing, fact in model.routings.items() if region in fact.value and model.live_region]
    elsewhere = [routing for routing in model.routings if routing not in here]
    lines = [f"{region}: {' '.join(here) or 'none'}"]
    return "\n".join([*lines, f"others: {_routings(model, elsewhere)}"] if elsewhere else lines)


def _routings(model: Model, routings: Sequence[str] | dict[str, Fact[tuple[str, ...]]]) -> str:
    return " ".join(routing if model.routings[routing].value else f"{routing}*" for routing in routings)


def _lifecycle(model: Model) -> str:
    steps = [f"deprecated {model.deprecated.value}"] if model.deprecated else []
    steps += [f"legacy {model.legacy.value}"] if model.legacy else []
    steps += [f"ends {model.end_of_life.value}"] if model.end_of_life else []
    if not model.status or any(step.startswith(model.status.value) for step in steps):
        return ", ".join(steps)
    listed = any(fact.value for fact in model.routings.values())
    status = model.status.value if listed else f"{model.status.value} ({model.status.as_of})"
    return ", ".join([status, *steps])


def _tokens(fact: Fact[int] | None) -> str:
    if fact is None:
        return "–"
    return f"{fact.value // 1_000_000}M" if fact.value >= 1_000_000 else f"{fact.value // 1000}K"


def _prices_table(chosen: Sequence[Model], overrides: Sequence[PriceOverride]) -> Table:
    table = _new_table("prices, USD per million tokens, and the premium over global")
    table.add_column("model, routings", min_width=31)
    for heading in ("input", "output", "write\n5 min", "write\n1 h", "cache\nread"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in chosen:
        table.add_row(Text(model.name, "bold"))
        for routings, price in _priced(model, overrides):
            table.add_row(f"  {_routings_cell(model, routings, price, overrides)}", *_rate_cells(price))
            for tier in price.tiers if price else ():
                table.add_row(f"    over {_size(tier.above_input_tokens)} input tokens", *_rate_cells(tier))
    return table


def _priced(model: Model, overrides: Sequence[PriceOverride]) -> list[tuple[list[str], Price | None]]:
    """The model's routings, grouped by price."""
    by_price: dict[Price | None, list[str]] = {}
    for routing in model.routings:
        by_price.setdefault(price_for(model.base_id, routing, overrides), []).append(routing)
    return [(routings, price) for price, routings in by_price.items()]


def _routings_cell(
    model: Model, routings: Sequence[str], price: Price | None, overrides: Sequence[PriceOverride]
) -> str:
    extra = premium(price, price_for(model.base_id, "global", overrides)) if "global" in model.routings else None
    text = " ".join(routings)
    if price and price.source == USERS_PRICES:
        text += " (yours)"
    return text if extra is None or list(routings) == ["global"] else f"{text} {extra:+.0%}"


def _rate_cells(rates: Rates | None) -> list[str]:
    return ["–" if rates is None or getattr(rates, kind) is None else f"{getattr(rates, kind):g}" for kind in _KINDS]


def _size(tokens: int) -> str:
    return f"{tokens // 1000}K" if tokens % 1000 == 0 else f"{tokens:,}"


def _facts(model: Model, overrides: Sequence[PriceOverride]) -> Iterator[tuple[str, str, str, str]]:
    """(what, value, source, as of) of every known fact about a model."""
    for routing, fact in model.routings.items():
        yield f"offered: {routing}", ", ".join(fact.value) or "no Region named", fact.source, fact.as_of
    for what in (*_DATED, *_SIZES):
        if known := getattr(model, what):
            yield what.replace("_", " "), str(known.value), known.source, known.as_of
    rate = burndown_fact(model.base_id)
    yield "burndown", f"{rate.value} quota tokens an output token", rate.source, rate.as_of
    for routings, price in _priced(model, overrides):
        if price:
            yield f"price: {' '.join(routings)}", _all_rates(price), price.source, price.as_of or "undated"


def _all_rates(price: Price) -> str:
    tiers = [f"over {tier.above_input_tokens:,} input tokens: {_listed(tier)}" for tier in price.tiers]
    return "; ".join([_listed(price), *tiers])


def _listed(rates: Rates) -> str:
    known = {name: getattr(rates, kind) for kind, name in _KINDS.items()}
    return ", ".join(f"{name} {rate:g}" for name, rate in known.items() if rate is not None)


def _print_profiles(console: Console, chosen: Sequence[Model], profiles: Sequence[ApplicationProfile]) -> None:
    names = {model.base_id: model.name for model in chosen}
    for each in profiles:
        console.print(
            f"your profile {each.name!r}: {names[each.base_id]}, {each.routing}\n  {each.arn}", soft_wrap=True
        )


def _print_footer(console: Console, chosen: Sequence[Model], overrides: Sequence[PriceOverride]) -> None:
    """Print what the star means, and each source with its dates and kinds of facts."""
    unconfirmed = {
        f"{fact.source} ({fact.as_of})" for model in chosen for fact in model.routings.values() if not fact.value
    }
    if unconfirmed:
        console.print(f"* known only from {' or '.join(sorted(unconfirmed))}, without a Region: AWS may refuse it")
    supplied: dict[str, tuple[dict[str, None], set[str]]] = {}
    for what, _, source, as_of in (fact for model in chosen for fact in _facts(model, overrides)):
        kinds, dates = supplied.setdefault(source, ({}, set()))
        kinds[what.partition(":")[0]] = None
        dates.add(as_of)
    console.print("sources (--sources lists every fact)")
    for source, (kinds, dates) in supplied.items():
        span = min(dates) if len(dates) == 1 else f"{min(dates)} … {max(dates)}"
        console.print(f"  {source}, {span}: {', '.join(kinds)}")
