"""Checks the account that a suite will use, and prints the diagnoses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.characters import printable
from harness.endpoints.account.account import open_account
from harness.endpoints.address import aws_settings_restored, forget_aws, is_loopback
from harness.errors import RunInvalid
from harness.load.preflight.checks import examine
from harness.load.preflight.facts import Diagnosis, has_no_problem
from harness.secrets import redact
from harness.suite.suite import Suite

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "bold red"), "unknown": ("?", "cyan")}


def diagnose(suite: Suite) -> list[Diagnosis]:
    """Check the account at the suite's endpoint (`aws` or a URL). BadCredentials, AccountError: it cannot be read."""
    with aws_settings_restored():
        if is_loopback(suite.endpoint):
            forget_aws()
        return asyncio.run(examine(suite, lambda region: open_account(suite.endpoint, region=region)))


def check_before_run(suite: Suite) -> None:
    """Print the account's warnings and problems. RunInvalid: the run would be invalid or incomplete."""
    diagnoses = diagnose(suite)
    bad = [each for each in diagnoses if each.status in ("warning", "problem")]
    if bad:
        print_diagnoses(bad, Console(stderr=True, highlight=False, markup=False))
    if not has_no_problem(diagnoses):
        raise RunInvalid("the account is not ready for this run; nothing was sent (--no-preflight skips this check)")


def print_diagnoses(diagnoses: Sequence[Diagnosis], console: Console) -> None:
    """Print a block for the account and one for each target: mark, check, result and remedy."""
    for target, group in groupby(diagnoses, key=lambda each: each.target):
        console.print(Text(printable(target or "account"), style="bold"), soft_wrap=True)
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for each in group:
            mark, style = MARKS[each.status]
            text = Text(printable(redact(each.message)))  # before wrapping, which could split a secret
            if each.remedy and each.status != "ok":
                text.append(f"\n→ {printable(each.remedy)}", style="italic")
            table.add_row(Text(f"  {mark}", style=style), Text(each.check), text)
        console.print(table)
