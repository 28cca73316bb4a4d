"""Stalls that are named: how often there was none, and how many of those that there were."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from worlds.in_time import STRONGLY, WORLDS, World
from worlds.tables import SEED, Row, Table, share_of

from harness.analysis.columns import Columns
from harness.analysis.stalls import FEWEST, find_stalls
from harness.analysis.stats.time_blocks import Answers

DETECTED = {
    "independent": World(),
    "independent, prompts strongly alike": World(**STRONGLY),
    "independent, heavy tail": World(request_spread=0.8),
    "80 prompts asked 3 times": World(prompts=80, repeats=3),
    "both arms at once, 2 a minute of 3 s": WORLDS["both arms at once, 2 a minute of 3 s"],
    "AR(1), 0.9 from answer to answer": World(persistence=0.9),
    "1 a minute of 4 s": World(stalls=1),
    "1 a minute of 4 s, prompts strongly alike": World(stalls=1, **STRONGLY),
    "2 a minute of 3 s": World(stalls=2, stall_s=3),
    "0.5 a minute of 15 s, 300 s": WORLDS["0.5 stalls a minute of 15 s, 300 s"],
}


def stall_rows(scale: float) -> Iterator[Row]:
    """Both arms of every drawn run: whether a stall is named, and which of the named answers are in one."""
    for name, world in DETECTED.items():
        rng = np.random.default_rng(SEED + 5)
        false, found, named, right = [], [], 0, 0
        for _ in range(max(1, int(200 * scale))):
            arms = world.draw_with_stalls(rng)
            columns = [_columns(at, answers) for at, (answers, _) in enumerate(arms)]
            for at, (_, stalled) in enumerate(arms):
                inside = find_stalls(columns[at], columns[1 - at], run_id="", together=True).requests
                if not stalled.any():
                    false.append(bool(inside.any()))
                elif (stalled & ~arms[1 - at][1]).sum() >= FEWEST:
                    found.append(bool((inside & stalled).any()))
                    named, right = named + int(inside.sum()), right + int((inside & stalled).sum())
        cells = (share_of(cell) if cell else "–" for cell in (false, found))
        yield Row(name, (*cells, f"{100 * right / named:.0f}" if named else "–"))


def _columns(at: int, answers: Answers) -> Columns:
    n, due, done = len(answers.values), answers.due_s, answers.due_s + answers.values
    prompts: npt.NDArray[np.object_] = np.array([f"p{code:04d}" for code in answers.clusters], dtype=object)
    return Columns(
        target=f"t{at}",
        request_id=prompts,
        prompt_id=prompts,
        group_id=prompts,
        repeat=np.zeros(n, dtype=np.int64),
        due_s=due,
        first_try_sent_s=due,
        sent_s=due,
        first_s=done,
        last_s=done,
        done_s=done,
        attempts=np.ones(n, dtype=np.int64),
        ok=np.ones(n, dtype=np.bool_),
        error_kind=np.full(n, None, dtype=object),
        input_tokens=np.full(n, np.nan),
        output_tokens=np.full(n, np.nan),
        cost_usd=np.full(n, np.nan),
        passed=np.full(n, np.nan),
    )


TABLES = (
    Table(
        "stalls",
        "Stalls that are named: % of arms, with its 95 % interval",
        ("world", "named in arms without one", "found in arms with one", "of the named answers, % in a stall"),
        stall_rows,
    ),
)
