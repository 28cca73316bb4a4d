"""Posts a verdict to the webhook that HARNESS_WEBHOOK_URL names. The address is a secret: whoever has it can post."""

from __future__ import annotations

import asyncio
import os
from importlib import import_module
from urllib.parse import urlsplit

import aiohttp
import msgspec

from harness.characters import printable
from harness.endpoints.address import is_loopback
from harness.errors import HarnessError
from harness.report.webhook import KINDS
from harness.report.webhook.message import VerdictMessage
from harness.secrets import redact, remember

VARIABLE = "HARNESS_WEBHOOK_URL"
DEADLINE_S = 10.0
MOST_ANSWER = 200
"""Characters of an answer that are quoted."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver of verdicts."""

    kind: str
    """One of KINDS."""
    url: str


def find_webhook(kind: str) -> Webhook:
    """The webhook in the environment. HarnessError: none is set, it is no address, or it is not encrypted."""
    url = os.environ.get(VARIABLE, "").strip()
    if not url:
        raise HarnessError(f"--webhook {kind}: set {VARIABLE} to the webhook's address, which is a secret")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable() and " " not in url
    except ValueError:
        usable = False
    remember(url)
    if not usable:
        raise HarnessError(f"{VARIABLE}: is not a web address; copy it again (it is not shown, since it is a secret)")
    remember(url.partition(parts.netloc)[2], parts.path.rpartition("/")[2], parts.query, parts.password)
    if parts.scheme == "http" and not is_loopback(url):
        raise HarnessError(f"{VARIABLE}: would send the secret in it unencrypted; use an address with https://")
    return Webhook(kind=kind, url=url)


def post_verdict(webhook: Webhook, message: VerdictMessage) -> str | None:
    """Post a message; returns why that failed, on one line and without secrets. None: it was accepted.

    A receiver that refuses it is sent it again without the picture, since Slack refuses a message whose picture it
    cannot load.
    """
    why = _post(webhook, message)
    if why is not None and why.startswith("HTTP 4") and message.picture_url is not None:
        why = _post(webhook, msgspec.structs.replace(message, picture_url=None))
    return None if why is None else printable(redact(why))


def _post(webhook: Webhook, message: VerdictMessage) -> str | None:
    module, function = KINDS[webhook.kind].split(":")
    body = msgspec.json.encode(getattr(import_module(module), function)(message))
    try:
        return asyncio.run(_send(webhook.url, body))
    except TimeoutError:
        return f"no answer within {DEADLINE_S:g} s"
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


async def _send(url: str, body: bytes) -> str | None:
    timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=not is_loopback(url)) as session,
        session.post(
            url, data=body, headers={"Content-Type": "application/json; charset=utf-8"}, allow_redirects=False
        ) as answer,
    ):
        if answer.status < 300:
            return None
        if answer.status < 400:
            return f"HTTP {answer.status}, a redirect, which is not followed"
        start = (await answer.content.read(4 * MOST_ANSWER)).decode("utf-8", "replace")[:MOST_ANSWER]
        return f"HTTP {answer.status}: {start or 'no message'}"
