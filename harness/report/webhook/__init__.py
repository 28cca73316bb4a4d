"""The verdict of a gate as a message to a webhook. A new receiver is a file here and a line in KINDS."""

from __future__ import annotations

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "slack": "harness.report.webhook.slack:slack_payload",
    "teams": "harness.report.webhook.teams:teams_payload",
    "json": "harness.report.webhook.message:plain_payload",
}
"""Name → the function that makes the JSON of a `VerdictMessage`."""
