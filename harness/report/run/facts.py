"""What ran, where, when and how: what it takes to run the same again, or to doubt it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from harness.analysis.columns import Columns
from harness.characters import counted, rounded
from harness.clock import utc_from_ns
from harness.report.section import Column, Name, Note, Section, Table
from harness.store.manifest import Manifest
from harness.suite.suite import Load, Slo, Suite

HEADINGS = ("target", "model id", "Region", "api", "client")


def facts_section(manifest: Manifest, suite: Suite, columns: Mapping[str, Columns]) -> Section:
    """The run's targets, and everything else that was fixed before it started."""
    rows = [(Name(t.name), t.model_id, t.region, t.api, t.client) for t in manifest.targets]
    return Section(
        title="The run",
        table=Table(columns=[Column(heading=heading, is_text=True) for heading in HEADINGS], rows=rows),
        notes=[Note(label=label, text=text) for label, text in _facts(manifest, suite, columns) if text],
        layout="terms",
    )


def _facts(manifest: Manifest, suite: Suite, columns: Mapping[str, Columns]) -> Iterator[tuple[str, str]]:
    versions = dict(manifest.versions)
    yield "run", manifest.run_id
    yield "suite", f"{manifest.suite}, digest {manifest.suite_digest}, seed {manifest.seed}"
    yield "window", _window(manifest, columns)
    yield "endpoint", manifest.endpoint
    yield "load", _load(suite.load)
    yield "retries", f"at most {suite.retries.max_attempts} attempts" if suite.retries.max_attempts > 1 else ""
    yield "SLOs", _slos(suite.slo)
    yield "budget", "" if suite.budget_usd is None else f"${suite.budget_usd:,g}"
    yield "harness", versions.pop("harness", "")
    yield "host", f"{manifest.host.system}, {manifest.host.machine}, {counted(manifest.host.cpus, 'CPU')}"
    yield "python", manifest.host.python
    versions.pop("python", None)
    yield "packages", ", ".join(f"{package} {version}" for package, version in versions.items())


def _window(manifest: Manifest, columns: Mapping[str, Columns]) -> str:
    """`2026-11-22 02:45:00 to 02:47:10 UTC`: from the first measured request's due time to the last answer."""
    measured = [c for c in columns.values() if len(c.due_s)]
    ends = [end for c in measured if np.isfinite(end := np.fmax.reduce(c.done_s))]
    if not ends:
        return ""
    start, end = (
        utc_from_ns(manifest.utc_ns(int(1e9 * moment)))
        for moment in (min(float(c.due_s.min()) for c in measured), max(ends))
    )
    until = f"{end:%H:%M:%S}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {until} UTC"


def _load(load: Load) -> str:
    """`closed, concurrency 8, 3 repeats, warm-up 8`."""
    parts: list[str] = [load.arrival]
    match load.arrival:
        case "closed":
            parts += [f"concurrency {load.concurrency}", *([] if load.paired else ["not paired"])]
        case "ramp":
            parts.append(f"{_rate(load.rate_per_s)} to {_rate(load.to_per_s)}")
        case "steps":
            parts.append(", ".join(f"{_rate(step.rate_per_s)} for {step.duration_s:g} s" for step in load.steps or ()))
        case "trace":
            parts += [load.trace or "", f"speed {load.speed or 1:g}"]
        case _:
            parts += [_rate(load.rate_per_s)] if load.rate_per_s is not None else []
            parts += [f"{target} {_rate(rate)}" for target, rate in (load.rates_per_s or {}).items()]
    parts += [f"{load.duration_s:g} s"] if load.duration_s is not None else []
    parts += [f"burstiness {load.burstiness:g}"] if load.burstiness is not None else []
    parts += [f"bursts of {load.burst}"] if load.burst is not None else []
    parts += [counted(load.requests, "request")] if load.requests is not None else []
    parts += [counted(load.repeats, "repeat")] if load.repeats is not None else []
    parts += [f"at most {load.max_in_flight} in flight"] if load.max_in_flight is not None else []
    return ", ".join([*parts, f"warm-up {load.warmup}"])


def _rate(per_s: float | None) -> str:
    return "" if per_s is None else f"{rounded(per_s, 3)}/s"


def _slos(slo: Slo) -> str:
    limits = (("TTFT", slo.ttft_s), ("E2E", slo.e2e_s))
    return ", ".join(f"{name} {limit:g} s" for name, limit in limits if limit is not None)
