"""The sections of a comparison's report: each is built once, for terminal, Markdown, page and a gate's comment."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.answers.book import AnswerBook
from harness.analysis.compare.comparison import CompareReport, Comparison, Difference, Flip, word
from harness.analysis.compare.sample_size.remedies import reaches
from harness.analysis.stats.power import ALPHA
from harness.characters import counted, visible
from harness.report.compare.hours import hours_note
from harness.report.compare.verdicts import (
    TONES,
    candidate_of,
    describe_correct_cost,
    describe_flips,
    describe_shares,
    difference,
    exploratory,
    flips_left_out,
    flips_listed,
    gated,
    headline,
    list_names,
    margin,
    mark,
    metric_name,
    said_once,
    samples,
    settled_by,
    worst_first,
)
from harness.report.section import (
    Cell,
    Column,
    Mark,
    Name,
    Note,
    Picture,
    Report,
    Sample,
    Section,
    Table,
    filled,
    number,
    tabulate,
)
from harness.report.wording import MISSING, findings_section, interval_note

MOST_IDS, MOST_IDS_BRIEF = 20, 5
MOST_FLIPS, MOST_FLIPS_BRIEF = 1_000, 50
"""The shorter ones are for a terminal and for a comment, which GitHub limits to 65,536 characters."""
MOST_EXPLORATORY = 8

COLUMNS: tuple[tuple[Column, Callable[[Difference], Cell]], ...] = (
    (Column(heading="metric"), lambda d: metric_name(d.metric)),
    (Column(heading="baseline", weight=2), lambda d: number(d.baseline, d.unit)),
    (Column(heading="candidate", weight=3), lambda d: number(d.candidate, d.unit)),
    (Column(heading="difference", weight=5, interval_weight=5), difference),
    (Column(heading="margin", weight=4), margin),
    (Column(heading="verdict", weight=6, is_text=True), lambda d: Mark(mark(d.verdict), TONES[d.verdict])),
    (Column(heading="n", weight=1), samples),
)
COMMENT_COLUMNS = [each for each in COLUMNS if each[0].heading in ("metric", "difference", "margin", "verdict")]


def compare_report(report: CompareReport, pictures: Sequence[Picture] = (), book: AnswerBook | None = None) -> Report:
    """The whole comparison, for a page or Markdown. `book`: the answers of both sides, which only pages show."""
    return _report(
        report,
        heading=f"{report.suite}: is it safe to move?",
        facts=[
            f"{interval_note(report.level)} · Holm over {counted(report.family, 'test')} · suite digest "
            f"{report.suite_digest}"
        ],
        sections=[
            _verdicts(report),
            findings_section(report.findings),
            Section(title="All differences", pictures=pictures),
            Section(title="Prompts", book=book),
            *(section for c in worst_first(report) for section in _comparison(c)),
            Section(title="How to read it", notes=_methods(report), layout="terms"),
        ],
    )


def compare_brief(report: CompareReport) -> Report:
    """What a terminal shows of a comparison."""
    sections = [_verdicts(report)]
    for c in worst_first(report):
        text = f"{counted(c.prompts, 'prompt')} on both sides, {interval_note(report.level)}, Holm over {report.family}"
        cost = "; ".join(part for part in (c.drift.summary, describe_correct_cost(c)) if part)
        notes = [
            *hours_note(c),
            *remarks(c, gated(c)),
            Note(label="Answers", text=_flips_sentence(c)),
            *([Note(text=cost[0].upper() + cost[1:])] if cost else []),
            *_one_sided(c, MOST_IDS_BRIEF),
        ]
        title = candidate_of(c) if len(report.comparisons) > 1 else ""
        sections += [
            Section(title=title, text=text, table=tabulate(gated(c), COLUMNS), notes=notes),
            _exploratory_brief(c),
        ]
    return _report(report, sections=[*sections, Section(notes=findings_section(report.findings).notes)])


def gate_comment(report: CompareReport, against: str) -> Report:
    """The comment on a pull request. `against`: the baseline used."""
    sections = [_verdicts(report)]
    for c in worst_first(report):
        lines = [_flips_sentence(c), c.drift.summary]
        notes = [
            *hours_note(c),
            *remarks(c, gated(c)),
            *(Note(text=line) for line in lines if line),
            *_one_sided(c, MOST_IDS_BRIEF),
        ]
        title = candidate_of(c) if len(report.comparisons) > 1 else ""
        sections.append(Section(title=title, table=tabulate(gated(c), COMMENT_COLUMNS), notes=notes))
    about = f"Baseline: {against}. {interval_note(report.level)}, paired by prompt, Holm over {report.family}."
    heading = f"{mark(report.verdict)}: {report.suite}"
    return _report(
        report, heading=heading, sections=[*sections, findings_section(report.findings), Section(text=about)]
    )


def _report(
    report: CompareReport, *, heading: str = "", facts: Sequence[str] = (), sections: Sequence[Section]
) -> Report:
    return Report(
        title=f"{report.suite}: {word(report.verdict)}",
        heading=heading,
        simulated=report.simulated,
        invalid="" if report.valid else "One of these runs is invalid, so this comparison is invalid too.",
        facts=facts,
        sections=filled(sections),
    )


def _verdicts(report: CompareReport) -> Section:
    """One sentence for each candidate, the worst verdict first."""
    notes = [
        Note(label=mark(c.verdict), tone=TONES[c.verdict], text=headline(c, report.level)) for c in worst_first(report)
    ]
    return Section(notes=notes, layout="cards")


def _comparison(c: Comparison) -> list[Section]:
    lines = [c.drift.summary, describe_correct_cost(c)]
    notes = [
        *hours_note(c),
        *remarks(c, gated(c)),
        *(Note(text=line) for line in lines if line),
        *_one_sided(c, MOST_IDS),
    ]
    changed = describe_flips(c)
    left_out = flips_left_out(c, MOST_FLIPS).strip()
    return [
        Section(title=candidate_of(c), table=_sides(c)),
        Section(table=tabulate(gated(c), COLUMNS), notes=notes),
        Section(
            title="Prompts that changed",
            level=3,
            text=f"{changed[0].upper()}{changed[1:]}.",
            notes=[Note(text=left_out)] if left_out else [],
            samples=[_sample(flip) for flip in c.flips[:MOST_FLIPS]],
        ),
        Section(
            title="Exploratory: by tag and metric, decides nothing",
            level=3,
            table=tabulate(exploratory(c), COLUMNS),
            layout="folded",
        ),
    ]


def _sides(c: Comparison) -> Table:
    headings = ("side", "target", "model", "Region", "client", "run", "requests", "failed")
    columns = [Column(heading=each, is_text=each not in ("requests", "failed")) for each in headings]
    rows = [
        (side, Name(arm.target), arm.model_id, arm.region, arm.client, arm.run_id, arm.requests, arm.failed)
        for side, arm in (("candidate", c.candidate), ("baseline", c.baseline))
    ]
    return Table(columns=columns, rows=rows)


def _sample(flip: Flip) -> Sample:
    """A prompt that changed; only those with the largest changes have answers."""
    answers = (("baseline", flip.baseline_answer), ("candidate", flip.candidate_answer))
    shown = flip.reason or any(answer is not None for _, answer in answers)
    return Sample(
        mark=Mark(flip.direction, "bad" if flip.direction == "worse" else "good"),
        prompt_id=flip.prompt_id,
        about=" · ".join([f"{describe_shares(flip)} passed", *([", ".join(flip.tags)] if flip.tags else [])]),
        reason=flip.reason,
        answers=[(side, MISSING if a is None else visible(a)) for side, a in answers] if shown else (),
    )


def _exploratory_brief(c: Comparison) -> Section:
    rows = exploratory(c)
    clear = [d for d in rows if d.verdict != "inconclusive"]
    if not rows:
        return Section()
    text = f"{len(clear):,} of {counted(len(rows), 'row')} by tag and metric {'is' if len(clear) == 1 else 'are'} clear"
    return Section(text=f"Exploratory, decides nothing: {text}", table=tabulate(clear[:MOST_EXPLORATORY], COLUMNS))


def _flips_sentence(c: Comparison) -> str:
    return f"{describe_flips(c)}; {flips_listed(c, MOST_FLIPS_BRIEF)}" if c.flips else describe_flips(c)


def remarks(c: Comparison, rows: Sequence[Difference]) -> list[Note]:
    """Notes on rows, and what would settle them; what is the same of several is said once."""
    said = said_once((d.metric, text) for d in rows if (text := _remark(c, d)))
    return [Note(label=list_names(metrics), text=text) for metrics, text in said]


def _remark(c: Comparison, d: Difference) -> str:
    settled = settled_by(d, c.prompts)
    parts = [_not_after_holm(d), f"needs {settled} to settle" if settled else "", d.note]
    return "; ".join(part for part in parts if part)


def _not_after_holm(d: Difference) -> str:
    """Why a row whose interval excludes zero is inconclusive; empty for other rows."""
    clear = (d.low is not None and d.low > 0) or (d.high is not None and d.high < 0)
    if d.verdict != "inconclusive" or not clear or d.p_value is None or d.p_adjusted is None or d.p_adjusted < ALPHA:
        return ""
    if d.margin is not None and d.estimate is not None and not reaches(abs(d.estimate), d.margin):
        return ""
    return f"significant on its own, but not after Holm's correction (p {d.p_value:.2g}, corrected {d.p_adjusted:.2g})"


def _one_sided(c: Comparison, most: int) -> list[Note]:
    """Prompts of only one side, at most `most` of each by name."""
    sides = (("baseline", c.only_baseline), ("candidate", c.only_candidate))
    return [Note(tone="warn", text=f"only the {side} has prompts {_listed(ids, most)}") for side, ids in sides if ids]


def _listed(ids: Sequence[str], most: int) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most:,} more"


def _methods(report: CompareReport) -> list[Note]:
    """How to read a comparison: terms and their definitions, in the order of the tables."""
    level = f"{100 * report.level:g}%"
    terms = [
        (
            "difference",
            f"candidate − baseline with its {level} interval: percentage points (pp) of a rate, percent of a latency "
            "or cost. ∞: the data gives no bound on that side.",
        ),
        ("margin", "how much worse is still acceptable, from the suite's gate."),
        (
            "worse",
            "the interval lies on the worse side of zero, the p-value is significant after Holm's correction, and the "
            "difference is the margin or more.",
        ),
        ("better", "the same on the other side."),
        (
            "no worse",
            "the interval ends below the margin: any loss is smaller than that. Equivalent, where both ends lie within "
            "the margin. A high p-value is not enough, since it may only mean too little data.",
        ),
        (
            "inconclusive",
            "none of these. It does not pass; the notes say what would settle it.",
        ),
        (
            "family",
            f"the gate's metrics × candidates, {report.family} here: Holm's correction keeps the chance of any false "
            "worse among them at the level of a single test. Rows by tag are exploratory (Benjamini–Hochberg, "
            "q = 0.10): they show where to look and decide nothing.",
        ),
        (
            "pairing",
            "both sides answered the same prompts, and differences are taken prompt by prompt; prompts of one group "
            "are not independent, and the interval accounts for it. n counts pairs of prompts; for a quantile, answers "
            "of the smaller side. 118 in 40: 118 of them, in 40 independent prompts or groups.",
        ),
        (
            "changed",
            "a prompt whose share of passed answers differs: 2/2 → 1/2 is passed/scored, first the baseline's, then "
            "the candidate's. With repeats, some prompts change by chance; the pass rate decides.",
        ),
        (
            "failures",
            "a failed request counts as a failed answer and in the error rate; latencies cover successes only, and a "
            "failure never improves one.",
        ),
        (
            "cost",
            "what all shared prompts cost together, each counted once, as on an invoice. Cost ratio = price ratio at "
            "the baseline's tokens × token ratio, each side at the price of its run's day. Token drift comes from "
            "longer answers or another tokenizer, price drift from another price.",
        ),
    ]
    return [Note(label=term, text=text) for term, text in terms]
