"""`harness run` end to end: the real command, the real clients, a real server in another process."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any, get_args, get_type_hints

import duckdb
import msgspec

from harness.catalog.target import Api
from harness.load.plan import make_plan
from harness.store.records import Attempt
from harness.suite.loader import load_suite
from tests.cli.conftest import make_valid_run
from tests.processes import only_run, wait_for_attempts


def select(run: Path, columns: str) -> list[Any]:
    return duckdb.sql(f"SELECT {columns} FROM read_parquet('{run}/attempts.parquet')").fetchall()


def read_journal(run: Path) -> list[Attempt]:
    """The whole lines of a run's journal."""
    lines = (run / "attempts.jsonl").read_bytes().splitlines(keepends=True)
    return [msgspec.json.decode(line, type=Attempt) for line in lines if line.endswith(b"\n")]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def test_a_run_writes_every_documented_file(finished: Any) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert {
        "manifest.json",
        "suite.json",
        "suite.yaml",
        "attempts.parquet",
        "scores.parquet",
        "summary.json",
        "report.md",
        "report.html",
        "plots",
    } == names
    manifest = read_json(finished.folder / "manifest.json")
    assert ("complete", True, 21) == (manifest["state"], manifest["simulated"], manifest["planned"])


def test_the_attempts_are_exactly_the_planned_ones_once_each(finished: Any) -> None:
    plan = make_plan(load_suite(finished.folder / "suite.yaml"), seed=3)
    planned = [(p.request_id, p.target, p.prompt_id, p.repeat, p.phase) for each in plan for p in each.requests]
    assert sorted(planned) == sorted(select(finished.folder, "request_id, target, prompt_id, repeat, phase"))


def test_the_columns_are_exactly_those_of_an_attempt(finished: Any) -> None:
    parquet = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{finished.folder}/attempts.parquet')").fetchall()
    assert list(get_type_hints(Attempt)) == [column[0] for column in parquet]


def test_every_attempt_agrees_with_the_server_on_what_happened_and_in_which_order(finished: Any) -> None:
    """Joined request by request; both sides stamp the same CLOCK_MONOTONIC, so cause must come before effect."""
    origin = read_json(finished.folder / "manifest.json")["origin_monotonic_ns"]
    attempts = select(
        finished.folder,
        "aws_request_id, due_ns, headers_ns, first_ns, last_ns, done_ns, len(chunk_us), output_tokens, stream",
    )
    assert {attempt[0] for attempt in attempts} == set(finished.truth)
    for request_id, due, headers, first, last, done, chunks, tokens, stream in attempts:
        server = finished.truth[request_id]
        assert (200, tokens) == (server["status"], server["output_tokens"])
        assert due + origin <= server["received_ns"]
        assert server["first_ns"] <= first + origin <= last + origin <= done + origin
        assert server["last_ns"] <= last + origin
        assert headers <= first
        if stream:
            assert chunks == server["chunks"]
        assert first - due >= server["first_ns"] - server["received_ns"]


def test_every_kind_of_target_records_the_same_facts(finished: Any) -> None:
    """Both apis, both clients, streaming and not: usage, ids and stop reason are there, and the cost is known."""
    facts = "text, input_tokens, output_tokens, stop_reason, aws_request_id, cost_usd, first_ns, done_ns, http_status"
    for attempt in select(finished.folder, facts):
        assert None not in attempt


def test_the_last_lines_say_who_won_on_what_and_where_the_report_is(finished: Any) -> None:
    lines = [line for line in finished.stdout.splitlines() if line.strip()]
    assert str(Path("results") / finished.folder.name / "report.html") in lines[-1]
    assert "pass rate" in finished.stdout
    assert "SIMULATED" in finished.stdout


def test_the_same_seed_gives_the_same_requests_and_another_seed_another_order(
    finished: Any, harness: Any, suite: Path, bedrock: Any, tmp_path: Path
) -> None:
    asked = "request_id, prompt_id, target"
    for seed, same in (("3", True), ("4", False)):
        out = tmp_path / seed
        harness("run", suite, "--endpoint", bedrock.url, "--seed", seed, "--out", out)
        (run,) = out.glob("*/")
        assert same == (sorted(select(finished.folder, asked)) == sorted(select(run, asked)))


