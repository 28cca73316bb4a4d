"""A suite's digest: the same for the same content, however the file is laid out."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Target
from harness.suite.fields import parse_margin
from harness.suite.suite import Attachment, Judge, Load, Prompt, Suite

HEX_DIGITS = 12


def digest_suite(suite: Suite) -> str:
    """First 12 hex digits of SHA-256 over the suite's prompts, targets, load and grading.

    Datasets count by their prompts, documents and images by name and bytes, generated text by what it says. Left out:
    the endpoint and AWS_REGION (where a suite runs, not what it is), warnings and notes.
    The order of targets and prompts counts, since plans follow it; that of keys, tags and `retries.on` does not.
    What is not set is left out, so that a key that the grammar gains later changes no older suite's digest.
    """
    content = {
        "name": suite.name,
        "targets": [_target(target, suite.usual_regions.get(target.name)) for target in suite.targets],
        "prompts": [prompt_content(prompt) for prompt in suite.prompts],
        "baseline": suite.baseline,
        "load": _load(suite.load),
        "retries": _fields(suite.retries) | {"on": sorted(set(suite.retries.on))},
        "quota": _fields(suite.quota),
        "timeouts": _fields(suite.timeouts),
        "slo": _fields(suite.slo),
        "gate": {metric: msgspec.to_builtins(parse_margin(margin)) for metric, margin in suite.gate.items()},
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
    fields = msgspec.to_builtins(price)
    return _set({**fields, "tiers": [_set(tier) for tier in fields["tiers"]]})


def _judge(judge: Judge) -> dict[str, Any]:
    target = _target(judge.target, judge.usual_region)
    return _set({"name": judge.name, "target": target, "labels": msgspec.to_builtins(judge.labels)})


def _target(target: Target, usual_region: str | None) -> dict[str, Any]:
    """With the Region that the suite gives it: where it is called otherwise, AWS_REGION says so, not the suite."""
    return _set({**msgspec.to_builtins(target), "region": usual_region or target.region})


def _load(load: Load) -> dict[str, Any]:
    """What is sent when; a trace by its calls, not by its name."""
    content = {**_fields(load), "steps": [_fields(step) for step in load.steps or ()]}
    return _set({key: value for key, value in content.items() if key not in ("trace", "replay")})


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    """By the fields' names, which say their unit: `first_token_s`."""
    return _set({name: msgspec.to_builtins(getattr(struct, name)) for name in struct.__struct_fields__})


def _attachment(attachment: Attachment) -> dict[str, Any]:
    """The name counts, since the model sees it; the file's location does not."""
    return {"name": attachment.name, "media_type": attachment.media_type, "digest": attachment.digest}


def _set(mapping: dict[str, Any]) -> dict[str, Any]:
    """What is set: without None, empty lists and empty mappings; one level deep, and options below it."""
    pruned = {key: _set(value) if key == "options" else value for key, value in mapping.items()}
    return {key: value for key, value in pruned.items() if value not in (None, [], {}, ())}
