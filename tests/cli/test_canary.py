"""Made-up credentials in the environment of real commands, searched for in everything that they touch.

The endpoint is on loopback, which must never be sent a credential. It quotes each request in its errors, and redirects
to another host. (`test_secrets.py` does the same with what AWS is sent.)
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import call_harness
from tests.cli.test_secrets import everything_in, read_head

CANARY = "cAnArY7"
"""Part of every credential, none of which is in this file as a whole."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{CANARY}KEYID",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}/secret+key",
    "AWS_SESSION_TOKEN": f"{CANARY}/session+token==",
    "AWS_BEARER_TOKEN_BEDROCK": f"ABSK{CANARY}bearer",
    "ANTHROPIC_API_KEY": f"sk-ant-{CANARY}-key",
    "ANTHROPIC_AUTH_TOKEN": f"{CANARY}-auth-token",
    "ANTHROPIC_CUSTOM_HEADERS": f"X-Gateway-Key: {CANARY}-gateway",
    "HTTPS_PROXY": f"http://me:{CANARY}%2Fpassword@127.0.0.1:9",
    "HARNESS_WEBHOOK_URL": f"http://127.0.0.1:9/services/{CANARY}/webhook",
    "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARY}-collector,x-key={CANARY}-key",
    "SOMEBODY_ELSES_API_KEY": f"{CANARY}-somebody-elses",
}
SUITE = """\
suite: canary
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: [wire, aioboto3], stream: false}
  - {model: claude-haiku-4-5, routing: us, api: [converse, invoke, messages, openai], client: wire}
  - {model: claude-haiku-4-5, routing: us, api: [converse, invoke], client: aioboto3}
  - {model: claude-haiku-4-5, routing: us, api: invoke, client: anthropic}
  - {model: claude-haiku-4-5, api: mantle, client: [wire, anthropic]}
baseline: claude-haiku-4-5/global/converse/wire
judges: {strict: {model: claude-opus-4-5, routing: us, api: converse, client: wire}}
load: {concurrency: 4}
prompts:
  - {id: refuse, prompt: Please refuse., checks: [{type: contains, expect: x}]}
  - {id: redirect, prompt: Please redirect., checks: [{type: contains, expect: x}]}
  - id: answer
    prompt: Please answer.
    checks: [{type: judge, judge: strict, rubric: Is it right?}, {type: python, file: checks.py, function: look_around}]
"""
SWEEP = "--by concurrency --from 1 --to 1 --percentile 50 --slo-e2e 6s --target claude-haiku-4-5/global/converse/wire"
CHECKS = f"""\
from pathlib import Path

def holds_it(path):
    try:
        return {CANARY!r}.encode() in path.read_bytes()
    except OSError:
        return False

def look_around(case):
    paths = [*Path("/proc").glob("[0-9]*/cmdline"), Path("/proc/self/environ")]
    return not any(map(holds_it, paths)), f"looked into {{len(paths)}} files"
"""


class Bedrock(socketserver.StreamRequestHandler):
    """Records each request, and answers one that asks for a redirect, an answer or an error that quotes it."""

    def handle(self) -> None:
        while head := read_head(self.rfile):
            lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            body = self.rfile.read(sum(map(int, lengths)))
            self.server.requests.append(head + body)  # type: ignore[attr-defined]
            self.wfile.write(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        if b"redirect" in body:
            return f"HTTP/1.1 307 X\r\nLocation: {self.server.other}/x\r\nContent-Length: 0\r\n\r\n".encode()  # type: ignore[attr-defined]
        status, content = 403, {"message": f"You sent {head.decode('latin-1')}"}
        if head.split()[1].endswith(b"/converse") and b"refuse" not in body:
            text = json.dumps({"score": 1, "reason": "fine"})
            message = {"message": {"content": [{"text": text}]}}
            status = 200
            content = {"output": message, "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1}}
        written = json.dumps(content).encode()
        return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
            status,
            len(written),
            written,
        )


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, other: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Bedrock)
        self.requests: list[bytes] = []
        self.other = other
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    """The endpoint, and the other host to which it redirects."""
    with Server() as other, Server(other.url) as endpoint:
        yield endpoint, other
        for server in (endpoint, other):
            server.shutdown()


def test_no_credential_reaches_a_file_an_output_an_argument_a_child_or_another_host(
    tmp_path: Path, servers: tuple[Server, Server]
) -> None:
    endpoint, other = servers
    (tmp_path / "canary.yaml").write_text(SUITE)
    (tmp_path / "checks.py").write_text(CHECKS)
    send = ("canary.yaml", "--endpoint", endpoint.url)
    lines = (
        ("run", *send),
        ("report", "--judge"),
        ("gate", "--webhook", "slack"),
        ("sweep", *send, *SWEEP.split()),
        ("doctor", *send),
        ("import", "logs:group", "--endpoint", endpoint.url, "--out", "mine.yaml"),
    )
    done = [call_harness(tmp_path, *line, **CREDENTIALS) for line in lines]
    assert [2] * 2 == [each.returncode for each in done[-2:]]  # not what AWS would say
    assert 2 not in [each.returncode for each in done[:-2]], [each.stderr for each in done]
    printed = "".join(each.stdout + each.stderr for each in done)
    assert CANARY not in printed
    assert [] == [name for name, text in everything_in(tmp_path) if CANARY in text and name != "checks.py"]
    assert [] == [request for request in endpoint.requests if CANARY.encode() in request]
    assert [] == other.requests
    [run] = [path.parent for path in tmp_path.glob("results/*/judgements.jsonl")]
    written = dict(everything_in(run))
    assert "looked into" in written["judgements.jsonl"]
    scores = duckdb.sql(
        f"SELECT DISTINCT passed FROM '{run}/scores.parquet' WHERE scorer = 'python' AND reason LIKE 'looked%'"
    )
    assert [(True,)] == scores.fetchall()
    assert "access_denied" in written["attempts.parquet"]
    assert "protocol" in written["attempts.parquet"]
