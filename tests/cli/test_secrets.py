"""The real command against a stand-in for AWS behind a proxy. Both quote all secrets; none is stored or printed."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
import trustme

from harness.endpoints.dialects.eventstream import encode_event, encode_exception
from tests.canary import NO_CREDENTIALS
from tests.cli.conftest import Harness, call_harness, run_harness
from tests.processes import only_run

KEY_ID = "their-own-key-id"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARYKEY"
TOKEN = "IQoJb3JpZ2luX2VjEHoaCXVz/LWVhc3QtMSJH+MEUCIQDkCANARYTOKEN=="
PASSWORD = "pr/xy s@cret+1"
KEYS = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY, "AWS_SESSION_TOKEN": TOKEN}
SECRETS = (KEY_ID, KEY, TOKEN, PASSWORD)

SUITE = """\
suite: quoted
targets:
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire, region: us-east-1, label: a}
  - {model: claude-haiku-4-5, routing: us, api: converse, client: aioboto3, region: us-east-1, stream: false, label: b}
  - {model: claude-haiku-4-5, routing: global, api: invoke, client: anthropic, region: us-east-1, label: c}
  - {model: claude-haiku-4-5, routing: global, api: converse, client: aioboto3, region: us-west-2, label: d}
  - {model: claude-haiku-4-5, routing: global, api: converse, client: wire, region: us-west-2, label: e}
judges: {strict: {model: claude-sonnet-4-6, routing: global, api: converse, client: wire, region: us-east-1}}
load: {concurrency: 4}
retries: {max_attempts: 1}
prompts:
  - {id: refuse, prompt: Please refuse., checks: [{type: contains, expect: x}]}
  - {id: page, prompt: Please send a page., checks: [{type: contains, expect: x}]}
  - {id: frame, prompt: Please break off., checks: [{type: contains, expect: x}]}
  - {id: answer, prompt: Please answer., checks: [{type: judge, judge: strict, rubric: Is it right?}]}
"""


def spellings(secret: str) -> list[str]:
    """The secret as it is, and as escaped in a URL and in JSON."""
    unicode = "".join(c if c.isalnum() else f"\\u{ord(c):04x}" for c in secret)
    lower = "".join(quote(c, safe="").lower() if not c.isalnum() else c for c in secret)
    return [secret, quote(secret, safe=""), lower, unicode]


def quoted(secrets: tuple[str, ...]) -> str:
    """All secrets in all spellings, including the proxy's password, which was sent only to the proxy."""
    basic = b64encode(f"me:{PASSWORD}".encode()).decode()
    return " ".join([each for secret in secrets for each in spellings(secret)] + [basic])


IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>{}</Arn><UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


