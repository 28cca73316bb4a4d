"""How each number is defined: the same words in every report."""

from __future__ import annotations

from harness.analysis.stats import samples_for_quantile
from harness.analysis.summary import RunSummary


def methods(summary: RunSummary) -> list[tuple[str, str]]:
    """(term, definition) in the order of the tables."""
    level = f"{100 * summary.level:g}%"
    p95, p99 = (samples_for_quantile(q, summary.level) for q in (0.95, 0.99))
    return [
        (
            "n",
            "measured requests; warm-up is stored but not counted. A request has one attempt or, with retries, more.",
        ),
        (
            "pass rate",
            f"requests that passed all their checks / requests scored, with a {level} Wilson interval. A failed "
            "request counts as not passed; an answer whose scorer broke is left out.",
        ),
        ("TTFT", "first non-empty content chunk − due, over successful requests."),
        (
            "E2E",
            "done − due, over successful requests. Both count from when a request was due, so a stall is charged to "
            "every request behind it, and retries with their backoff are part of the wait.",
        ),
        (
            "p50 … p99",
            f"quantiles with {level} distribution-free intervals from order statistics. ∞: the data gives no upper "
            f"bound; a p95 needs n ≥ {p95}, a p99 n ≥ {p99}.",
        ),
        ("TPOT", "(last chunk − first chunk) / (output tokens − 1)."),
        ("tok/s", "output tokens after the first / (last chunk − first chunk) in one stream, median."),
        ("output tok/s", "all output tokens / the target's measured span (first due to last done)."),
        (
            "offered, achieved, goodput",
            "requests per second that were due (open arrivals only), that were completed, that met every SLO.",
        ),
        ("queue delay", "sent − due: the harness's own lateness, never hidden in another figure."),
        ("errors", "requests whose last attempt failed. Error kinds count attempts."),
        (
            "cost",
            "tokens × list price; unknown stays unknown (–). $/1k: per 1,000 requests. $/correct: total / passed.",
        ),
        (
            "lead",
            "clear only where the leader's interval is apart from all others; else the order is not a difference.",
        ),
    ]
