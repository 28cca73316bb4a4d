"""How a comparison is to be read: the same words on the page and in Markdown."""

from __future__ import annotations

from harness.analysis.compare.comparison import CompareReport
from harness.report.section import Note


def methods(report: CompareReport) -> list[Note]:
    """Terms and their definitions, in the order of the tables."""
    level = f"{100 * report.level:g}%"
    terms = [
        (
            "difference",
            f"candidate − baseline with its {level} interval: percentage points (pp) of a rate, percent of a latency "
            "or cost. ∞: the data gives no bound on that side.",
        ),
        ("margin", "how much worse is still good enough, as the suite's gate says it."),
        (
            "worse",
            "the interval lies on the worse side of zero, the p-value is significant after Holm's correction, and the "
            "difference is the margin or more.",
        ),
        ("better", "the same on the other side."),
        (
            "equivalent",
            "the interval ends below the margin: not worse by as much. A high p-value would not do, for it may only "
            "mean few data.",
        ),
        ("inconclusive", "none of these. It is no pass: the remarks say how many prompts or answers would settle it."),
        (
            "family",
            f"the gate's metrics × candidates, {report.family} here: Holm's correction keeps the chance of any false "
            "worse among them at the level of one. By tag the rows are exploratory (Benjamini–Hochberg, q = 0.10): "
            "they show where to look and decide nothing.",
        ),
        (
            "pairing",
            "both sides answered the same prompts, and differences are taken prompt by prompt; prompts of one group "
            "are not independent, and the interval allows for it. n is pairs of prompts; for a quantile, answers of "
            "the smaller side. 118 in 40: 118 of them, in 40 independent prompts or groups.",
        ),
        (
            "changed",
            "a prompt of whose scored answers another share passed: 2/2 → 1/2 is passed of scored, the baseline's "
            "before the candidate's. Where repeats vary, some prompts change by chance; the pass rate decides.",
        ),
        (
            "failures",
            "a failed request is a failed answer and shows in the error rate; latencies are of successes, so that it "
            "never makes one better.",
        ),
        (
            "cost",
            "cost ratio = price ratio at the baseline's tokens × token ratio. Token drift is a longer answer or "
            "another tokenizer, price drift is another price.",
        ),
    ]
    return [Note(label=term, text=text) for term, text in terms]
