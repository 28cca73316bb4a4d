"""Does the verdict keep its promises? Simulated runs, the harness's own analysis, no network.

    python benchmarks/verdicts.py                  every table, about ten minutes on one core
    python benchmarks/verdicts.py --only in-time   one table, or several
    python benchmarks/verdicts.py --quick          a few rounds of everything, to see that it runs

Three promises: a comparison of a target with itself says `worse` or `better` in at most 5 % of families, also where
answers near in time are slow together; each interval covers the truth in 93 to 97 % of samples (95 nominal); a known
difference is found as often as the formulas say. Where a table has more than 97 %, the interval is wider than it need
be, and the verdict is `inconclusive` more often. The tables are in `worlds/`, one file a promise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from worlds import (
    best_of,
    bills,
    bursts,
    churn,
    coverage,
    dry_run,
    families,
    in_time,
    judges,
    nights,
    own_quantiles,
    power,
    remedies,
    stalls,
    two_runs,
)
from worlds.tables import Row

MODULES = (
    *(coverage, bills, families, in_time, bursts, stalls, two_runs, nights, churn, own_quantiles, judges),
    *(power, dry_run, best_of, remedies),
)
TABLES = {table.key: table for module in MODULES for table in module.TABLES}


def main(scale: float = 1.0, only: Sequence[str] = ()) -> dict[str, list[Row]]:
    """Run the tables and print them; returns the rows by table."""
    return {key: table.print(scale) for key, table in TABLES.items() if not only or key in only}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure coverage, false alarms and power of the verdicts.")
    parser.add_argument("--quick", action="store_true", help="a few rounds of everything")
    parser.add_argument("--only", action="append", default=[], choices=list(TABLES), help="this table (repeatable)")
    parser.add_argument("--scale", type=float, default=1.0, help="the share of the rounds to run (default: 1)")
    args = parser.parse_args()
    main(0.01 if args.quick else args.scale, args.only)
