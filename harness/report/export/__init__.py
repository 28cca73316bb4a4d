"""The formats in which other tools read a run. A new one is a file here and a line in FORMATS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Format(NamedTuple):
    """One format."""

    exporter: str
    """Where its `Exporter` is, `module:function`; imported when it is asked for."""
    options: frozenset[str] = frozenset()
    """The options of `harness export` that apply to it. One with --out makes a document; the others send the run."""


FORMATS: Mapping[str, Format] = {
    "benchmark-json": Format(
        "harness.report.export.benchmark_json:export_benchmark", frozenset({"--out", "--bigger-is-better"})
    ),
    "otlp": Format("harness.report.export.otlp.send:export_otlp"),
    "emf": Format("harness.report.export.emf:export_emf", frozenset({"--out", "--namespace"})),
    "cloudwatch": Format(
        "harness.report.export.cloudwatch:export_cloudwatch", frozenset({"--namespace", "--endpoint"})
    ),
}
