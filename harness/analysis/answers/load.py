"""Loads the book of one run, or of the runs of a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing

import duckdb
import msgspec

from harness.analysis.answers.book import AnswerBook, AskedPrompt, BookArm, Cell, ReadAnswer
from harness.analysis.answers.notes import count, describe_sample, missing
from harness.analysis.answers.prompts import asked_prompts, own_systems
from harness.analysis.answers.read import choose_rows, read_answers
from harness.analysis.answers.requests import Arms, make_tables
from harness.analysis.answers.sample import MOST_ANSWERS, choose
from harness.analysis.compare.comparison import CompareReport
from harness.errors import StoreError
from harness.scoring.judgements import read_judgements
from harness.store.parquet import DUCKDB_ERRORS
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

MOST_PROMPTS = 5_000
MOST_CELLS = 100_000
"""With more prompts, or more prompts × arms, only the prompts whose answers are shown are listed."""


def load_book(folder: RunFolder, suite: Suite, *, most: int = MOST_ANSWERS, most_cells: int = MOST_CELLS) -> AnswerBook:
    """The measured answers of a run, all of its suite's targets side by side; at most about `most`.

    `most_cells`: with more prompts × targets, only the prompts whose answers are shown are listed.
    Without `scores.parquet` no answer is scored. StoreError: the run's files cannot be read.
    """
    names = [target.name for target in suite.targets]
    base = names.index(suite.baseline) if suite.baseline in names else None
    arms = [
        BookArm(
            target=target.name,
            baseline=at == base,
            against=base if at != base else None,
            system=system,
        )
        for at, (target, system) in enumerate(zip(suite.targets, own_systems(suite), strict=True))
    ]
    run_id = folder.read_manifest().run_id
    return _load([folder], Arms(arms, [run_id] * len(arms)), suite, most, most_cells, compared=False)


def compare_book(
    report: CompareReport,
    suite: Suite,
    baseline: RunFolder,
    candidate: RunFolder | None = None,
    *,
    most: int = MOST_ANSWERS,
) -> AnswerBook:
    """The answers of what a report compares: each candidate beside its baseline, changed prompts first.

    `suite`: the candidates'. `candidate`: their run, if it is another than the baseline's. Prompts of only one side are
    left out. StoreError: a run's files cannot be read.
    """
    folders = [baseline] if candidate is None else [baseline, candidate]
    only_candidate = {prompt for each in report.comparisons for prompt in each.only_candidate}
    shared = msgspec.structs.replace(suite, prompts=tuple(p for p in suite.prompts if p.id not in only_candidate))
    return _load(folders, _compared_arms(report), shared, most, MOST_CELLS, compared=True)


def _compared_arms(report: CompareReport) -> Arms:
    """Each baseline once, before its first candidate."""
    places: dict[tuple[str, str], int] = {}
    against: dict[int, int] = {}
    for each in report.comparisons:
        base, candidate = (
            places.setdefault((arm.run_id, arm.target), len(places)) for arm in (each.baseline, each.candidate)
        )
        against[candidate] = base
    several = len({run_id for run_id, _ in places}) > 1
    arms = [
        BookArm(
            target=target,
            run_id=run_id if several else "",
            baseline=at in against.values(),
            against=against.get(at),
        )
        for at, (run_id, target) in enumerate(places)
    ]
    return Arms(arms, [run_id for run_id, _ in places])


def _load(
    folders: Sequence[RunFolder], arms: Arms, suite: Suite, most: int, most_cells: int, *, compared: bool
) -> AnswerBook:
    judgements = {
        folder.read_manifest().run_id: list(read_judgements(folder.judgements_path)) if suite.graders.judges else []
        for folder in folders
    }
    try:
        with closing(connect(folders)) as con:
            make_tables(con, arms, [prompt.id for prompt in suite.prompts], others=not compared)
            total = count(con, "requests")
            sample = choose(con, most) if total > most else None
            choose_rows(con, None if sample is None else sample.questions, most)
            answers = read_answers(con, arms, judgements, most)
            listed = _list_prompts(con, arms, most_cells, first_changed=compared)
            prompts = _describe_prompts(con, suite, listed)
            return AnswerBook(
                arms=tuple(arms.shown),
                prompts=tuple(prompts),
                answers=tuple(_renumber(answers, listed)),
                cells=tuple(_read_cells(con, listed)),
                total=total,
                total_prompts=count(con, "prompts"),
                sampled="" if sample is None else describe_sample(sample, len(answers), total),
                query=_query(folders),
                notes=tuple(missing(con, folders[0], suite, compared=compared)),
            )
    except DUCKDB_ERRORS as error:
        places = ", ".join(str(folder.path) for folder in folders)
        raise StoreError(f"{places}: the attempts or scores cannot be read: {error}") from error


def _list_prompts(
    con: duckdb.DuckDBPyConnection, arms: Arms, most_cells: int, *, first_changed: bool
) -> dict[int, int]:
    """Code → place of each prompt that is listed."""
    known = count(con, "prompts")
    few = known <= min(MOST_PROMPTS, most_cells // max(len(arms.shown), 1))
    which = "prompts" if few else "(select distinct prompt from chosen)"
    order = "worse desc nulls last, if(worse, least_, -most_) nulls last, prompt" if first_changed else "prompt"
    rows = con.execute(f"select prompt from {which} left join ({_CHANGED}) using (prompt) order by {order}").fetchall()
    return {code: place for place, (code,) in enumerate(rows)}


# Of several candidates the worst change decides; a gain is one only where nothing is lost.
_CHANGED = """
select prompt, bool_or(worse) as worse, min(change) as least_, max(change) as most_ from changes group by prompt
"""


def _describe_prompts(con: duckdb.DuckDBPyConnection, suite: Suite, listed: dict[int, int]) -> Iterator[AskedPrompt]:
    names = dict(con.execute("select prompt, prompt_id from prompts").fetchall())
    worse = dict(con.execute(f"select prompt, worse from ({_CHANGED})").fetchall())
    for code, prompt in zip(listed, asked_prompts(suite, [names[code] for code in listed]), strict=True):
        flip = {None: None, True: "worse", False: "better"}[worse.get(code)]
        yield msgspec.structs.replace(prompt, flip=flip)


def _read_cells(con: duckdb.DuckDBPyConnection, listed: dict[int, int]) -> list[Cell]:
    rows = con.execute("select prompt, arm, answers, passed, scored, failed from cells").fetchall()
    names = Cell.__struct_fields__
    cells = [Cell(**dict(zip(names, (listed[code], *others), strict=True))) for code, *others in rows if code in listed]
    return sorted(cells, key=lambda cell: (cell.prompt, cell.arm))


def _renumber(answers: Sequence[ReadAnswer], listed: dict[int, int]) -> list[ReadAnswer]:
    """The answers with the places of their prompts, by prompt."""
    renumbered = [msgspec.structs.replace(answer, prompt=listed[answer.prompt]) for answer in answers]
    return sorted(renumbered, key=lambda answer: answer.prompt)


def _query(folders: Sequence[RunFolder]) -> str:
    """For a shell: the SQL has no character that is special between double quotes."""
    runs = " ".join(f"--run {shlex.quote(str(folder.path))}" for folder in folders)
    return f'harness query "{_SQL}" {runs} --csv'


_SQL = (
    "SELECT run_id, prompt_id, repeat, target, passed, error_kind, text FROM requests"
    " WHERE phase = 'measure' AND error_kind IS DISTINCT FROM 'cancelled' ORDER BY ALL"
)
