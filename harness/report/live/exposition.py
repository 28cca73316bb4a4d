"""The counts of a running load in Prometheus's text format."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate

from harness.characters import printable
from harness.load.progress import Histogram, Progress, Tally
from harness.suite.suite import Suite

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Of latencies: those of OpenTelemetry's conventions for generative AI."""
LATE_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of how late the client is."""
Sample = tuple[Mapping[str, str], float]
Durations = tuple[Mapping[str, str], Histogram]
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def render_progress(progress: Progress, suite: Suite, *, simulated: bool) -> str:
    """All metrics. Counters begin at 0 with the load, or where it is resumed; warm-up counts, but not in latencies."""
    return "".join(f"{line}\n" for line in _lines(progress, suite, simulated))


def _lines(progress: Progress, suite: Suite, simulated: bool) -> Iterator[str]:
    tallies = progress.tallies.items()
    info = {"suite": suite.name, "digest": suite.digest, "simulated": str(simulated).lower()}
    yield from _family("harness_load_info", "gauge", "The load that is being sent.", [(info, 1)])
    if progress.planned is not None:
        planned = [({"target": name}, progress.planned) for name, _ in tallies]
        yield from _family("harness_requests_planned", "gauge", "Requests in the plan.", planned)
    for name, kind, text, value in _COUNTS:
        yield from _family(name, kind, text, [({"target": target}, value(tally)) for target, tally in tallies])
    errors = [({"target": target, "kind": kind}, n) for target, tally in tallies for kind, n in tally.errors.items()]
    yield from _family("harness_attempt_errors_total", "counter", "Failed attempts, by kind.", errors)
    stopped = [({"target": name}, float(name in progress.stopped)) for name, _ in tallies]
    yield from _family("harness_target_stopped", "gauge", "1: the target was stopped early.", stopped)
    yield from _family(
        "harness_spent_usd", "gauge", "Spent so far, earlier sessions included.", [({}, progress.cost_usd)]
    )
    if suite.budget_usd is not None:
        yield from _family("harness_budget_usd", "gauge", "The budget.", [({}, suite.budget_usd)])
    streams = {target.name: target.stream for target in suite.targets}
    ttft = [({"target": name}, tally.wait) for name, tally in tallies if streams.get(name)]
    e2e = [({"target": name}, tally.wait) for name, tally in tallies if not streams.get(name)]
    late = [({"target": name}, tally.late) for name, tally in tallies]
    yield from _histograms("harness_ttft_seconds", "First content after the request was due.", ttft, BOUNDS_S)
    yield from _histograms("harness_e2e_seconds", "Answer after it was due, if not streamed.", e2e, BOUNDS_S)
    yield from _histograms("harness_send_delay_seconds", "Sent after the attempt was due.", late, LATE_S)
    yield from _histograms("harness_event_loop_lag_seconds", "The client's own lag.", [({}, progress.lag)], LATE_S)


_COUNTS: tuple[tuple[str, str, str, Callable[[Tally], float]], ...] = (
    ("harness_requests_done_total", "counter", "Completed requests.", lambda tally: tally.done),
    ("harness_requests_in_flight", "gauge", "Requests in flight.", lambda tally: tally.in_flight),
    ("harness_requests_answered_total", "counter", "Requests with an answer.", lambda tally: tally.answered),
    ("harness_output_tokens_total", "counter", "Output tokens.", lambda tally: tally.output_tokens),
    ("harness_cost_usd_total", "counter", "Known cost.", lambda tally: tally.cost_usd),
)


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    lines = [f"{name}{_labels(labels)} {value:.17g}" for labels, value in samples]
    if lines:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} {kind}"
        yield from lines


def _histograms(name: str, text: str, durations: Iterable[Durations], bounds_s: tuple[float, ...]) -> Iterator[str]:
    lines = [line for labels, histogram in durations for line in _histogram(name, labels, histogram, bounds_s)]
    if lines:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} histogram"
        yield from lines


def _histogram(
    name: str, labels: Mapping[str, str], histogram: Histogram, bounds_s: tuple[float, ...]
) -> Iterator[str]:
    """Cumulative counts; a duration counts by the middle of its bucket, which is within 1.6% of it."""
    counts = list(histogram.counts())
    durations_s = [duration_s for duration_s, _ in counts]
    below = list(accumulate((count for _, count in counts), initial=0))
    for bound in bounds_s:
        yield f"{name}_bucket{_labels({**labels, 'le': f'{bound:g}'})} {below[bisect_right(durations_s, bound)]}"
    total = below[-1]
    yield f"{name}_bucket{_labels({**labels, 'le': '+Inf'})} {total}"
    yield f"{name}_sum{_labels(labels)} {sum(duration_s * count for duration_s, count in counts):.17g}"
    yield f"{name}_count{_labels(labels)} {total}"


def _labels(labels: Mapping[str, str]) -> str:
    """`{target="a/global"}`; empty without labels."""
    written = ",".join(f'{name}="{printable(value).translate(_ESCAPED)}"' for name, value in labels.items())
    return f"{{{written}}}" if written else ""
