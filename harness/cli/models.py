"""`harness models`: the catalog as a table or as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.catalog.models import Model
    from harness.catalog.prices import Price, Rates
    from harness.catalog.sources import Fact


def models(
    name: Annotated[
        str | None, typer.Argument(help="Only models with this in their name; a profile id or an ARN does, too.")
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", help="Every fact with its source and date.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Everything that is known, as JSON.")] = False,
) -> None:
    """List the Claude models: where each is offered, until when, and what it costs. Sends nothing.

    \b
    harness models
    harness models sonnet-4-5 --sources
    harness models --json
    """
    chosen = _choose(name)
    if json_output:
        typer.echo(_json(chosen))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if sources:
        _print_facts(console, chosen)
    else:
        console.print(_table(chosen))
        _print_footer(console, chosen)


def _choose(name: str | None) -> list[Model]:
    """The models with this text in a name or id; CatalogError with the nearest names where there are none."""
    from harness.catalog.models import find_model, known_models
    from harness.catalog.names import read_reference

    if name is None:
        return list(known_models())
    text = read_reference(name).model
    found = [each for each in known_models() if any(text in key for key in (each.base_id, *each.aliases))]
    return found or [find_model(text)]


def _json(chosen: list[Model]) -> str:
    import msgspec

    from harness.catalog.prices import price_for, regional_premium

    listed = [
        {
            "name": model.name,
            "base_id": model.base_id,
            **msgspec.structs.asdict(model),
            "prices": {routing: price_for(model.base_id, routing) for routing in model.routings},
            "regional_premium": regional_premium(model.base_id),
        }
        for model in chosen
    ]
    return msgspec.json.format(msgspec.json.encode({"models": listed}), indent=2).decode()


def _new_table(**options: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", **options)  # type: ignore[arg-type]


def _table(chosen: list[Model]) -> Table:
    """Three lines a model: fits 80 columns."""
    table = _new_table(title="tokens: context / longest output · prices: USD per MTok, input / output")
    table.add_column("model, base id, lifecycle", no_wrap=True)
    table.add_column("offered, tokens")
    table.add_column("global,\nregional", justify="right", no_wrap=True)
    for model in chosen:
        names = _names(model).append(f"\n  {_lifecycle(model)}")
        table.add_row(names, f"{_offered(model)}\n{_limits(model)}", "\n".join(_price_cells(model)))
    return table


def _names(model: Model) -> Text:
    from rich.text import Text

    return Text.assemble((model.name, "bold"), f"\n  {model.base_id}")


def _offered(model: Model) -> str:
    """The routings; a star marks those for which no source names a Region."""
    return " ".join(routing if fact.value else f"{routing}*" for routing, fact in model.routings.items())


def _lifecycle(model: Model) -> str:
    steps = [f"deprecated {model.deprecated.value}"] if model.deprecated else []
    steps += [f"legacy {model.legacy.value}"] if model.legacy else []
    steps += [f"ends {model.end_of_life.value}"] if model.end_of_life else []
    if not model.status or any(step.startswith(model.status.value) for step in steps):
        return ", ".join(steps)
    listed = any(fact.value for fact in model.routings.values())
    status = model.status.value if listed else f"{model.status.value} ({model.status.as_of})"
    return ", ".join([status, *steps])


def _limits(model: Model) -> str:
    return f"{_tokens(model.context_window)} / {_tokens(model.max_output)}"


def _tokens(fact: Fact[int] | None) -> str:
    if fact is None:
        return "–"
    return f"{fact.value // 1_000_000}M" if fact.value >= 1_000_000 else f"{fact.value // 1000}K"


def _prices(model: Model) -> tuple[Price | None, Price | None]:
    """The global and the regional price, each only where the model has such an endpoint."""
    from harness.catalog.prices import price_for

    regional = next((routing for routing in model.routings if routing != "global"), None)
    return (
        price_for(model.base_id, "global") if "global" in model.routings else None,
        price_for(model.base_id, regional) if regional else None,
    )


def _price_cells(model: Model) -> tuple[str, str]:
    """The global price; the regional one with its premium below."""
    from harness.catalog.prices import regional_premium

    worldwide, regional = (_price_cell(price) for price in _prices(model))
    premium = regional_premium(model.base_id)
    return worldwide, regional if premium is None else f"{regional}\n{premium:+.0%}"


def _price_cell(price: Price | None) -> str:
    """A plus marks a price that rises with the input's length."""
    return f"{_rates(price)}{'+' if price.tiers else ''}" if price else "–"


def _rates(rates: Rates) -> str:
    return f"{rates.input:g} / {rates.output:g}"


def _facts(model: Model) -> Iterator[tuple[str, str, str, str]]:
    """(what, value, source, as of) of everything that is known of a model."""
    for routing, fact in model.routings.items():
        yield f"offered: {routing}", ", ".join(fact.value) or "no Region named", fact.source, fact.as_of
    for what in ("status", "deprecated", "legacy", "extended_access", "end_of_life", "context_window", "max_output"):
        if known := getattr(model, what):
            yield what.replace("_", " "), str(known.value), known.source, known.as_of
    for kind, price in zip(("global", "regional"), _prices(model), strict=True):
        if price:
            yield f"price: {kind}", _all_rates(price), price.source, price.as_of or "undated"


def _all_rates(price: Price) -> str:
    named = {
        "input": price.input,
        "output": price.output,
        "cache write 5 min": price.cache_write_5m,
        "cache write 1 h": price.cache_write_1h,
        "cache read": price.cache_read,
    }
    tiers = [f"over {tier.above_input_tokens} input tokens {_rates(tier)}" for tier in price.tiers]
    return ", ".join([*(f"{kind} {rate:g}" for kind, rate in named.items() if rate is not None), *tiers])


def _print_facts(console: Console, chosen: list[Model]) -> None:
    for model in chosen:
        table = _new_table(title=f"{model.name} · {model.base_id}", title_justify="left")
        table.add_column("fact", no_wrap=True)
        table.add_column("value", ratio=3)
        table.add_column("source, as of", ratio=2)
        for what, value, source, as_of in _facts(model):
            table.add_row(what, value, f"{source}, {as_of}")
        console.print(table)


def _print_footer(console: Console, chosen: list[Model]) -> None:
    """What the marks mean; which source supplied what, of which date."""
    unconfirmed = [fact for model in chosen for fact in model.routings.values() if not fact.value]
    if unconfirmed:
        origin = f"{unconfirmed[0].source} ({unconfirmed[0].as_of})"
        console.print(f"* known from {origin} alone, without a Region: AWS may refuse it")
    for model in chosen:
        for kind, price in zip(("global", "regional"), _prices(model), strict=True):
            for tier in price.tiers if price else ():
                console.print(f"+ {model.name} {kind}: {_rates(tier)} over {tier.above_input_tokens:,} input tokens")
    supplied: dict[str, tuple[dict[str, None], set[str]]] = {}
    for what, _, source, as_of in (fact for model in chosen for fact in _facts(model)):
        kinds, dates = supplied.setdefault(source, ({}, set()))
        kinds[what.partition(":")[0]] = None
        dates.add(as_of)
    console.print("sources (fact by fact: --sources)")
    for source, (kinds, dates) in supplied.items():
        span = min(dates) if len(dates) == 1 else f"{min(dates)} … {max(dates)}"
        console.print(f"  {source}, {span}: {', '.join(kinds)}")
