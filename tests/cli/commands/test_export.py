"""`harness export` as a command: files, output, CloudWatch on loopback, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer

from harness.analysis.past_runs import read_stored_run
from harness.analysis.summary.summary import write_summary
from harness.clock import utc_now
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder
from tests.cli.conftest import Harness


@pytest.fixture
def run(past_runs: Callable[..., list[RunFolder]], tmp_path: Path) -> RunFolder:
    """A run that started just now, with a summary and no rows."""
    [folder] = past_runs(tmp_path / "results", 1)
    change(folder, started_utc=f"{utc_now():%Y-%m-%dT%H:%M:%SZ}")
    return folder


def change(folder: RunFolder, **fields: Any) -> None:
    summary = read_stored_run(folder).summary
    assert summary is not None
    write_summary(folder.summary_path, msgspec.structs.replace(summary, **fields))


@pytest.fixture
def cloudwatch() -> Iterator[str]:
    """moto's CloudWatch on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_a_document_goes_to_standard_output_or_to_a_file(harness: Harness, run: RunFolder, tmp_path: Path) -> None:
    printed = harness("export", "--to", "benchmark-json")
    assert (0, "") == (printed.returncode, printed.stderr)
    written = harness("export", run.path, "--to", "benchmark-json", "--out", "benchmark.json")
    assert (0, "", "exported 20 metrics to benchmark.json\n") == (written.returncode, written.stdout, written.stderr)
    assert printed.stdout == (tmp_path / "benchmark.json").read_text()
    lines = harness("export", "--to", "emf").stdout.splitlines()
    assert ["nightly"] * 2 == [json.loads(line)["Suite"] for line in lines]


def test_metrics_arrive_in_cloudwatch(harness: Harness, run: RunFolder, cloudwatch: str) -> None:
    done = harness(
        "export", "--to", "cloudwatch", "--namespace", "Team", "--endpoint", cloudwatch, AWS_REGION="eu-west-1"
    )
    assert (0, "exported 22 metrics to CloudWatch in eu-west-1, namespace Team\n") == (done.returncode, done.stderr)
    made_up = {"aws_access_key_id": "made", "aws_secret_access_key": "up"}
    client = boto3.client("cloudwatch", endpoint_url=cloudwatch, region_name="eu-west-1", **made_up)
    metrics = client.list_metrics(Namespace="Team")["Metrics"]
    assert 22 == len(metrics)
    now, dimensions = utc_now(), next(each["Dimensions"] for each in metrics if each["MetricName"] == "pass_rate")
    assert {"Suite", "Target", "Simulated"} == {each["Name"] for each in dimensions}
    [point] = client.get_metric_statistics(
        Namespace="Team",
        MetricName="pass_rate",
        Dimensions=dimensions,
        StartTime=now.replace(year=now.year - 1),
        EndTime=now.replace(year=now.year + 1),
        Period=86_400,
        Statistics=["Average"],
        Unit="Percent",
    )["Datapoints"]
    summary = read_stored_run(run).summary
    assert summary is not None
    assert summary.targets[0].pass_rate is not None
    assert pytest.approx(100 * summary.targets[0].pass_rate.value) == point["Average"]


def test_what_cannot_be_exported_is_refused_with_a_remedy(harness: Harness, run: RunFolder) -> None:
    for line, code, message in (
        (("--to", "csv"), 2, "'csv' is not one of benchmark-json, otlp, emf"),
        (("--to", "emf", "--bigger-is-better"), 2, "--bigger-is-better: does not apply to emf, only to benchmark-json"),
        (
            ("--to", "cloudwatch", "--out", "x"),
            2,
            "--out: does not apply to cloudwatch, only to benchmark-json and emf",
        ),
        (("--to", "emf", "--out", "missing/x"), 2, "missing/x: cannot be written"),
        (("--to", "cloudwatch", "--endpoint", "https://example.com"), 2, "must be aws, or a URL on this machine"),
        (("--to", "cloudwatch", "--endpoint", "http://127.0.0.1:9"), 2, "cloudwatch in us-east-1 is not available"),
        (("--to", "emf", "results/none"), 2, "not a run"),
    ):
        refused = harness("export", *line)
        assert (code, "") == (refused.returncode, refused.stdout), line
        assert message in refused.stderr


def test_an_old_run_is_too_late_for_cloudwatch(harness: Harness, run: RunFolder) -> None:
    change(run, started_utc="2026-01-01T00:00:00Z")
    refused = harness("export", "--to", "cloudwatch", "--endpoint", "http://127.0.0.1:9")
    assert 2 == refused.returncode
    assert "CloudWatch accepts metrics of the last 14 days only" in refused.stderr


def test_an_invalid_run_is_exported_only_by_force(harness: Harness, run: RunFolder) -> None:
    change(run, findings=[Finding(what="the client was the bottleneck", remedy="use workers", invalidates=True)])
    refused = harness("export", "--to", "emf")
    assert (4, "") == (refused.returncode, refused.stdout)
    assert "the run is invalid: the client was the bottleneck; nothing was exported (--force" in refused.stderr
    assert 2 == len(harness("export", "--to", "emf", "--force").stdout.splitlines())
