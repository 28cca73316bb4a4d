"""`harness gate --webhook` against a receiver on loopback that checks what Slack and Teams check."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from harness.analysis.past_runs import read_stored_run
from harness.analysis.summary.summary import write_summary
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder
from tests.cli.commands.verdicts.test_gate_history import keep_suite
from tests.cli.conftest import Harness

PATH = "/services/T000/B000/hOoKsEcReT0123456789"
NASTY = "<!channel> *bold* _it_ [x](http://evil) :joy: {{DATE(2017-02-14T06:00:00Z)}} <at>all</at> & `code`"
GATE = ("gate", "--against", "history")


class Receiver(BaseHTTPRequestHandler):
    """Records each body; answers with the server's next status, then with 200."""

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.received.append((self.path, self.headers["Content-Type"], json.loads(body)))
        status, headers, answer = server.answers.pop(0) if server.answers else (200, {}, b"ok")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.received, server.answers = [], []  # type: ignore[attr-defined]
        server.url = f"http://127.0.0.1:{server.server_port}{PATH}"  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def nights(past_runs: Callable[..., list[RunFolder]], tmp_path: Path) -> RunFolder:
    """Runs in results/, the last of which got slower."""
    last = past_runs(tmp_path / "results", 12, slower_from=11)[-1]
    keep_suite(last)
    return last


def check_slack(body: dict[str, Any]) -> str:
    """The rules of Block Kit for these blocks, restated; returns the text that people see."""
    assert {"text", "mrkdwn", "blocks"} == set(body)
    assert body["mrkdwn"] is False
    assert not set("<>") & set(body["text"])
    assert 1 <= len(body["blocks"]) <= 50
    seen = []
    for block in body["blocks"]:
        match block["type"]:
            case "header":
                assert {"type", "text"} == set(block)
                assert {"type": "plain_text", "emoji": False} == {k: v for k, v in block["text"].items() if k != "text"}
                assert 1 <= len(block["text"]["text"]) <= 150
                seen.append(block["text"]["text"])
            case "image":
                assert {"type", "image_url", "alt_text"} == set(block)
                assert len(block["image_url"]) <= 3000
                assert 1 <= len(block["alt_text"]) <= 2000
                seen.append(block["image_url"])
            case "rich_text":
                seen += [text for element in block["elements"] for text in check_rich_text(element)]
            case other:
                pytest.fail(f"unexpected block {other}")
    return "\n".join(seen)


def check_rich_text(element: dict[str, Any]) -> Iterator[str]:
    if element["type"] == "rich_text_list":
        assert element["style"] in ("bullet", "ordered")
        assert element["elements"]
        for each in element["elements"]:
            yield from check_rich_text(each)
        return
    assert ("rich_text_section", {"type", "elements"}) == (element["type"], set(element))
    for each in element["elements"]:
        assert each["type"] in ("text", "link")
        assert each["text"]
        assert set(each) <= {"type", "text", "style", "url"}
        yield each.get("url", each["text"])


def check_teams(body: dict[str, Any]) -> str:
    """The rules of a workflow's webhook and of Adaptive Cards 1.4 for these elements, restated."""
    assert "message" == body["type"]
    assert len(json.dumps(body).encode()) < 28 * 1024
    [attachment] = body["attachments"]
    assert ("application/vnd.microsoft.card.adaptive", None) == (attachment["contentType"], attachment["contentUrl"])
    card = attachment["content"]
    assert ("AdaptiveCard", "1.4") == (card["type"], card["version"])
    seen = []
    for element in card["body"]:
        if element["type"] == "Image":
            assert {"type", "url", "altText"} == set(element)
            seen.append(element["url"])
            continue
        assert ("RichTextBlock", {"type", "inlines"}) == (element["type"], set(element))
        for run in element["inlines"]:
            assert "TextRun" == run["type"]
            assert run["text"]
            assert set(run) <= {"type", "text", "size", "weight", "color", "isSubtle"}
            assert run.get("color", "Good") in ("Default", "Good", "Warning", "Attention")
            seen.append(run["text"])
    for action in card.get("actions", ()):
        assert ("Action.OpenUrl", {"type", "title", "url"}) == (action["type"], set(action))
        assert urlsplit(action["url"]).scheme == "https"
        seen.append(action["url"])
    return "\n".join(seen)


@pytest.mark.parametrize(("kind", "check"), [("slack", check_slack), ("teams", check_teams)])
def test_a_verdict_arrives_with_its_worst_rows_and_links(
    harness: Harness, nights: RunFolder, receiver: Any, kind: str, check: Callable[[Any], str]
) -> None:
    done = harness(
        *GATE, "--webhook", kind, "--report-url", "https://ci.example/runs/1", HARNESS_WEBHOOK_URL=receiver.url
    )
    assert (1, "") == (done.returncode, done.stderr)
    [(path, content_type, body)] = receiver.received
    assert (PATH, "application/json; charset=utf-8") == (path, content_type)
    seen = check(body)
    assert seen.startswith("SIMULATED: ✗ worse: nightly")
    assert "is worse than the last 11 runs predict on TTFT p95" in seen
    assert nights.path.name in seen
    assert "https://ci.example/runs/1/against-history.html" in seen
    assert "https://ci.example/runs/1/plots/against-history.png" in seen


@pytest.mark.parametrize(("kind", "check"), [("slack", check_slack), ("teams", check_teams)])
def test_markup_in_a_name_stays_text(
    harness: Harness, nights: RunFolder, receiver: Any, kind: str, check: Callable[[Any], str]
) -> None:
    stored = read_stored_run(nights)
    assert stored.summary is not None
    name = stored.manifest.targets[0].name
    for path in (nights.manifest_path, nights.summary_path, nights.path / "suite.json"):
        path.write_text(path.read_text().replace(f'"{name}"', json.dumps(NASTY)))
    harness(*GATE, "--webhook", kind, HARNESS_WEBHOOK_URL=receiver.url)
    [(_, _, body)] = receiver.received
    assert NASTY in check(body)  # literally, in elements without markup


