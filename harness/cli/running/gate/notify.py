"""Tells a webhook the verdict of a gate, after everything else is done. What fails there changes no verdict."""

from __future__ import annotations

import sys

import msgspec

from harness.errors import HarnessError
from harness.report.webhook import KINDS
from harness.report.webhook.message import Links, VerdictMessage, checked_links
from harness.report.webhook.post import Webhook, find_webhook, post_verdict


class Notification(msgspec.Struct, frozen=True):
    """Who is told, and where the report can be seen. `webhook` None: nobody."""

    webhook: Webhook | None = None
    links: Links = Links()

    def send(self, message: VerdictMessage) -> None:
        """Post the verdict. If that fails, warn on stderr."""
        if self.webhook is None:
            return
        why = post_verdict(self.webhook, message)
        if why is not None:
            print(f"warning: the verdict was not posted to the {self.webhook.kind} webhook: {why}", file=sys.stderr)


def make_notification(kind: str | None, report_url: str | None) -> Notification:
    """What --webhook and --report-url ask for. HarnessError: one of them, or the webhook's address, is unusable."""
    if kind is None:
        if report_url is not None:
            raise HarnessError("--report-url: applies only to the message of --webhook; add --webhook or leave it out")
        return Notification()
    if kind not in KINDS:
        raise HarnessError(f"--webhook {kind}: must be one of {', '.join(KINDS)}")
    return Notification(find_webhook(kind), checked_links(report_url))
