"""A target against itself through the real commands, where each arm stalls at moments of its own.

    python benchmarks/stalled_runs.py                       40 runs, a stall of 4 s a minute
    python benchmarks/stalled_runs.py --ratio 1.6           the candidate 60 % slower
    python benchmarks/stalled_runs.py --stalls 2 --stall-s 3 --rounds 20

One `harness run` of 240 prompts in a minute on the embedded Bedrock; for each round a copy of its folder whose
latencies are drawn anew, and `harness gate` on it. Prints how often each metric had each verdict, and the exit codes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import duckdb
import numpy as np
from worlds.in_time import World
from worlds.tables import SEED

from harness.analysis.stats.time_blocks import Answers

PROMPTS, SECONDS = 240, 60
SUITE = f"""\
suite: stalled
targets:
  - {{model: claude-sonnet-4-6, routing: us, api: converse, label: old}}
  - {{model: claude-sonnet-4-6, routing: us, api: invoke, label: new}}
baseline: old
load: {{arrival: constant, rate: {PROMPTS // SECONDS}/s, duration: {SECONDS}s, warmup: 0}}
gate: {{pass_rate: 5pp, error_rate: 2pp, ttft_p50: 25%, ttft_p95: 25%, cost_per_request: 10%}}
prompts:
"""
ROWS = """\
COPY (
    SELECT base.* EXCLUDE (place) REPLACE (
        due_ns AS sent_ns, due_ns + ns AS headers_ns, due_ns + ns AS first_ns, due_ns + ns + 300000000 AS last_ns,
        due_ns + ns + 300001000 AS done_ns, [0::BIGINT, 300000::BIGINT] AS chunk_us
    )
    FROM (
        SELECT *, row_number() OVER (PARTITION BY target ORDER BY due_ns) - 1 AS place FROM read_parquet('{run}')
    ) AS base
    JOIN drawn USING (target, place)
) TO '{copy}' (FORMAT parquet)
"""


def harness(folder: Path, *arguments: str | Path) -> int:
    """The command's exit code."""
    line = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False).returncode


def make_run(folder: Path) -> Path:
    """A valid run of the suite."""
    prompts = (
        f'  - {{id: p{i}, prompt: "What is {i} + 7?", expect: {i + 7}, checks: [{{type: numeric}}]}}\n'
        for i in range(PROMPTS)
    )
    (folder / "stalled.yaml").write_text(SUITE + "".join(prompts))
    if harness(folder, "run", "stalled.yaml", "--quiet"):
        raise SystemExit("the run on the embedded Bedrock is not valid: try again on a quiet machine")
    (run,) = (folder / "results").glob("*/")  # beside the index
    return run


def write_copy(run: Path, copy: Path, arms: dict[str, Answers]) -> None:
    """A copy of the run whose requests have the arms' latencies, in the order in which they were due."""
    shutil.copytree(run, copy)
    with duckdb.connect() as sql:
        sql.execute("CREATE TABLE drawn (target VARCHAR, place BIGINT, ns BIGINT)")
        for target, arm in arms.items():
            rows = [(target, place, round(1e9 * value)) for place, value in enumerate(arm.values.tolist())]
            sql.executemany("INSERT INTO drawn VALUES (?, ?, ?)", rows)
        sql.execute(ROWS.format(run=run / "attempts.parquet", copy=copy / "attempts.parquet"))


def main(rounds: int, world: World) -> None:
    """Gate so many copies, and print what the gates said."""
    rng, verdicts, codes = np.random.default_rng(SEED), defaultdict[str, Counter[str]](Counter), Counter[int]()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = make_run(folder)
        for number in range(rounds):
            copy = folder / "copies" / f"{number}"
            write_copy(run, copy, dict(zip(("old", "new"), world.draw(rng), strict=True)))
            codes[harness(folder, "gate", copy)] += 1
            (comparison,) = json.loads((copy / "compare.json").read_text())["comparisons"]
            for row in comparison["differences"]:
                if not row["exploratory"]:
                    verdicts[row["metric"]][row["verdict"]] += 1
            shutil.rmtree(copy)
    for metric, counts in verdicts.items():
        print(f"{metric}: {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}")
    print(f"exit codes: {dict(sorted(codes.items()))}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A target against itself through the real commands, with stalls.")
    parser.add_argument("--rounds", type=int, default=40, help="runs to compare (default: 40)")
    parser.add_argument("--stalls", type=float, default=1.0, help="stalls a minute in each arm (default: 1)")
    parser.add_argument("--stall-s", type=float, default=4.0, help="seconds that a stall lasts (default: 4)")
    parser.add_argument("--ratio", type=float, default=1.0, help="how much slower the candidate is (default: 1)")
    args = parser.parse_args()
    main(args.rounds, World(stalls=args.stalls, stall_s=args.stall_s, ratio=args.ratio, seconds=float(SECONDS)))
