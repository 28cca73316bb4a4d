"""The definitions of the numbers in a run's report."""

from __future__ import annotations

from harness.analysis.findings import ERROR_SHARE
from harness.analysis.summary.summary import RunSummary
from harness.report.section import Note

TERMS = {
    "n": "measured requests; warm-up is stored but not counted. With retries a request may have several attempts.",
    "pass rate": "the share of a prompt's scored requests that passed all their checks, averaged over prompts, with a "
    "{level} Wilson interval. Several answers to one prompt, or to one group of prompts, are not independent: the "
    "interval uses the effective number of answers that the spread between prompts implies. A failed request counts as "
    "not passed; an answer whose scorer failed is left out.",
    "TTFT": "first non-empty content chunk − due, of successful requests; only with streaming.",
    "E2E": "done − due, of successful requests. TTFT and E2E count from when a request was due, so a stall is charged "
    "to every request behind it, and retries with their backoff are part of the wait.",
    "p50 … p99": "quantiles by nearest rank, each a value that was measured, with {level} intervals between order "
    "statistics. Requests of one prompt, of one group or of one moment count as fewer than they are. ∞: no upper "
    "bound; a p95 needs n ≥ {p95} of {p95_clusters} prompts or groups, a p99 n ≥ {p99} of {p99_clusters}, and more "
    "where those of a prompt or a moment are much alike; a suite of one prompt is measured for itself. A run shows the "
    "stalls that it met, not those of another hour.",
    "TPOT": "(last chunk − first chunk) / (output tokens − 1).",
    "tok/s": "output tokens after the first / (last chunk − first chunk) in one stream, median.",
    "offered, achieved, goodput, output tok/s": "requests per second that were due (open arrivals only), that "
    "succeeded, and that succeeded within every SLO (without streaming, the one for TTFT does not apply); output "
    "tokens per second of all requests. Closed arrivals: per second from first due to last done. Open arrivals: (n − "
    "1)/n of them per second from first to last answer, estimated as the time from first to last due, times the slope "
    "of done on due if a queue grows; so latency does not look like missing load.",
    "queue delay": "sent − due: how late the harness itself was.",
    "backoff, of the attempt": "backoff: the time between the attempts of a retried request. Latencies of the attempt "
    "count from when the last attempt was due, those of the request from when the first was.",
    "errors": "requests whose last attempt failed; the error rate is their share of a prompt's requests, averaged over "
    "prompts, as the pass rate is; failures that come in bursts widen its interval. Without a failure in n requests it "
    "is at most 3/n (one-sided {level}, if failures are independent). Error kinds count attempts.",
    "cost": "tokens × list price, of all attempts. $/1k: 1,000 times the mean cost of a prompt's answered requests, "
    "averaged over prompts; – if no cost is known. $/correct: cost of all requests / passed; – if the cost of any "
    "answer is unknown.",
    "lead": "the leader is clear of a rival if their intervals do not touch; for cost per request, if the {level} "
    "interval of ln(total cost of the rival / of the leader), over the prompts that both answered, lies above 0. If a "
    "rival is too close to call, the difference may be noise. Only targets with at most {errors} failed requests "
    "compete on latency, output speed and cost.",
}
"""Term → definition, in the order of the tables; `methods` fills in the figures."""


def methods(summary: RunSummary) -> list[Note]:
    """Each of TERMS with its definition."""
    from harness.analysis.stats.quantiles import clusters_for_quantile, samples_for_quantile  # loads scipy

    figures = {
        "level": f"{100 * summary.level:g}%",
        "errors": f"{100 * ERROR_SHARE:g}%",
        **{f"p{100 * q:g}": samples_for_quantile(q, summary.level) for q in (0.95, 0.99)},
        **{f"p{100 * q:g}_clusters": clusters_for_quantile(q) for q in (0.95, 0.99)},
    }
    return [Note(label=term, text=text.format_map(figures)) for term, text in TERMS.items()]
