from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.processes import only_run


class Logged(NamedTuple):
    """A run of the tiny suite and the server's own log of it."""

    run: Path
    log: Path


@pytest.fixture
def logged(tmp_path: Path, suite: Path, harness: Callable[..., Any], make_bedrock: Callable[..., Any]) -> Logged:
    log = tmp_path / "invocations.jsonl"
    bedrock = make_bedrock("--speed", "20", "--invocation-log", str(log))
    done = harness("run", suite.name, "--endpoint", bedrock.url, "--quiet")
    assert done.returncode in (0, 4), done.stderr
    run = only_run(tmp_path)
    sent = len(bedrock.truth())
    while log.read_bytes().count(b"\n") < sent:  # the server writes within a second
        time.sleep(0.02)
    return Logged(run, log)


def tamper(log: Path, number: int, change: Callable[[dict[str, Any]], object]) -> str:
    """Change one record of the log; returns its request id."""
    records = [json.loads(line) for line in log.read_text().splitlines()]
    change(records[number])
    log.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    return str(records[number]["requestId"])


def test_a_run_agrees_with_its_servers_log_until_someone_changes_it(
    harness: Callable[..., Any], logged: Logged
) -> None:
    done = harness("reconcile", logged.run, "--log", logged.log, "--json")
    found = json.loads(done.stdout)
    assert (0, True) == (done.returncode, found["agrees"])
    assert found == json.loads((logged.run / "reconcile.json").read_text())
    assert all(each["attempts"] == each["logged"] and each["cost_usd"] for each in found["targets"])
    assert [sum(each["served_in"].values()) for each in found["targets"]] == [t["logged"] for t in found["targets"]]

    dearer = tamper(logged.log, 0, lambda record: record["output"].update(outputTokenCount=9_999))
    tamper(logged.log, 4, lambda record: record.update(requestId="nobody-knows"))
    with logged.log.open("a") as log:
        log.write("{broken\n")
    done = harness("reconcile", logged.run, "--log", logged.log)
    assert 4 == done.returncode
    for text in (
        "SIMULATED",
        "do NOT agree",
        f"! {dearer} ",
        "output_tokens is",
        "cost_usd is",
        "1 attempts were answered so recently",
        "1 records of the run's own caller are not in the run",
        "nobody-knows",
        "1 line of the log cannot be read",
    ):
        assert text in done.stdout


def test_imported_traffic_becomes_a_suite_that_runs(
    harness: Callable[..., Any], logged: Logged, tmp_path: Path
) -> None:
    done = harness("import", logged.log, "--out", "suites/mine.yaml", "--candidate", "claude-opus-4-8", "--json")
    assert 0 == done.returncode, done.stderr
    imported = json.loads(done.stdout)
    assert (3, 3, "harness run suites/mine.yaml --endpoint aws") == (
        imported["distinct_prompts"],
        imported["prompts"],
        imported["next_command"],
    )
    trace = [json.loads(line) for line in (tmp_path / "suites/mine.trace.jsonl").read_text().splitlines()]
    assert imported["calls"] == len(trace) == len(logged.log.read_text().splitlines())
    assert sorted(line["offset_s"] for line in trace) == [line["offset_s"] for line in trace]
    done = harness("run", "suites/mine.yaml", "--endpoint", "simulator", "--quiet", "--json")
    summary = json.loads(done.stdout)
    assert imported["targets"] == [target["target"] for target in summary["targets"]]
    assert all(target["requests"] == target["succeeded"] == 3 for target in summary["targets"])
