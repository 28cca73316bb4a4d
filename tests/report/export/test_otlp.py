"""A run sent over OTLP to a receiver on loopback that reads the real protocol."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from harness.analysis.past_runs import read_stored_run
from harness.store.run_folder import RunFolder
from tests.cli.conftest import call_harness, run_harness

EXAMPLE = Path(__file__).parents[3] / "results" / "example"
KINDS: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
SECRET = "cOlLeCtOr-sEcReT-123"


class Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.bodies.append(body)
        server.keys.add(self.headers["api-key"])
        server.received.append((self.path, KINDS[self.path].FromString(body)))
        self.send_response(server.status)
        if server.status == 302:
            self.send_header("Location", f"http://127.0.0.1:{server.server_port}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.keys.add(f"followed to {self.path}")  # type: ignore[attr-defined]
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        made: Any = server
        made.bodies, made.received, made.keys, made.status = [], [], set(), 200
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "results" / "example"))


def send(run: Path, collector: Any, *more: str) -> Any:
    return call_harness(
        run.parents[1],
        *("export", run, "--to", "otlp", *more),
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}",
        OTEL_EXPORTER_OTLP_HEADERS=f"api-key={SECRET}",
        OTEL_EXPORTER_OTLP_TIMEOUT="2",
    )


def plain(attributes: Any) -> dict[str, Any]:
    return {each.key: _plain(each.value) for each in attributes}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_plain(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def spans_of(collector: Any) -> list[Any]:
    requests = [request for path, request in collector.received if path == "/v1/traces"]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def metrics_of(collector: Any) -> dict[str, Any]:
    [request] = [request for path, request in collector.received if path == "/v1/metrics"]
    return {each.name: each for each in request.resource_metrics[0].scope_metrics[0].metrics}


def retry_one(run: Path) -> str:
    """Give the run's first request an earlier attempt that was throttled; returns its id."""
    path = run / "attempts.parquet"
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE a AS FROM '{path}'")
        [(request, attempt)] = con.sql(
            "SELECT request_id, attempt_id FROM a WHERE phase = 'measure' LIMIT 1"
        ).fetchall()
        con.execute("CREATE TABLE b AS FROM a WHERE attempt_id = ?", [attempt])
        con.execute(
            "UPDATE b SET attempt_id = attempt_id || '-0', ok = false, error_kind = 'throttled', http_status = 429, "
            "first_ns = NULL, last_ns = NULL, due_ns = due_ns - 5000000, sent_ns = due_ns - 4000000, "
            "done_ns = due_ns - 1000000, cost_usd = NULL, text = NULL, error_message = 'slow down, SECRET PROMPT'"
        )
        con.execute("UPDATE a SET try_no = 2 WHERE attempt_id = ?", [attempt])
        con.execute("INSERT INTO a FROM b")
        con.execute(f"COPY a TO '{path}' (FORMAT parquet)")
    return str(request)


