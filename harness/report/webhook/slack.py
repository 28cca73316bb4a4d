"""The verdict as a Slack message of Block Kit's blocks.

Text from a run stands only where Slack reads no markup: in headers and in `rich_text` elements.
"""

from __future__ import annotations

from typing import Any

from harness.report.webhook.message import Row, VerdictMessage

MOST_HEADER = 150
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def slack_payload(message: VerdictMessage) -> dict[str, Any]:
    """The body for an incoming webhook. `text` is what a notification shows."""
    header = {"type": "plain_text", "text": message.title[:MOST_HEADER], "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    blocks.append(_rich_text(*(_section(_text(each)) for each in message.sentences)))
    if message.rows:
        blocks.append(
            _rich_text({"type": "rich_text_list", "style": "bullet", "elements": list(map(_row, message.rows))})
        )
    if message.picture_url is not None:
        blocks.append({"type": "image", "image_url": message.picture_url, "alt_text": "The differences with intervals"})
    run = _text(f"run {message.run_id}")
    if message.report_url is None:
        blocks.append(_rich_text(_section(run)))
    else:
        link = {"type": "link", "url": message.report_url, "text": "Report"}
        blocks.append(_rich_text(_section(link, _text(" · "), run)))
    return {"text": message.title.translate(_ESCAPED), "mrkdwn": False, "blocks": blocks}


def _row(row: Row) -> dict[str, Any]:
    said = f"{row.verdict.replace('_', ' ')}: {row.change}, {row.target}"
    return _section(_text(f"{row.metric} ", bold=True), _text(said))


def _rich_text(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(elements)}


def _section(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(elements)}


def _text(text: str, *, bold: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text} | ({"style": {"bold": True}} if bold else {})
