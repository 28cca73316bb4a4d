"""The workers' shares of the budget: each spends its own, gives back what others need, and is granted more."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.load.limits.budget import Budget, budget_spent
from harness.load.stop import Reason


class ShareReport(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's share, in nanodollars."""

    spent: int = 0
    reserved: int = 0
    """For attempts in flight."""
    free: int = 0
    wanted: int = 0
    """By an attempt that waits, or 0."""
    given_back: int = 0
    """In all. Less what attempts cost more than they had reserved, which the worker took by itself."""


class Grant(msgspec.Struct, frozen=True):
    """An order to a worker: its share grows by so many nanodollars."""

    amount: int


class GiveBack(msgspec.Struct, frozen=True):
    """An order to a worker: another one needs so many nanodollars."""

    needed: int


class Share:
    """A worker's share, kept by the worker."""

    def __init__(self, amount: int) -> None:
        self.budget = Budget(amount, shared=True)
        self._granted = amount

    def obey(self, order: Grant | GiveBack) -> None:
        if isinstance(order, Grant):
            self._granted += order.amount
            self.budget.grant(order.amount)
        else:
            self.budget.give_back(order.needed)

    def report(self) -> ShareReport:
        budget = self.budget
        return ShareReport(
            spent=budget.spent,
            reserved=budget.reserved,
            free=budget.free,
            wanted=budget.wanted,
            given_back=self._granted - budget.limit,
        )


class Shares:
    """The shares of all workers, kept by the main process. Together with what it holds itself they are the budget.

    A share is what was granted less what was given back, so a report that is late makes it look larger, and smaller
    only by what attempts cost more than they had reserved.
    """

    def __init__(self, budget: Budget, workers: int) -> None:
        self._limit = budget.limit
        self._spent_before = budget.spent
        self._granted = [max(0, budget.limit - budget.spent) // workers] * workers
        self._latest = [ShareReport() for _ in range(workers)]

    @property
    def first(self) -> list[int]:
        """What each worker starts with."""
        return list(self._granted)

    @property
    def spent(self) -> int:
        """By all workers and before, as far as is known."""
        return self._spent_before + sum(each.spent for each in self._latest)

    def end(self, worker: int) -> None:
        """What an ended worker has not spent is free again."""
        report = self._latest[worker]
        self._granted[worker] = report.spent + report.given_back
        self._latest[worker] = msgspec.structs.replace(report, free=0, wanted=0)

    def update(self, worker: int, report: ShareReport) -> Iterator[tuple[int, Grant | GiveBack]]:
        """Take in a worker's report; yields the orders that follow, each with its worker."""
        self._latest[worker] = report
        short = next((at for at, each in enumerate(self._latest) if each.wanted > each.free), None)
        if short is None:
            return
        missing = self._latest[short].wanted - self._latest[short].free
        given_back = sum(each.given_back for each in self._latest)
        held = self._limit - self._spent_before - sum(self._granted) + given_back
        if held >= missing:
            amount = max(missing, held // len(self._latest))
            self._granted[short] += amount
            yield self._ordered(short, Grant(amount))
            return
        for at, each in enumerate(self._latest):
            if at != short and each.free > 0:
                yield self._ordered(at, GiveBack(missing - held))

    def why_spent(self) -> Reason | None:
        """Why the load ends: what is left, with all that is reserved, cannot pay an attempt that waits."""
        left = self._limit - self.spent
        wanted = next((each.wanted for each in self._latest if each.wanted > left), None)
        return None if wanted is None else budget_spent(self._limit, self.spent, wanted)

    def _ordered(self, worker: int, order: Grant | GiveBack) -> tuple[int, Grant | GiveBack]:
        """The order with its worker, which neither needs nor gives more until it reports again."""
        self._latest[worker] = msgspec.structs.replace(self._latest[worker], free=0, wanted=0)
        return worker, order
