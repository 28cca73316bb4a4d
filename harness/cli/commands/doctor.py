"""`harness doctor`: whether the account or a policy is ready, and a suite ready to run on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.characters import printable
from harness.cli.options import JsonOption
from harness.cli.output import print_json
from harness.cli.places import local_path
from harness.errors import HarnessError, RunInvalid

if TYPE_CHECKING:
    from rich.console import Console

    from harness.load.preflight.facts import CallableModel, Diagnosis
    from harness.suite.suite import Suite


def doctor(
    suite: Annotated[
        Path | None, typer.Argument(help="Check what each target of this suite needs.", parser=local_path)
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="aws or a URL. Default: the suite's endpoint, or aws if that is the simulator.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Region to check; only without a suite.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Check this IAM policy instead of the account: what it lacks, and what it grants beyond need.",
            parser=local_path,
        ),
    ] = None,
    print_policy: Annotated[
        bool, typer.Option("--print-policy", help="Print the least IAM policy with which this suite runs.")
    ] = False,
    results: Annotated[
        str | None,
        typer.Option(metavar="s3://BUCKET/PREFIX", help="With a policy: where results are kept, if not on a disk."),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Check credentials, model access, quotas and invocation logging. Sends no prompts and costs nothing.

    \b
    harness doctor
    harness doctor suites/quickstart.yaml
    harness doctor --region eu-central-1 --json
    harness doctor suites/quickstart.yaml --print-policy > policy.json
    harness doctor suites/quickstart.yaml --policy policy.json

    With --policy and --print-policy, AWS is asked nothing.

    Exit codes: 0 no problem (there may be warnings and unknowns) · 2 no usable credentials, or bad input · 4 a problem
    that would make a run invalid or incomplete.
    """
    if endpoint == "simulator":
        raise HarnessError("--endpoint simulator: the simulator has no account to check; use aws or a URL")
    if policy is not None or print_policy or results is not None:
        raise typer.Exit(_policy(suite, endpoint, policy, results, print_policy=print_policy, as_json=json_output))
    if suite is None:
        import asyncio

        diagnoses, models = asyncio.run(_diagnose_account(endpoint or "aws", region))
    else:
        if region is not None:
            raise HarnessError("--region cannot be used with a suite: each target has its own `region`")
        from harness.cli.running.preflight import diagnose

        diagnoses, models = diagnose(_load(suite, endpoint)), None
    if json_output:
        print_json({"diagnoses": diagnoses} if models is None else {"diagnoses": diagnoses, "models": models})
    else:
        _print(diagnoses, models)
    raise typer.Exit(_exit_code(diagnoses))


def _policy(
    suite: Path | None,
    endpoint: str | None,
    policy: Path | None,
    results: str | None,
    *,
    print_policy: bool,
    as_json: bool,
) -> int:
    """Check an IAM policy, or print the least one; returns the exit code."""
    from harness.load.preflight.permissions import permissions_of
    from harness.load.preflight.policy import check_policy, least_policy, policy_json, read_policy

    if suite is None:
        raise HarnessError("name a suite: what a policy must grant depends on its targets")
    if (policy is None) != print_policy:
        raise HarnessError("use either --policy FILE or --print-policy" + (" with --results" if results else ""))
    needed = permissions_of(_load(suite, endpoint), results)
    if policy is None:
        print(policy_json(least_policy(needed)))
        return 0
    diagnoses = check_policy(read_policy(policy), needed)
    if as_json:
        print_json({"diagnoses": diagnoses})
    else:
        _print(diagnoses, None)
    return _exit_code(diagnoses)


def _load(path: Path, endpoint: str | None) -> Suite:
    """The suite at the endpoint to check: aws in place of the simulator, which has no account."""
    from harness.cli.running.overrides import Overrides, load_for_run

    loaded = load_for_run(path, Overrides(endpoint=endpoint))
    return load_for_run(path, Overrides(endpoint="aws")) if loaded.endpoint == "simulator" else loaded


async def _diagnose_account(endpoint: str, region: str | None) -> tuple[list[Diagnosis], list[CallableModel]]:
    """Check identity and logging of the account in one Region, and list the models that it can call."""
    from harness.catalog.regions import DEFAULT_REGION
    from harness.endpoints.account.account import configured_region, open_account
    from harness.endpoints.account.errors import AccountError
    from harness.endpoints.address import forget_aws, is_loopback
    from harness.load.preflight.checks import diagnose_identity, diagnose_logging
    from harness.load.preflight.facts import Diagnosis, callable_models, gather_facts, unknown

    if is_loopback(endpoint):
        forget_aws()
    named = region or configured_region()
    async with open_account(endpoint, region=named or DEFAULT_REGION) as account:
        diagnoses = [await diagnose_identity(account)]
        facts = await gather_facts(account, [])
    where = facts.region if named else f"{facts.region}, the default (set --region, AWS_REGION or the AWS config)"
    diagnoses.append(Diagnosis(check="region", status="ok", message=where))
    diagnoses.append(diagnose_logging(facts))
    models = callable_models(facts)
    unlisted = [each for each in (facts.models, facts.profiles) if isinstance(each, AccountError)]
    diagnoses.extend(unknown("models", each) for each in unlisted)
    return diagnoses, models


def _print(diagnoses: Sequence[Diagnosis], models: Sequence[CallableModel] | None) -> None:
    from rich.console import Console

    from harness.cli.running.preflight import print_diagnoses

    console = Console(highlight=False, markup=False)
    print_diagnoses(diagnoses, console)
    if models:
        _print_models(models, console)
    counts = {status: sum(each.status == status for each in diagnoses) for status in ("problem", "warning", "unknown")}
    summary = ", ".join(f"{count} {status}{'s' * (count > 1)}" for status, count in counts.items() if count)
    console.print(f"\n{summary or 'all good'}")


def _print_models(models: Sequence[CallableModel], console: Console) -> None:
    from rich.text import Text

    console.print(Text("models that can be called", style="bold"))
    for each in models:
        legacy = "" if each.status == "ACTIVE" else f" ({printable(each.status.lower())})"
        bare = " · on demand" if each.on_demand else ""
        console.print(Text(f"  {printable(each.base_id)}{legacy}{bare}"), soft_wrap=True)
        for profile in each.profiles:
            console.print(Text(f"    {printable(profile)}"), soft_wrap=True)


def _exit_code(diagnoses: Sequence[Diagnosis]) -> int:
    from harness.load.preflight.facts import has_no_problem

    return 0 if has_no_problem(diagnoses) else RunInvalid.exit_code
