"""A suite's digest: the same for the same content, however the file is laid out."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from harness.catalog.prices import PriceOverride
from harness.suite.grammar.units import parse_margin
from harness.suite.suite import Attachment, Judge, Prompt, Suite

HEX_DIGITS = 12


def digest_suite(suite: Suite) -> str:
    """First 12 hex digits of SHA-256 over what the suite asks, of whom, how, and judged how.

    Datasets count by their prompts, documents and images by name and bytes, generated text by what it says. Left out:
    the endpoint (where a suite runs, not what it is), warnings and notes.
    The order of targets and prompts counts, since plans follow it; that of keys, tags and `retries.on` does not.
    What is not set is left out, so that a key that the grammar gains later changes no older suite's digest.
    """
    content = {
        "name": suite.name,
        "targets": [_set(msgspec.to_builtins(target)) for target in suite.targets],
        "prompts": [prompt_content(prompt) for prompt in suite.prompts],
        "baseline": suite.baseline,
        "load": _set(msgspec.to_builtins(suite.load)),
        "retries": _set(msgspec.to_builtins(suite.retries)) | {"on": sorted(suite.retries.on)},
        "quota": _set(msgspec.to_builtins(suite.quota)),
        "timeouts": _set(msgspec.to_builtins(suite.timeouts)),
        "slo": _set(msgspec.to_builtins(suite.slo)),
        "gate": {metric: msgspec.to_builtins(parse_margin(written)) for metric, written in suite.gate.items()},
        "budget_usd": suite.budget_usd,
        "prices": [_price(price) for price in suite.prices],
        "judges": [_judge(judge) for judge in suite.graders.judges],
        "check_files": [{"name": each.name, "digest": each.digest} for each in suite.graders.check_files],
    }
    return sha256(msgspec.json.encode(_set(content), order="deterministic")).hexdigest()[:HEX_DIGITS]


def prompt_content(prompt: Prompt) -> dict[str, Any]:
    """What a prompt is, as its digest sees it: what is not set is left out, files are by their bytes."""
    return _set(
        {
            "id": prompt.id,
            "messages": msgspec.to_builtins(prompt.messages),
            "documents": [_attachment(document) for document in prompt.documents],
            "images": [_attachment(image) for image in prompt.images],
            "expect": prompt.expect,
            "checks": [{"type": check.type, "params": check.params} for check in prompt.checks],
            "tags": sorted(prompt.tags),
            "group": prompt.group,
            "options": msgspec.to_builtins(prompt.options),
        }
    )


def _price(price: PriceOverride) -> dict[str, Any]:
    given = msgspec.to_builtins(price)
    return _set({**given, "tiers": [_set(tier) for tier in given["tiers"]]})


def _judge(judge: Judge) -> dict[str, Any]:
    target = _set(msgspec.to_builtins(judge.target))
    return _set({"name": judge.name, "target": target, "labels": msgspec.to_builtins(judge.labels)})


def _attachment(attachment: Attachment) -> dict[str, Any]:
    """Its name counts, since the model is told it; where the file lies does not."""
    return {"name": attachment.name, "media_type": attachment.media_type, "digest": attachment.digest}


def _set(mapping: dict[str, Any]) -> dict[str, Any]:
    """What is set: without None, empty lists and empty mappings; one level deep, and options below it."""
    pruned = {key: _set(value) if key == "options" else value for key, value in mapping.items()}
    return {key: value for key, value in pruned.items() if value not in (None, [], {}, ())}
