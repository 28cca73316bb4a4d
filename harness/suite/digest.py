"""A suite's digest, which depends on its content but not on the layout of its file."""

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

    Datasets count by their prompts, documents and images by name and bytes, generated text by its content. Endpoint,
    AWS_REGION, warnings and notes do not count. The order of targets and prompts counts, as plans depend on it; the
    order of keys, tags and `retries.on` does not. Keys without a value are left out, so that a new key in the grammar
    does not change the digest of older suites.
    """
    return sha256(msgspec.json.encode(suite_content(suite), order="deterministic")).hexdigest()[:HEX_DIGITS]


def suite_content(suite: Suite) -> dict[str, Any]:
    """The content of a suite that the digest covers."""
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
        "stop": None if suite.stop is None else _fields(suite.stop),
        "prices": [_price(price) for price in suite.prices],
        "judges": [_judge(judge) for judge in suite.graders.judges],
        "check_files": [{"name": each.name, "digest": each.digest} for each in suite.graders.check_files],
    }
    return _without_unset(content)


def prompt_content(prompt: Prompt) -> dict[str, Any]:
    """The content of a prompt that the digest covers: keys with a value, and files by their digest."""
    return _without_unset(
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
    return _without_unset({**fields, "tiers": [_without_unset(tier) for tier in fields["tiers"]]})


def _judge(judge: Judge) -> dict[str, Any]:
    target = _target(judge.target, judge.usual_region)
    return _without_unset({"name": judge.name, "target": target, "labels": msgspec.to_builtins(judge.labels)})


def _target(target: Target, usual_region: str | None) -> dict[str, Any]:
    """The target with the Region that it has without AWS_REGION, which is not part of the suite."""
    return _without_unset({**msgspec.to_builtins(target), "region": usual_region or target.region})


def _load(load: Load) -> dict[str, Any]:
    """The load, with a trace by its calls instead of its name."""
    content = {**_fields(load), "steps": [_fields(step) for step in load.steps or ()]}
    return _without_unset({key: value for key, value in content.items() if key not in ("trace", "replay")})


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    """By field name, which includes the unit: `first_token_s`."""
    return _without_unset({name: msgspec.to_builtins(getattr(struct, name)) for name in struct.__struct_fields__})


def _attachment(attachment: Attachment) -> dict[str, Any]:
    """Name and content; the model sees the name. The file's location does not count."""
    return {"name": attachment.name, "media_type": attachment.media_type, "digest": attachment.digest}


def _without_unset(mapping: dict[str, Any]) -> dict[str, Any]:
    """Without None, empty lists and empty mappings, at this level and in `options`."""
    pruned = {key: _without_unset(value) if key == "options" else value for key, value in mapping.items()}
    return {key: value for key, value in pruned.items() if value not in (None, [], {}, ())}