def test_a_suite_for_the_simulator_gets_its_own_simulator(suite: Path, tmp_path: Path) -> None:
    target = ("--target", "claude-haiku-4-5/global/converse")
    done, run = make_valid_run(tmp_path, str(suite), "--repeats", "1", "--json", "--quiet", *target)
    assert "" == done.stderr
    summary = json.loads(done.stdout)
    assert (True, "simulator", [3]) == (
        summary["simulated"],
        summary["endpoint"],
        [target["requests"] for target in summary["targets"]],
    )
    assert read_json(run / "summary.json") == summary


def test_a_dry_run_sends_nothing_and_shows_the_cost(harness: Any, suite: Path, bedrock: Any) -> None:
    bedrock.truth()
    done = harness("run", suite, "--endpoint", bedrock.url, "--dry-run")
    assert (0, "") == (done.returncode, done.stderr)
    assert "21 requests to 3 targets" in done.stdout
    assert "nothing was sent" in done.stdout
    forecast = json.loads(harness("run", suite, "--endpoint", bedrock.url, "--dry-run", "--json").stdout)
    power = {each["metric"]: each for each in forecast["power"]["metrics"]}
    minutes = [each["minutes_for_worse"] for metric, each in power.items() if "_p50" in metric or "_p95" in metric]
    assert all(each is None or each > 1 for each in minutes)
    assert any(minutes), power
    assert {"a_minute": 1.0, "seconds": 4.0, "source": "assumed"} == forecast["power"]["stalls"]
    assert "each target has 1 stall a minute of 4 s" in " ".join(done.stdout.split())
    assert re.search(r"\d in \d+(\.\d)? min", done.stdout)
    assert [7, 7, 7] == [target["requests"] for target in forecast["targets"]]
    assert 0 < forecast["cost_usd_at_most"]
    assert "prompts needed to rule out the margin" in done.stdout
    assert all(each["prompts_for_no_worse"] > 5 for each in power.values())
    assert [] == bedrock.truth()


def test_a_budget_that_is_spent_ends_the_run_early(harness: Any, suite: Path, bedrock: Any, tmp_path: Path) -> None:
    done = harness("run", suite, "--endpoint", bedrock.url, "--repeats", "50", "--budget", "0.0001")
    assert 4 == done.returncode
    assert "the budget of $0.0001 does not pay for the next request" in done.stdout
    assert "interrupted" == read_json(only_run(tmp_path) / "manifest.json")["state"]
    assert len(select(only_run(tmp_path), "1")) < 100


def test_throttled_attempts_are_recorded_and_retried(
    harness: Any, make_bedrock: Any, tmp_path: Path, suite: Path
) -> None:
    suite.write_text(suite.read_text() + "retries: {max_attempts: 10, on: [throttled], base: 1ms}\n")
    throttling = make_bedrock("--speed", "50", "--throttle-rate", "0.5")
    harness("run", suite, "--endpoint", throttling.url)
    kinds = dict(select(only_run(tmp_path), "DISTINCT http_status, error_kind"))
    assert {200: None, 429: "throttled"} == kinds
    assert 21 == len({request_id for (request_id,) in select(only_run(tmp_path), "request_id")})
    assert len(select(only_run(tmp_path), "1")) > 21


def test_a_closed_port_fails_every_request_and_invalidates_the_run(harness: Any, suite: Path, tmp_path: Path) -> None:
    done = harness("run", suite, "--endpoint", f"http://127.0.0.1:{closed_port()}")
    assert 4 == done.returncode
    assert [("connection",)] == select(only_run(tmp_path), "DISTINCT error_kind")
    assert "check that the endpoint is up" in done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_no_secret_is_sent_to_loopback_or_written_anywhere(
    process: Any, suite: Path, bedrock: Any, tmp_path: Path
) -> None:
    canaries = {
        "AWS_BEARER_TOKEN_BEDROCK": "canary-bearer-51b0",
        "AWS_ACCESS_KEY_ID": "AKIACANARY0000000001",
        "AWS_SECRET_ACCESS_KEY": "canary-secret-51b1",
        "AWS_SESSION_TOKEN": "canary-session-51b2",
        "ANTHROPIC_API_KEY": "canary-anthropic-51b3",
    }
    done = process("run", suite, "--endpoint", bedrock.url, "--debug", **canaries)
    assert 0 == done.returncode, done.stderr
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    output = done.stdout.encode() + done.stderr.encode()
    assert [] == [name for name, value in canaries.items() if value.encode() in written + output]


