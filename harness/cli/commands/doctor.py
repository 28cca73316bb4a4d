"""`harness doctor`: who am I, what may I call, and would this suite run as it is meant to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.characters import printable
from harness.cli.places import local_path
from harness.errors import HarnessError, RunInvalid

if TYPE_CHECKING:
    from rich.console import Console

    from harness.load.preflight.facts import CallableModel, Diagnosis
    from harness.suite.suite import Suite

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red"), "unknown": ("?", "cyan")}


def doctor(
    suite: Annotated[
        Path | None,
        typer.Argument(help="Look at what this suite needs, target by target.", show_default=False, parser=local_path),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="aws or a URL. Default: the suite's, if it is one of them, else aws.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Without a suite: the Region to look at.", show_default=False)
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check credentials, model access, quotas and invocation logging. Sends no prompt, costs nothing.

    \b
    harness doctor
    harness doctor suites/quickstart.yaml
    harness doctor --region eu-central-1 --json

    Exit codes: 0 no problem found (warnings and unknowns are told) · 2 no usable credentials, or bad input · 4 a
    problem that would make a run invalid or incomplete.
    """
    import asyncio

    if endpoint == "simulator":
        raise HarnessError("--endpoint simulator: there is no account to look at; give aws or a URL")
    if suite is None:
        found, models = asyncio.run(_look_around(endpoint or "aws", region))
    else:
        if region is not None:
            raise HarnessError("--region is for a look without a suite; in a suite each target has its own `region`")
        found, models = asyncio.run(preflight(_load(suite, endpoint))), None
    if json_output:
        _print_json(found, models)
    else:
        _print(found, models)
    raise typer.Exit(_exit_code(found))


async def preflight(suite: Suite) -> list[Diagnosis]:
    """Everything there is to say of a suite before it is run at its endpoint (`aws` or a URL).

    BadCredentials, AccountError: the account cannot be asked at all.
    """
    from harness.endpoints.account.account import open_account
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.load.preflight.checks import examine

    if is_loopback(suite.endpoint):
        forget_aws()
    return await examine(suite, lambda region: open_account(suite.endpoint, region=region))


def check_before_run(suite: Suite) -> None:
    """Say on stderr what is not well with the account; RunInvalid when the run would be invalid or incomplete."""
    import asyncio

    from rich.console import Console

    from harness.load.preflight.facts import is_fit

    found = asyncio.run(preflight(suite))
    worth_telling = [each for each in found if each.status in ("warning", "problem")]
    if worth_telling:
        print_diagnoses(worth_telling, Console(stderr=True, highlight=False, markup=False))
    if not is_fit(found):
        raise RunInvalid(
            "the account is not ready for this run; nothing was sent (--no-preflight runs it all the same)"
        )


def print_diagnoses(diagnoses: Sequence[Diagnosis], console: Console) -> None:
    """A block for the account and one for each target: mark, check, what was found, and below it what to do."""
    from rich.table import Table
    from rich.text import Text

    from harness.secrets import redact

    for target, group in groupby(diagnoses, key=lambda each: each.target):
        console.print(Text(printable(target or "account"), style="bold"), soft_wrap=True)
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for each in group:
            mark, style = MARKS[each.status]
            told = Text(printable(redact(each.told)))  # before a line is broken in the middle of it
            if each.remedy and each.status != "ok":
                told.append(f"\n→ {printable(each.remedy)}", style="italic")
            table.add_row(Text(f"  {mark}", style=style), Text(each.check), told)
        console.print(table)


def _load(path: Path, endpoint: str | None) -> Suite:
    """The suite at the endpoint to look at; its own `simulator` stands for no account."""
    from harness.cli.running.overrides import Overrides, load_for_run

    loaded = load_for_run(path, Overrides(endpoint=endpoint))
    return load_for_run(path, Overrides(endpoint="aws")) if loaded.endpoint == "simulator" else loaded


async def _look_around(endpoint: str, region: str | None) -> tuple[list[Diagnosis], list[CallableModel]]:
    """The account in one Region: identity, logging, and the models that can be called."""
    from harness.catalog.regions import USUAL_REGION
    from harness.endpoints.account.account import configured_region, open_account
    from harness.endpoints.account.errors import AccountError
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.load.preflight.checks import diagnose_identity, diagnose_logging
    from harness.load.preflight.facts import Diagnosis, callable_models, gather_facts, unknown

    if is_loopback(endpoint):
        forget_aws()
    named = region or configured_region()
    async with open_account(endpoint, region=named or USUAL_REGION) as account:
        found = [await diagnose_identity(account)]
        facts = await gather_facts(account, [])
    told = facts.region if named else f"{facts.region}, since nothing names one (--region, AWS_REGION, AWS config)"
    found.append(Diagnosis(check="region", status="ok", told=told))
    found.append(diagnose_logging(facts))
    models = callable_models(facts)
    unlisted = [each for each in (facts.models, facts.profiles) if isinstance(each, AccountError)]
    found.extend(unknown("models", each) for each in unlisted)
    return found, models


def _print(found: Sequence[Diagnosis], models: Sequence[CallableModel] | None) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    print_diagnoses(found, console)
    if models:
        _print_models(models, console)
    counts = {status: sum(each.status == status for each in found) for status in ("problem", "warning", "unknown")}
    said = ", ".join(f"{count} {status}{'s' * (count > 1)}" for status, count in counts.items() if count)
    console.print(f"\n{said or 'all good'}")


def _print_models(models: Sequence[CallableModel], console: Console) -> None:
    from rich.text import Text

    console.print(Text("models that can be called", style="bold"))
    for each in models:
        legacy = "" if each.status == "ACTIVE" else f" ({printable(each.status.lower())})"
        bare = " · on demand" if each.on_demand else ""
        console.print(Text(f"  {printable(each.base_id)}{legacy}{bare}"), soft_wrap=True)
        for profile in each.profiles:
            console.print(Text(f"    {printable(profile)}"), soft_wrap=True)


def _print_json(found: Sequence[Diagnosis], models: Sequence[CallableModel] | None) -> None:
    import msgspec

    said = {"diagnoses": found} if models is None else {"diagnoses": found, "models": models}
    typer.echo(msgspec.json.format(msgspec.json.encode(said), indent=2).decode())


def _exit_code(found: Sequence[Diagnosis]) -> int:
    from harness.load.preflight.facts import is_fit

    return 0 if is_fit(found) else RunInvalid.exit_code
