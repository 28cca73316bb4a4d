"""`harness validate`: checks a suite and shows what it would do, or every mistake in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.options import JsonOption, SuiteArgument
from harness.cli.output import print_json

if TYPE_CHECKING:
    from harness.catalog.prices import PriceOverride
    from harness.suite.outline import Outline
    from harness.suite.suite import Attachment


def validate(
    suite: SuiteArgument,
    json_output: JsonOption = False,
) -> None:
    """Check a suite and show what it would do. Sends nothing.

    If it has mistakes, lists all of them with file and line, and exits with 2.

    \b
    harness validate suites/quickstart.yaml
    """
    from harness.cli.running.overrides import load_checked
    from harness.errors import SuiteError
    from harness.load.plan import count_requests
    from harness.suite.outline import make_outline

    try:
        loaded = load_checked(suite)
    except SuiteError as error:
        if not json_output:
            raise
        print_json({"mistakes": [str(each) for each in error.mistakes]})
        raise typer.Exit(error.exit_code) from None
    outline, requests = make_outline(loaded), count_requests(loaded, seed=1)
    if json_output:
        import msgspec

        print_json({**msgspec.structs.asdict(outline), "requests": requests})
    else:
        _print_outline(outline, requests)


def _print_outline(outline: Outline, requests: dict[str, int] | None) -> None:
    typer.echo(f"{outline.suite}: the suite is valid (digest {outline.digest}, endpoint {outline.endpoint})\n")
    _print_targets(outline)
    if outline.baseline is not None:
        typer.echo(f"baseline  {outline.baseline}")
    by_tag = f" ({_counts(outline.tags)})" if outline.tags else ""
    typer.echo(f"prompts   {outline.prompts}{by_tag}")
    typer.echo(f"longest   about {outline.longest_tokens:,} input tokens")
    if outline.attachments:
        typer.echo(f"files     {', '.join(_attachment(each) for each in outline.attachments)}")
    typer.echo(f"checks    {_counts(outline.checks) or 'none'}")
    for name, model_id in outline.judges.items():
        typer.echo(f"judge     {name}: {model_id}")
    typer.echo(f"load      {outline.load}")
    typer.echo(f"requests  {_requests(requests)}")
    for price in outline.prices:
        typer.echo(f"price     {_price(price)}")
    for note in outline.notes:
        typer.echo(f"note: {note}")
    for warning in outline.warnings:
        typer.echo(f"warning: {warning}", err=True)


def _print_targets(outline: Outline) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("target, model id", "client", "Region"):
        table.add_column(heading, overflow="fold")
    for target in outline.targets:
        names = Text.assemble((target.name, "bold"), f"\n  {target.model_id}")
        table.add_row(names, Text(target.client), Text(target.region))
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print()


def _attachment(attachment: Attachment) -> str:
    """`pdf/quarterly.pdf (28 kB, 3 pages)`."""
    pages = "" if attachment.pages is None else f", {attachment.pages} page{'s' if attachment.pages != 1 else ''}"
    return f"{attachment.name} ({max(round(attachment.size / 1000), 1):,} kB{pages})"


def _price(price: PriceOverride) -> str:
    """`claude-haiku-4-5/us: 1 in, 5 out, USD per million tokens (yours)`."""
    model = price.model if price.routing is None else f"{price.model}/{price.routing}"
    model = " ".join(filter(None, (model, price.terms.qualifier())))
    tiers = "".join(
        f"; above {tier.above_input_tokens:,}: {tier.input:g} in, {tier.output:g} out" for tier in price.tiers
    )
    return f"{model}: {price.input:g} in, {price.output:g} out{tiers}, USD per million tokens (yours)"


def _requests(requests: dict[str, int] | None) -> str:
    if requests is None:
        return "as many as the duration allows"
    return f"{sum(requests.values())} ({_counts(requests)})"


def _counts(counted: dict[str, int]) -> str:
    """`{"exact": 3, "regex": 1}` → `3 exact, 1 regex`."""
    return ", ".join(f"{count} {name}" for name, count in counted.items())
