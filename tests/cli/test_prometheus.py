"""`harness run --prometheus`: what Prometheus reads while a real load is sent."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families

from harness.cli.options import Address, parse_address
from tests.cli.conftest import Bedrock
from tests.processes import wait_until

SLOW = """\
suite: slow
targets: [{model: claude-haiku-4-5, routing: global, api: converse, client: wire}]
load: {concurrency: 2, repeats: 100000}
prompts: [{id: a, prompt: "Say a", expect: a}]
"""


def scrape(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url) as answer:
        assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["Content-Type"]
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {sample.name: sample.value for family in families for sample in family.samples}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_counts_are_served_while_a_run_goes_on(
    start_harness: Any, bedrock: Bedrock, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    child = start_harness(
        "run", "slow.yaml", "--endpoint", bedrock.url, "--prometheus", "0", "--workers", workers, "--budget", "9"
    )
    line = next(line for line in child.stderr if line.startswith("metrics for Prometheus"))
    match = re.fullmatch(r"metrics for Prometheus: (http://127\.0\.0\.1:\d+)/metrics\n", line)
    assert match
    url = f"{match[1]}/metrics"
    wait_until(lambda: scrape(url).get("harness_requests_answered_total", 0) > 2)
    first, second = scrape(url), scrape(url)
    assert first["harness_requests_done_total"] <= second["harness_requests_done_total"]
    assert first["harness_ttft_seconds_count"] > 0
    assert 9 == first["harness_budget_usd"]
    for path, status in (("/", 404), ("/metrics/x", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(match[1] + path)
        with refused.value:
            assert status == refused.value.code
    with socket.create_connection(("127.0.0.1", int(match[1].rpartition(":")[2]))) as rude:
        rude.sendall(b"POST /metrics HTTP/1.1\r\n\r\n")
        assert rude.recv(100).startswith(b"HTTP/1.1 405 ")
    with socket.create_connection(("127.0.0.1", int(match[1].rpartition(":")[2]))) as rude:
        rude.sendall(b"x" * 100_000)  # no head: dropped, and the load goes on
        scrape(url)
    child.terminate()
    assert any(line.startswith("interrupted") for line in child.stderr)
    child.terminate()  # at once, without a report
    _, err = child.communicate(timeout=60)
    assert 130 == child.returncode, err
    assert "Traceback" not in err
    assert "Task exception" not in err


def test_an_address_in_use_is_refused_before_anything_is_sent(harness: Any, bedrock: Bedrock, tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = harness("run", "slow.yaml", "--endpoint", bedrock.url, "--prometheus", str(port))
    assert (2, "") == (refused.returncode, refused.stdout)
    assert f"--prometheus 127.0.0.1:{port}: cannot be served" in refused.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("9464", Address("127.0.0.1", 9464)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:9464", Address("::1", 9464)),
    ],
)
def test_an_address_is_a_port_or_a_host_and_a_port(written: str, expected: Address) -> None:
    assert expected == parse_address(written)


@pytest.mark.parametrize("written", ["", "x", ":9464", "127.0.0.1", "127.0.0.1:", "1:65536", "::1:9464", "9464x", "-1"])
def test_anything_else_is_no_address(written: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not PORT or HOST:PORT"):
        parse_address(written)