def test_plain_json_holds_the_verdict_the_rows_and_no_markup(
    harness: Harness, nights: RunFolder, receiver: Any
) -> None:
    page = "https://x.example/a.html?sig=1"
    harness(*GATE, "--webhook", "json", "--report-url", page, HARNESS_WEBHOOK_URL=receiver.url)
    [(_, _, body)] = receiver.received
    assert (1, "nightly", "worse", True) == (body["schema_version"], body["suite"], body["verdict"], body["simulated"])
    assert {"target", "metric", "verdict", "change"} == set(body["rows"][0])
    assert "worse" == body["rows"][0]["verdict"]
    assert (page, None) == (body["report_url"], body["picture_url"])


def test_a_gate_against_a_baseline_is_posted_too(harness: Harness, upgrade: Any, receiver: Any) -> None:
    done = harness("gate", upgrade.run, "--candidate", "dull", "--webhook", "slack", HARNESS_WEBHOOK_URL=receiver.url)
    assert 1 == done.returncode
    [(_, _, body)] = receiver.received
    seen = check_slack(body)
    assert "✗ worse: upgrade" in seen
    assert "dull is worse than old on pass rate: −" in seen


def test_an_invalid_run_is_posted_as_invalid(harness: Harness, nights: RunFolder, receiver: Any) -> None:
    summary = read_stored_run(nights).summary
    assert summary is not None
    finding = Finding(what="the client was the bottleneck", remedy="use workers", invalidates=True)
    write_summary(nights.summary_path, msgspec.structs.replace(summary, findings=[finding]))
    done = harness(*GATE, "--webhook", "teams", HARNESS_WEBHOOK_URL=receiver.url)
    assert 4 == done.returncode
    [(_, _, body)] = receiver.received
    assert "✗ invalid: nightly\nthe run is invalid: the client was the bottleneck; run the suite again" in check_teams(
        body
    )


def test_a_message_whose_picture_is_refused_is_sent_again_without_it(
    harness: Harness, nights: RunFolder, receiver: Any
) -> None:
    receiver.answers = [(400, {}, b"invalid_blocks")]
    line = (*GATE, "--webhook", "slack", "--report-url", "https://ci.example/run/")
    done = harness(*line, HARNESS_WEBHOOK_URL=receiver.url)
    assert (1, "") == (done.returncode, done.stderr)
    first, second = (check_slack(body) for _, _, body in receiver.received)
    assert ".png" in first
    assert ".png" not in second
    assert "https://ci.example/run/against-history.html" in second


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, {}, b"no_service for hOoKsEcReT0123456789\x1b[2J"), "HTTP 404: no_service for [redacted]"),
        ((302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""), "HTTP 302, a redirect, which is not followed"),
        ((500, {}, b""), "HTTP 500: no message"),
    ],
)
def test_a_webhook_that_fails_changes_no_verdict_and_no_file(
    harness: Harness, nights: RunFolder, receiver: Any, answer: Any, said: str
) -> None:
    receiver.answers = [answer]
    done = harness(*GATE, "--webhook", "slack", HARNESS_WEBHOOK_URL=receiver.url)
    assert 1 == done.returncode
    assert done.stderr.startswith(f"warning: the verdict was not posted to the slack webhook: {said}")
    assert 1 == done.stderr.count("\n")
    assert "hOoKsEcReT" not in done.stdout + done.stderr
    assert 1 == len(receiver.received)
    assert "worse" in (nights.path / "gate.md").read_text()
    assert not [path for path in nights.path.rglob("*") if path.is_file() and b"hOoKsEcReT" in path.read_bytes()]


def test_nobody_at_the_address_is_a_warning(harness: Harness, nights: RunFolder) -> None:
    done = harness(*GATE, "--webhook", "json", HARNESS_WEBHOOK_URL=f"http://127.0.0.1:9{PATH}")
    assert 1 == done.returncode
    assert "warning: the verdict was not posted to the json webhook: ClientConnectorError" in done.stderr


@pytest.mark.parametrize(
    ("line", "url", "said"),
    [
        (("--webhook", "irc"), "https://x", "--webhook irc: must be one of slack, teams, json"),
        (("--webhook", "slack"), "", "set HARNESS_WEBHOOK_URL to the webhook's address, which is a secret"),
        (("--webhook", "slack"), "hooks.slack.com/x", "HARNESS_WEBHOOK_URL: is not a web address"),
        (("--webhook", "slack"), f"http://example.com{PATH}", "use an address with https://"),
        (("--report-url", "https://x"), "https://x", "--report-url: applies only to the message of --webhook"),
        (("--webhook", "slack", "--report-url", "javascript:alert(1)"), "https://x", "must be an http:// or https://"),
        (("--webhook", "slack", "--report-url", "https://a:b@x/"), "https://x", "without a password"),
        (("--webhook", "slack", "--report-url", "https://x/|<!here>"), "https://x", "without a password, spaces"),
    ],
)
def test_bad_input_is_refused_before_anything_is_compared(
    harness: Harness, nights: RunFolder, line: tuple[str, ...], url: str, said: str
) -> None:
    refused = harness(*GATE, *line, HARNESS_WEBHOOK_URL=url)
    assert (2, "") == (refused.returncode, refused.stdout)
    assert said in refused.stderr
    assert "hOoKsEcReT" not in refused.stderr
    assert not (nights.path / "gate.md").exists()
