"""What a book shows and what its record lacks, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from harness.analysis.answers.sample import Kind, Sample
from harness.characters import counted
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

_CHOSEN: dict[Kind, str] = {
    "flips": "in which an answer changed against the baseline's",
    "failures": "with errors or failed checks, spread over kinds and targets",
    "slowest": "of the slowest",
    "random": "at random",
}


def describe_sample(sample: Sample, shown: int, total: int) -> str:
    """How the sample was drawn, in one sentence; a question is a prompt and a repeat."""
    parts = [f"{len(units):,} {_CHOSEN[kind]}" for kind, units in sample.units.items() if units]
    return (
        f"{shown:,} of {total:,} answers are shown, every target's to each of "
        f"{counted(len(sample.questions), 'question')}: {', '.join(parts)}."
    )


def missing(con: duckdb.DuckDBPyConnection, folder: RunFolder, suite: Suite, *, compared: bool) -> Iterator[str]:
    """What the record lacks, a sentence each. `compared`: only some targets and prompts of the runs are in the book."""
    answered, stored, scored, graded = _fetch(
        con,
        "select count(*) filter (ok), count(*) filter (ok and stored), count(passed), count(*) filter (graded)"
        " from requests",
    )
    if stored < answered:
        why = "" if suite.load.store_text is None else f": `store_text` is {suite.load.store_text:g}"
        yield f"The texts of {answered - stored:,} of {answered:,} answers were not stored{why}."
    if answered and not scored:
        if suite.load.store_text == 0:
            yield "No answer is scored, as none is stored."
        elif not any(prompt.checks for prompt in suite.prompts):
            yield "No answer is scored: no prompt has a check."
        else:
            yield f"No answer is scored; `harness report {folder.path}` grades the answers."
    if compared:
        return
    foreign = count(con, "prompts") - len(suite.prompts)
    if foreign:
        yield f"The suite lacks {counted(foreign, 'prompt')} of the run, listed by id alone."
    (others,) = _fetch(con, "select count(distinct request_id) from measured anti join arms using (run_id, target)")
    if others:
        yield f"Left out: {counted(others, 'request')} to targets that the suite does not have."
    orphans = count(con, "verdicts") - graded
    if orphans > 0:
        yield f"Left out: the scores of {counted(orphans, 'request')} of which the run has no measured attempt."


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows in a table."""
    return _fetch(con, f"select count(*) from {table}")[0]


def _fetch(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return row
