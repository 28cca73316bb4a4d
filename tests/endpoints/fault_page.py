"""How each fault ends, whatever the client and the api. `python -m tests.endpoints.fault_page` writes docs/faults.md.

`test_faults.py` shows that every row is true.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from harness.endpoints.base import ErrorKind
from harness.suite.suite import Retries

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
Kept = Literal["nothing", "no text", "half", "most", "all", "twice", "all, no tokens"]
KEPT: dict[Kept, str] = {
    "nothing": "–",
    "no text": "an empty answer",
    "half": "the text so far",
    "most": "the text so far",
    "all": "the answer",
    "twice": "the text, twice",
    "all, no tokens": "the answer, without tokens",
}


class Ending(NamedTuple):
    """How an attempt ends: its error kind, or None for success, and what the record keeps."""

    kind: ErrorKind | None
    kept: Kept = "nothing"


class Row(NamedTuple):
    """One fault: what the server does, and how a streamed attempt and another end. None: streams only."""

    does: str
    streamed: Ending
    whole: Ending | None


def both(does: str, kind: ErrorKind | None, kept: Kept = "nothing") -> Row:
    return Row(does, Ending(kind, kept), Ending(kind, kept))


def streamed(does: str, kind: ErrorKind | None, kept: Kept) -> Row:
    return Row(does, Ending(kind, kept), None)


def broken(does: str) -> Row:
    """The body breaks off."""
    return Row(does, Ending("stream_truncated", "half"), Ending("connection"))


SILENT = Ending("first_token_timeout"), Ending("total_timeout")

REFUSALS = {
    "throttled": both("429 without `Retry-After`", "throttled"),
    "throttled_seconds": both("429 with `Retry-After: 2`", "throttled"),
    "throttled_date": both("429 with a date in `Retry-After`, which is ignored", "throttled"),
    "throttled_absurd": both("429 with thirty digits in `Retry-After`, which are ignored", "throttled"),
    "server_error": both("500 InternalServerException", "server_error"),
    "unavailable": both("503 ServiceUnavailableException", "unavailable"),
    "gateway_page": both("502 with a gateway's HTML page", "unavailable"),
    "model_error": both("424 ModelErrorException", "model_error"),
    "model_timeout": both("408 ModelTimeoutException", "model_timeout"),
    "denied": both("403 AccessDeniedException", "access_denied"),
    "invalid": both("400 ValidationException", "validation"),
    "expired_token": both("403 ExpiredTokenException", "credentials"),
}
UNREACHABLE = {
    "refused": both("refuses the connection", "connection"),
    "unknown_name": both("has a name that does not resolve", "connection"),
    "untrusted_certificate": both("has a certificate of an unknown authority", "connection"),
}
"""Faults that keep a request from reaching a server, so the simulator cannot inject them."""
CONNECTIONS = {
    "closed_before": both("closes the connection without an answer", "connection"),
    "reset_before": both("resets the connection without an answer", "connection"),
    "closed_during": broken("closes the connection half way through the answer"),
    "reset_during": broken("resets the connection half way through the answer"),
    "never_answers": Row("never answers", *SILENT),
    "head_then_silence": Row("sends the head, then nothing", *SILENT),
    "half_then_silence": Row(
        "sends half of the answer, then nothing", Ending("total_timeout", "half"), Ending("total_timeout")
    ),
    "byte_a_second": both("sends a byte of the answer a second", "total_timeout"),
    "not_http": both("sends the banner of another protocol, then nothing", "protocol"),
}
HEADS = {
    "redirect": both("redirects to another host, which is never contacted", "protocol"),
    "many_headers": both("sends one header field 3,000 times", "protocol"),
    "control_character": both("sends a header field with a control character", "protocol"),
    "endless_head": both("sends header fields without end", "protocol"),
    "conflicting_lengths": both("sends two different `Content-Length`", "protocol"),
    "unreadable_length": both("sends `Content-Length: many`", "protocol"),
    "long_header": both("sends a header field of 20 kB", None, "all"),
    "folded_header": both("sends a header field that is folded over two lines", None, "all"),
    "non_utf8_header": both("sends a header field that is not UTF-8", None, "all"),
}
BODIES = {
    "compressed": both("compresses the body, against the request", "protocol"),
    "too_short": broken("closes the connection before the promised `Content-Length`"),
    "too_long": Row(
        "sends more than the promised `Content-Length`", Ending("stream_truncated", "half"), Ending("protocol")
    ),
    "bad_chunk_size": broken("sends a chunk size that is not a number"),
    "second_answer": both("sends a second answer, which is not taken for the next request's", None, "all"),
    "empty": Row("sends an empty body", Ending("stream_truncated"), Ending("protocol")),
    "html_page": both("sends a web page with status 200", "protocol"),
    "wrong_type": both("sends the answer with another content type", None, "all"),
    "invalid_json": Row("cuts off the JSON of the answer or an event", Ending("protocol", "half"), Ending("protocol")),
    "null_text": both("sends `null` in place of the text; not in chat completions, where that is allowed", "protocol"),
    "no_tokens": both("sends a complete answer without text", None, "no text"),
    "no_usage": both("leaves out the token counts", None, "all, no tokens"),
}
STREAMS = {
    "no_terminal_event": streamed("ends the stream without its terminal event", "stream_truncated", "all"),
    "cut_event": streamed("ends the stream in the middle of an event", "stream_truncated", "all"),
    "duplicate_events": streamed("sends every event twice", None, "twice"),
    "error_after_90_percent": streamed("reports that it is unavailable after 90 % of the text", "unavailable", "most"),
    "error_then_silence": streamed("does so half way, in two parts, and sends nothing more", "unavailable", "half"),
    "throttled_in_stream": streamed("reports throttling half way", "throttled", "half"),
}
FRAMES = {
    "unknown_exception": streamed("sends an exception frame of an unknown type", "stream_error", "half"),
    "error_frame": streamed("sends an error frame", "stream_error", "half"),
    "bad_checksum": streamed("sends a frame with a wrong checksum", "protocol", "half"),
    "bad_checksum_then_silence": streamed("does so, and sends nothing more", "protocol", "half"),
    "oversized_frame": streamed("announces a frame of 1 GiB", "protocol", "half"),
}
SECTIONS = {
    "Refusals": REFUSALS,
    "No connection": UNREACHABLE,
    "Connections": CONNECTIONS,
    "Heads": HEADS,
    "Bodies": BODIES,
    "Streams": STREAMS,
    "Frames of InvokeModel and Converse": FRAMES,
}
INJECTED = {name: row for title, rows in SECTIONS.items() if title != "No connection" for name, row in rows.items()}
"""The faults that the simulator injects."""

HEAD = """\
# Faults

