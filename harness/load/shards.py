"""Parts of a load for several processes: each a fixed selection of one plan, so that together they are all of it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.errors import HarnessError
from harness.load.limits import budget_mistakes
from harness.load.plan import Round
from harness.suite.suite import Quota, Suite


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One of `of` parts: the rounds whose index leaves `index` when divided by `of`."""

    index: int = 0
    of: int = 1

    def select(self, plan: Iterator[Round]) -> Iterator[Round]:
        """The rounds of this part, in their order. The parts of a plan are disjoint, and their union is the plan."""
        return (each for each in plan if each.index % self.of == self.index)

    def count(self, whole: int) -> int:
        """How many of the first `whole` rounds, or of `whole` slots, are this part's."""
        return len(range(self.index, whole, self.of))

    def part_of(self, suite: Suite) -> Suite:
        """The suite with this part's slots and caps. Its plan is still the whole one: `select` takes the part."""
        in_flight = suite.load.max_in_flight
        load = msgspec.structs.replace(
            suite.load,
            concurrency=self.count(suite.load.concurrency),
            max_in_flight=None if in_flight is None else self.count(in_flight),
        )
        return msgspec.structs.replace(suite, load=load, quota=self._share(suite.quota))

    def _share(self, quota: Quota) -> Quota:
        caps = {name: cap / self.of for name, cap in msgspec.structs.asdict(quota).items() if cap is not None}
        return msgspec.structs.replace(quota, **caps)


def make_shards(suite: Suite, workers: int) -> list[Shard]:
    """One part a worker. HarnessError: fewer slots than workers, so that some would have nothing to do."""
    key = "concurrency" if suite.load.arrival == "closed" else "max_in_flight"
    slots = getattr(suite.load, key)
    if slots is not None and workers > slots:
        raise HarnessError(
            f"--workers {workers}: the load has {slots} slots (load.{key}), and every worker needs one of its own; ask "
            "for fewer workers"
        )
    if workers > 1 and any(budget_mistakes(Shard(of=workers).part_of(suite))):
        raise HarnessError(
            f"--workers {workers}: a worker's share of quota.tokens_per_minute is less than one request takes; ask for "
            "fewer workers"
        )
    return [Shard(index=index, of=workers) for index in range(workers)]