def answer_to(path: str, body: bytes) -> bytes:
    """A response that quotes the secrets: in an AWS error, on a page, in an exception frame or in a model's answer."""
    quotes = quoted(SECRETS)
    if b"GetCallerIdentity" in body:
        arn = f"arn:aws:iam::123456789012:user/{TOKEN}"
        return respond(200, IDENTITY.format(arn).encode())
    ids = f"x-amzn-RequestId: {KEY}\r\nrequest-id: {KEY}\r\n"
    if b"refuse" in body or not path.startswith("/model/"):
        return respond(403, json.dumps({"message": f"Not {quotes}"}).encode(), f"x-amzn-errortype: {TOKEN}\r\n{ids}")
    if b"page" in body:
        return respond(502, f"<p>{'x' * 1900}{quotes * 3}".encode(), ids)
    text = json.dumps({"score": 1, "reason": f"It is {quotes}"})
    halves = [text[: len(text) // 3], text[len(text) // 3 :]]
    broken = b"break off" in body
    if path.endswith("/converse"):
        return respond(
            500 if broken else 200, b'{"message": %b}' % json.dumps(quotes).encode() if broken else whole(text)
        )
    deltas = [{"contentBlockIndex": 0, "delta": {"text": half}} for half in halves]
    if path.endswith("/converse-stream"):
        events = [encode_event("contentBlockDelta", json.dumps(each).encode()) for each in deltas]
        end = [encode_event("messageStop", b'{"stopReason": "end_turn"}'), encode_event("metadata", b'{"usage": {}}')]
    else:
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
        events = [chunk(type="message_start", message=message)]
        events += [chunk(type="content_block_start", index=0, content_block={"type": "text", "text": ""})]
        events += [
            chunk(type="content_block_delta", index=0, delta={"type": "text_delta", "text": half}) for half in halves
        ]
        end = [chunk(type="content_block_stop", index=0)]
        end += [chunk(type="message_delta", delta={"stop_reason": KEY}, usage={"output_tokens": 1})]
        end += [chunk(type="message_stop")]
    failure = encode_exception("throttlingException", json.dumps({"message": quotes}).encode())
    return respond(200, b"".join([*events, failure] if broken else [*events, *end]), ids, stream=True)


def whole(text: str) -> bytes:
    cited = {"title": TOKEN, "sourceContent": [{"text": TOKEN}], "location": {"documentPage": {"start": 1, "end": 2}}}
    block = {"citationsContent": {"content": [{"text": text}], "citations": [cited]}}
    usage = {"inputTokens": 1, "outputTokens": 1}
    return json.dumps({"output": {"message": {"content": [block]}}, "stopReason": TOKEN, "usage": usage}).encode()


def chunk(**event: Any) -> bytes:
    return encode_event("chunk", json.dumps({"bytes": b64encode(json.dumps(event).encode()).decode()}).encode())


def respond(status: int, body: bytes, headers: str = "", *, stream: bool = False) -> bytes:
    kind = "application/vnd.amazon.eventstream" if stream else "application/json"
    head = f"HTTP/1.1 {status} X\r\n{headers}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def read_head(file: BufferedIOBase) -> bytes:
    """The head of an HTTP request; empty if there is none any more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = file.readline()
        if not line:
            return b""
        head += line
    return head


class Proxy(socketserver.StreamRequestHandler):
    """A proxy that refuses tunnels to us-west-2 and plays AWS at the end of all others."""

    def handle(self) -> None:
        try:
            head = read_head(self.rfile)
            self.server.heads.append(head)  # type: ignore[attr-defined]
            if b"us-west-2" in head:
                self.wfile.write(f"HTTP/1.1 407 {quoted((PASSWORD,))}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            context: ssl.SSLContext = self.server.context  # type: ignore[attr-defined]
            with context.wrap_socket(self.connection, server_side=True) as inside, inside.makefile("rwb") as file:
                while head := read_head(file):
                    self.server.heads.append(head)  # type: ignore[attr-defined]
                    lines = head.lower().split(b"\r\n")
                    length = sum(int(line[15:]) for line in lines if line[:15] == b"content-length:")
                    file.write(answer_to(head.split()[1].decode(), file.read(length)))
                    file.flush()
        except OSError:
            return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Server]:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("*.us-east-1.amazonaws.com").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Server(("127.0.0.1", 0), Proxy) as server:
        server.context, server.heads = context, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def surroundings(tmp_path: Path, proxy: Server) -> dict[str, str]:
    """An environment that reaches AWS through the proxy."""
    bundle = str(tmp_path / "ca.pem")
    return {
        "HTTPS_PROXY": f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{proxy.server_address[1]}",
        "NO_PROXY": "",
        "AWS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        **NO_CREDENTIALS,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }


def everything_in(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file's name and text; for a Parquet file, the text of its rows."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".parquet":
            yield path.name, repr(duckdb.sql(f"SELECT * FROM '{path}'").fetchall())
        elif path.is_file():
            yield path.name, path.read_bytes().decode(errors="replace")


def secrets_in(text: str) -> list[str]:
    basic = b64encode(f"me:{PASSWORD}".encode()).decode()
    return [each for secret in SECRETS for each in spellings(secret) if each in text] + [basic] * (basic in text)


@pytest.mark.parametrize(
    ("given", "start", "more"),
    [("environment", run_harness, ("--workers", "2")), ("profile", call_harness, ())],
)
def test_a_run_writes_and_prints_no_secret_that_servers_and_proxies_quote(
    tmp_path: Path, proxy: Server, surroundings: dict[str, str], given: str, start: Harness, more: tuple[str, ...]
) -> None:
    (tmp_path / "quoted.yaml").write_text(SUITE)
    if given == "profile":
        lines = [f"{name.lower()} = {value}" for name, value in KEYS.items()]
        (tmp_path / "credentials").write_text("\n".join(["[work]", *lines]))
        own = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_PROFILE": "work"}
    else:
        own = KEYS
    line = ("run", "quoted.yaml", "--endpoint", "aws", "--no-preflight", *more)
    done = start(tmp_path, *line, **{**surroundings, **own})
    assert (tmp_path / "results").exists(), done.stderr
    run = only_run(tmp_path)
    rows = duckdb.sql(f"SELECT client, region, error_kind, text FROM '{run}/attempts.parquet'").fetchall()
    kinds = {(client, region): {row[2] for row in rows if row[:2] == (client, region)} for client, region, *_ in rows}
    assert {None, "access_denied", "unavailable"} <= set.intersection(
        *(kinds[at] for at in kinds if at[1] == "us-east-1")
    )
    assert [{"connection"}] * 2 == [kinds[client, "us-west-2"] for client in ("wire", "aioboto3")]
    assert {"attempts.parquet", "report.html", "judgements.jsonl"} <= {name for name, _ in everything_in(run)}
    written = {name: secrets_in(text) for name, text in everything_in(run)}
    printed = {"stdout": secrets_in(done.stdout), "stderr": secrets_in(done.stderr)}
    assert {} == {name: found for name, found in {**written, **printed}.items() if found}
    assert any("It is [redacted]" in (text or "") for *_, text in rows)
    assert sum(TOKEN.encode() in head for head in proxy.heads) >= 12  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "arguments",
    [
        ("doctor",),
        ("doctor", "--json"),
        *(("import", "logs:group", "--out", "x.yaml", *debug) for debug in ((), ("--debug",))),
    ],
)
def test_the_doctor_prints_no_secret_either(
    tmp_path: Path, surroundings: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """Neither in AWS's answers nor in a wrapped table, an error or a traceback."""
    done = run_harness(tmp_path, *arguments, "--region", "us-east-1", **{**surroundings, **KEYS})
    assert "redacted" in done.stdout + done.stderr
    assert ("Traceback" in done.stderr) == ("--debug" in arguments)
    assert [] == secrets_in("".join((done.stdout + done.stderr).split("\n")))