What an endpoint or the network may do to a request, the [error kind](metrics.md) that the attempt gets, whether the
default of [`retries.on`](load.md) tries again, and what the record keeps. Every fault ends in the same kind, whichever
client and api it meets, and a connection is not used again unless it is clean. The tests inject {count} faults, for
every client, api and mode; `python -m tests.endpoints.fault_page` makes this page of what they expect.

Try one:

```sh
harness simulate --suite suites/quickstart.yaml --faults '[{{"fault": "reset_during", "share": 0.1}}]'
harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000
```

`--faults` takes a file or the JSON itself: a list of rules, of which the first that applies to a request gives it its
fault.

| key | contents |
| --- | --- |
| `fault` | a name below, except those under [no connection](#no-connection) |
| `model` | a model, in every routing, or the id of a model or profile. Default: all |
| `api` | `invoke`, `converse`, `messages` (with `mantle`) or `openai`. Default: all |
| `prompt` | text in the last user message. Default: any |
| `share` | a share of the requests that match, 0 to 1, drawn from `--seed`. Default: all of them |
| `requests` | instead of a share: their numbers, such as `[3, 7]`, counted from 1 |
"""


def ending(end: Ending) -> tuple[str, str, str]:
    """Error kind, retried and kept of a table's row."""
    kind = "none" if end.kind is None else f"`{end.kind}`"
    return kind, "yes" if end.kind in Retries(max_attempts=2).on else "no", KEPT[end.kept]


def line(name: str, row: Row) -> str:
    """The row of a fault. If an attempt that is not streamed ends otherwise, each cell that differs says both."""
    first, second = ending(row.streamed), ending(row.whole or row.streamed)
    cells = [one if one == other else f"{one}; not streamed: {other}" for one, other in zip(first, second, strict=True)]
    return f"| `{name}` | {row.does} | {' | '.join(cells)} |"


def render() -> str:
    """The page."""
    parts = [HEAD.format(count=len(INJECTED))]
    for title, rows in SECTIONS.items():
        table = ["| fault | the server | error kind | retried | kept |", "| --- | --- | --- | --- | --- |"]
        table += [line(name, row) for name, row in rows.items()]
        parts.append(f"## {title}\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
