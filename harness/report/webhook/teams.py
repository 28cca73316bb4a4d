"""The verdict as an Adaptive Card, as a Teams workflow that waits for webhook requests posts it.

All text stands in `RichTextBlock`s, the elements in which Teams reads no Markdown, no mentions and no dates.
"""

from __future__ import annotations

from typing import Any

from harness.report.webhook.message import VerdictMessage

COLOURS = {
    "better": "Good",
    "no_worse": "Good",
    "inconclusive": "Warning",
    "worse": "Attention",
    "invalid": "Attention",
}


def teams_payload(message: VerdictMessage) -> dict[str, Any]:
    """The body for a workflow's webhook."""
    body = [
        _block(_run(message.title, size="Large", weight="Bolder", color=COLOURS[message.verdict])),
        *(_block(_run(each)) for each in message.sentences),
        *(
            _block(
                _run(f"{row.metric} ", weight="Bolder"),
                _run(row.verdict.replace("_", " "), color=COLOURS[row.verdict]),
                _run(f": {row.change}, {row.target}"),
            )
            for row in message.rows
        ),
    ]
    if message.picture_url is not None:
        body.append({"type": "Image", "url": message.picture_url, "altText": "The differences with intervals"})
    body.append(_block(_run(f"run {message.run_id}", isSubtle=True)))
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if message.report_url is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Report", "url": message.report_url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **style}