LONG = ("--repeats", "200", "--quiet", "--target", "claude-haiku-4-5/global/converse")


def test_ctrl_c_finishes_what_is_in_flight_and_reports(start_harness: Any, suite: Path, tmp_path: Path) -> None:
    child = start_harness("run", suite, "--repeats", "200", "--quiet")
    wait_for_attempts(tmp_path, child)
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=60)
    assert 130 == child.returncode
    assert "finishing requests in flight" in stderr
    run = only_run(tmp_path)
    assert "interrupted" == read_json(run / "manifest.json")["state"]
    assert [(True,)] == select(run, "DISTINCT ok")
    assert str(run.relative_to(tmp_path)) in stdout
    assert [] == list(run.glob("*.jsonl"))


def test_ctrl_c_twice_stops_at_once_and_the_journal_can_be_reported_on(
    start_harness: Any, harness: Any, suite: Path, bedrock: Any, tmp_path: Path
) -> None:
    child = start_harness("run", suite, *LONG, "--endpoint", bedrock.url)
    wait_for_attempts(tmp_path, child)
    child.send_signal(signal.SIGINT)
    assert child.stderr is not None
    while "finishing requests in flight" not in child.stderr.readline():
        pass
    child.send_signal(signal.SIGINT)
    _, stderr = child.communicate(timeout=60)
    assert 130 == child.returncode, stderr
    run = only_run(tmp_path)
    journaled = read_journal(run)
    assert "cancelled" in {attempt.error_kind for attempt in journaled}
    assert 4 == harness("report", run).returncode
    assert len(journaled) == len(select(run, "1"))


def test_kill_9_loses_nothing_that_was_journaled(
    start_harness: Any, harness: Any, suite: Path, bedrock: Any, tmp_path: Path
) -> None:
    child = start_harness("run", suite, *LONG, "--endpoint", bedrock.url)
    wait_for_attempts(tmp_path, child)
    child.kill()
    child.wait()
    run = only_run(tmp_path)
    journaled = {attempt.attempt_id for attempt in read_journal(run)}
    done = harness("report", run)
    assert 4 == done.returncode, done.stderr
    assert journaled == {attempt_id for (attempt_id,) in select(run, "attempt_id")}


EVERY_API = """\
suite: every-api
targets:
  - {model: claude-haiku-4-5, routing: global, api: [invoke, converse, messages, openai], stream: [true, false]}
  - {model: claude-opus-4-8, api: mantle, stream: [true, false]}
load: {concurrency: 1}
prompts:
  - {id: france, prompt: Capital of France? One word., expect: Paris}
"""


def test_the_default_client_speaks_every_api_to_the_embedded_bedrock(tmp_path: Path, harness: Any) -> None:
    (tmp_path / "s.yaml").write_text(EVERY_API)
    done = harness("run", "s.yaml", "--quiet")
    assert done.returncode == 0, done.stderr
    columns = "api, client, stream, ok, input_tokens > 0, output_tokens > 0, error_kind"
    rows = select(only_run(tmp_path), f"DISTINCT {columns}")
    expected = [(api, "wire", stream, True, True, True, None) for api in get_args(Api) for stream in (True, False)]
    assert sorted(expected) == sorted(rows)


def test_an_unknown_cost_is_reported_before_anything_is_sent(command: Any, bedrock: Any, tmp_path: Path) -> None:
    (tmp_path / "fast.yaml").write_text(
        "suite: fast\nbudget_usd: 1\nload: {concurrency: 1}\nprompts: [{id: a, prompt: Hi, expect: Ho}]\n"
        "targets: [{model: claude-sonnet-4-6, routing: global, service_tier: priority, label: fast}]\n"
    )
    warning = "the price of claude-sonnet-4-6/global with service_tier: priority is unknown"
    asked = " ".join(command("run", "fast.yaml", "--dry-run").stdout.split())
    assert "cost unknown (the budget of $1 cannot be enforced: a price is unknown)" in asked
    bedrock.truth()
    done = command("run", "fast.yaml", "--endpoint", bedrock.url, "--json", "--quiet")
    assert (0, True) == (done.returncode, done.stderr.startswith(f"warning: {warning}"))
    assert (1, None) == (len(bedrock.truth()), json.loads(done.stdout)["targets"][0]["cost_usd"])
