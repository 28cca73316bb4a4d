"""`harness export`: a run in a format that other tools read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import QuietOption, RunArgument
from harness.cli.places import DEFAULT_RUN, local_path, local_run
from harness.errors import HarnessError
from harness.report.export import FORMATS

if TYPE_CHECKING:
    from harness.analysis.past_runs import StoredRun
    from harness.report.export.exporter import Exporter


def parse_format(written: str) -> str:
    """One of FORMATS. BadParameter: anything else."""
    if written not in FORMATS:
        raise typer.BadParameter(f"{written!r} is not one of {', '.join(FORMATS)}")
    return written


ToOption = Annotated[
    str, typer.Option("--to", metavar=f"[{'|'.join(FORMATS)}]", help="The format.", parser=parse_format)
]
DocumentOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write to this file. Default: standard output.", parser=local_path),
]
BiggerOption = Annotated[
    bool,
    typer.Option(
        "--bigger-is-better",
        help="benchmark-json: pass rate and output speed, for the action's customBiggerIsBetter. Default: latencies, "
        "costs and error rate, for customSmallerIsBetter.",
    ),
]
NamespaceOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="emf, cloudwatch: the metrics' namespace. Default: Harness.")
]
CloudWatchOption = Annotated[
    str | None, typer.Option(help="cloudwatch: aws, or a URL on this machine for a stand-in. Default: aws.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Export a run that is invalid or incomplete, too.")]


def export(
    to: ToOption,
    run: RunArgument = DEFAULT_RUN,
    out: DocumentOption = None,
    bigger_is_better: BiggerOption = False,
    namespace: NamespaceOption = None,
    endpoint: CloudWatchOption = None,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export a run to the tools that a team looks at anyway.

    \b
    harness export --to benchmark-json --out benchmark.json
    harness export latest --to emf >> /var/log/harness.log
    harness export latest --to cloudwatch --namespace Team/Models

    Prompts and answers are never exported, and neither is a run that is invalid or incomplete, unless with --force.

    Exit codes: 0 exported · 2 bad input, or the receiver refuses · 4 the run is invalid or incomplete.
    """
    from importlib import import_module

    from harness.report.export.exporter import DEFAULT_NAMESPACE, ExportOptions

    _refuse_unused(
        to,
        {
            "--out": out is not None,
            "--bigger-is-better": bigger_is_better,
            "--namespace": namespace is not None,
            "--endpoint": endpoint is not None,
        },
    )
    stored = _read(local_run(run), force=force)
    module, function = FORMATS[to].exporter.split(":")
    exporter: Exporter = getattr(import_module(module), function)
    options = ExportOptions(
        bigger_is_better=bigger_is_better,
        namespace=DEFAULT_NAMESPACE if namespace is None else namespace,
        endpoint=endpoint or "aws",
        quiet=quiet,
    )
    exported = exporter(stored, options)
    if exported.document is not None:
        _write(exported.document, out)
    if not quiet and (out is not None or exported.document is None):
        print(f"exported {exported.what}{'' if out is None else f' to {out}'}", file=sys.stderr)


def _refuse_unused(to: str, given: Mapping[str, bool]) -> None:
    """HarnessError: an option that this format does not have."""
    for option in (option for option, is_given in given.items() if is_given):
        if option not in FORMATS[to].options:
            others = " and ".join(name for name, each in FORMATS.items() if option in each.options)
            raise HarnessError(f"{option}: does not apply to {to}, only to {others}; leave it out")


def _read(run: Path, *, force: bool) -> StoredRun:
    """The run. RunInvalid: it does not count; StoreError: whether it does is unknown; HarnessError: it is a sweep."""
    from harness.analysis.past_runs import read_stored_run
    from harness.errors import RunInvalid, StoreError
    from harness.store.run_folder import RunFolder

    stored = read_stored_run(RunFolder(run))
    if stored.manifest.kind == "sweep":
        raise HarnessError(f"{run}: is a sweep, which has no single load; name a run")
    if stored.trouble is not None and not force:
        if stored.summary is None:
            raise StoreError(f"{run}: {stored.trouble}")
        raise RunInvalid(f"{run}: {stored.trouble}; nothing was exported (--force exports it all the same)")
    return stored


def _write(document: str, out: Path | None) -> None:
    """Print the document, or write it to a file. StoreError: it cannot be written."""
    from harness.cli.output import escape_json

    text = escape_json(document)
    if out is None:
        print(text, end="", flush=True)
        return
    from harness.secrets import redact
    from harness.store.files import write_atomically

    write_atomically(out, redact(text).encode(), mode=0o666)