def test_each_request_is_a_span_with_the_exact_stamps_and_the_conventions_names(run: Path, collector: Any) -> None:
    done = send(run, collector)
    assert 0 == done.returncode, done.stderr
    manifest = RunFolder(run).read_manifest()
    rows = duckdb.sql(
        f"SELECT request_id, due_ns, sent_ns, first_ns, done_ns, model_id, input_tokens, output_tokens, stream, ok "
        f"FROM '{run}/attempts.parquet'"
    ).fetchall()
    spans = {plain(span.attributes)["harness.request_id"]: span for span in spans_of(collector)}
    assert len(rows) == len(spans) == len(spans_of(collector))
    assert len(rows) == len({span.trace_id for span in spans.values()})
    for request_id, due, sent, first, finished, model, inputs, outputs, stream, ok in rows:
        span, found = spans[request_id], plain(spans[request_id].attributes)
        assert (manifest.utc_ns(due), manifest.utc_ns(finished)) == (span.start_time_unix_nano, span.end_time_unix_nano)
        events = {each.name: each.time_unix_nano for each in span.events}
        assert manifest.utc_ns(sent) == events["harness.sent"]
        assert ("aws.bedrock", "chat", model) == (
            found["gen_ai.provider.name"],
            found["gen_ai.operation.name"],
            found["gen_ai.request.model"],
        )
        assert (f"chat {model}", 3, b"") == (span.name, span.kind, span.parent_span_id)
        assert (inputs, outputs) == (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"])
        assert ok is ("error.type" not in found)
        if stream:
            assert pytest.approx((first - sent) / 1e9) == found["gen_ai.response.time_to_first_chunk"]
            assert manifest.utc_ns(first) == events["harness.first_content"]
    resource = plain(collector.received[0][1].resource_spans[0].resource.attributes)
    assert ("harness", manifest.run_id, True, True) == (
        resource["service.name"],
        resource["harness.run_id"],
        resource["harness.simulated"],
        resource["harness.valid"],
    )


def test_the_metrics_are_the_conventions_histograms_and_the_reports_figures(run: Path, collector: Any) -> None:
    assert 0 == send(run, collector).returncode
    metrics, summary = metrics_of(collector), read_stored_run(RunFolder(run)).summary
    assert summary is not None
    durations = metrics["gen_ai.client.operation.duration"]
    assert "s" == durations.unit
    points = {plain(each.attributes)["harness.target"]: each for each in durations.histogram.data_points}
    for target in summary.targets:
        point = points[target.target]
        assert target.requests == point.count == sum(point.bucket_counts)
        assert len(point.explicit_bounds) + 1 == len(point.bucket_counts)
        assert target.e2e_s is not None
        assert pytest.approx(target.e2e_s.mean) == point.sum / point.count
    usage = metrics["gen_ai.client.token.usage"]
    kinds = Counter(plain(each.attributes)["gen_ai.token.type"] for each in usage.histogram.data_points)
    assert {"input": len(summary.targets), "output": len(summary.targets)} == kinds
    first = metrics["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points[0]
    assert first.count > 0
    rates = {plain(p.attributes)["harness.target"]: p.as_double for p in metrics["harness.pass_rate"].gauge.data_points}
    assert {t.target: 100 * t.pass_rate.value for t in summary.targets if t.pass_rate} == rates


def test_the_attempts_of_a_retried_request_are_spans_below_it(run: Path, collector: Any) -> None:
    request = retry_one(run)
    assert 0 == send(run, collector).returncode
    [root] = [span for span in spans_of(collector) if plain(span.attributes).get("harness.request_id") == request]
    below = [span for span in spans_of(collector) if span.parent_span_id == root.span_id]
    assert ["attempt 1", "attempt 2"] == [span.name for span in below]
    assert [2, 0] == [span.status.code for span in below]
    assert {root.trace_id} == {span.trace_id for span in below}
    assert "throttled" == plain(below[0].attributes)["error.type"]
    assert 429 == plain(below[0].attributes)["http.response.status_code"]
    assert (2, root.start_time_unix_nano) == (plain(root.attributes)["harness.attempts"], below[0].start_time_unix_nano)


def test_no_prompt_no_answer_and_no_message_leaves_the_machine(run: Path, collector: Any) -> None:
    retry_one(run)
    assert 0 == send(run, collector).returncode
    sent = b"".join(collector.bodies)
    texts = [text for (text,) in duckdb.sql(f"SELECT DISTINCT text FROM '{run}/attempts.parquet'").fetchall()]
    prompts = [m.content for prompt in RunFolder(run).read_suite().prompts for m in prompt.messages]
    said = [text for text in (*texts, *prompts) if isinstance(text, str) and len(text) > 12]
    assert said
    assert [] == [text for text in said if text.encode() in sent]
    assert b"SECRET PROMPT" not in sent


def test_a_second_export_has_the_same_ids(run: Path, collector: Any) -> None:
    for _ in range(2):
        assert 0 == send(run, collector).returncode
    assert {2} == set(Counter((span.trace_id, span.span_id) for span in spans_of(collector)).values())


def test_without_a_summary_nothing_is_sent_unless_forced_and_then_the_rows_alone(run: Path, collector: Any) -> None:
    (run / "summary.json").unlink()
    assert (2, []) == (send(run, collector).returncode, collector.received)
    assert 0 == send(run, collector, "--force").returncode
    assert "gen_ai.client.operation.duration" in metrics_of(collector)
    assert "harness.pass_rate" not in metrics_of(collector)
    resource = plain(collector.received[0][1].resource_spans[0].resource.attributes)
    assert resource["harness.valid"] is False


@pytest.mark.parametrize(("status", "said"), [(401, "code: 401"), (302, "redirect")])
def test_a_collector_that_refuses_gets_no_second_request_and_no_secret_is_told(
    run: Path, collector: Any, status: int, said: str
) -> None:
    collector.status = status
    refused = send(run, collector)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "error: the collector did not accept spans (0 were sent before)" in refused.stderr
    assert said in refused.stderr
    assert "; check OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318 if not set)" in refused.stderr
    assert SECRET not in refused.stderr
    assert {SECRET} == collector.keys  # sent as a header, and to nobody else
    assert 1 == refused.stderr.count("\n")


def test_of_a_collector_that_is_away_the_error_says_why(run: Path, collector: Any) -> None:
    collector.status = 503
    refused = send(run, collector)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert "Service Unavailable" in refused.stderr
    assert 1 == refused.stderr.count("\n")


def test_without_the_extra_the_error_says_what_to_install(run: Path, tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("raise ImportError")  # before the installed one on the path
    refused = run_harness(run.parents[1], "export", run, "--to", "otlp", figures=(), PYTHONPATH=str(tmp_path))
    assert 2 == refused.returncode
    assert "`pip install -c constraints.txt '.[otel]'` installs it" in refused.stderr
