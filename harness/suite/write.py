"""The frozen suite: one YAML file that says everything a run was made from, datasets and catalog look-ups included."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Target
from harness.errors import SuiteError
from harness.suite.generate import SEPARATOR, make_filler
from harness.suite.grammar.fields import SUITE_NAME
from harness.suite.grammar.gate import unflatten_gate
from harness.suite.grammar.units import format_duration, format_rate
from harness.suite.prompts import only_default_check
from harness.suite.read.trace import format_calls
from harness.suite.read.yaml_lines import BOOLEAN, FLOAT, INTEGER, NULL
from harness.suite.suite import Attachment, CheckFile, Judge, Prompt, Suite


def freeze_suite(suite: Suite) -> str:
    """YAML in the suite file's own grammar; `load_frozen` makes an equal suite of it, with the same digest.

    Not kept: its warnings, which tell of the day on which the suite was loaded, and the bytes of documents, images and
    check files, which stand there by their digest.
    """
    content = {
        "suite": suite.name,
        "endpoint": suite.endpoint,
        "targets": [_target(target) for target in suite.targets],
        "baseline": suite.baseline,
        "load": _load(suite),
        "retries": _retries(suite),
        "quota": _set(msgspec.to_builtins(suite.quota)),
        "timeouts": _durations(suite.timeouts),
        "slo": _durations(suite.slo),
        "gate": unflatten_gate(suite.gate),
        "budget_usd": suite.budget_usd,
        "prices": [_price(price) for price in suite.prices],
        "judges": {judge.name: _judge(judge) for judge in suite.graders.judges},
        "check_files": [_check_file(file) for file in suite.graders.check_files],
        "prompts": [_prompt(prompt) for prompt in suite.prompts],
    }
    return yaml.dump(_set(content), Dumper=SuiteDumper, sort_keys=False, allow_unicode=True, width=110)


ODD_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")


class SuiteDumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes every text that a reader of YAML 1.1 or the suite's own reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _pattern, _tag in ((NULL, "null"), (BOOLEAN, "bool"), (INTEGER, "int"), (FLOAT, "float")):
    SuiteDumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Several lines as a block, for people; escaped where PyYAML would lose a line break that is none in YAML 1.2."""
    style = '"' if ODD_BREAKS & set(text) else "|" if "\n" in text.strip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


SuiteDumper.add_representer(str, _represent_text)


def _target(target: Target) -> dict[str, Any]:
    return {
        "label": target.name,
        "model": target.model,
        "routing": target.routing,
        "api": target.api,
        "client": target.client,
        "region": target.region,
        "stream": target.stream,
        "resolved": {"base_model": target.base_model, "model_id": target.model_id},
        **_set(msgspec.to_builtins(target.options)),
    }


def _judge(judge: Judge) -> dict[str, Any]:
    target = _target(judge.target)
    written = {key: value for key, value in target.items() if key not in ("label", "stream")}
    return _set({**written, "calibration": msgspec.to_builtins(list(judge.labels))})


def _check_file(file: CheckFile) -> dict[str, Any]:
    return {"name": file.name, "digest": file.digest, "functions": list(file.functions)}


def _load(suite: Suite) -> dict[str, Any]:
    load = suite.load
    closed = {"concurrency": load.concurrency, "paired": load.paired} if load.arrival == "closed" else {}
    return _set(
        {
            "arrival": load.arrival,
            **closed,
            "rate": None if load.rate_per_s is None else format_rate(load.rate_per_s),
            "rates": {name: format_rate(rate) for name, rate in (load.rates_per_s or {}).items()},
            "to": None if load.to_per_s is None else format_rate(load.to_per_s),
            "burstiness": load.burstiness,
            "burst": load.burst,
            "steps": [
                {"rate": format_rate(step.rate_per_s), "duration": format_duration(step.duration_s)}
                for step in load.steps or ()
            ],
            "calls": None if load.calls is None else format_calls(load.calls),
            "speed": load.speed,
            "requests": load.requests,
            "repeats": load.repeats,
            "warmup": load.warmup,
            "duration": None if load.duration_s is None else format_duration(load.duration_s),
            "max_in_flight": load.max_in_flight,
            "store_text": load.store_text,
        }
    )


def _retries(suite: Suite) -> dict[str, Any]:
    retries = suite.retries
    return {
        "max_attempts": retries.max_attempts,
        "on": list(retries.on),
        "base": format_duration(retries.base_s),
        "cap": format_duration(retries.cap_s),
    }


def _durations(section: msgspec.Struct) -> dict[str, str]:
    """`first_token_s` → `first_token`, with its unit."""
    seconds = _set(msgspec.structs.asdict(section))
    return {name.removesuffix("_s"): format_duration(value) for name, value in seconds.items()}


def _prompt(prompt: Prompt) -> dict[str, Any]:
    one_turn = len(prompt.messages) == 1
    return _set(
        {
            "id": prompt.id,
            "prompt": _question(prompt) if one_turn else None,
            "messages": None if one_turn else msgspec.to_builtins(prompt.messages),
            "filler": None if prompt.filler is None else _set(msgspec.to_builtins(prompt.filler)),
            "documents": [_attachment(document) for document in prompt.documents],
            "images": [_attachment(image) for image in prompt.images],
            "expect": prompt.expect,
            "checks": None if only_default_check(prompt) else [{"type": c.type, **c.params} for c in prompt.checks],
            "tags": list(prompt.tags),
            "group": prompt.group,
            **msgspec.to_builtins(prompt.options),
        }
    )


def _question(prompt: Prompt) -> str:
    """What is asked, without the text that was generated before it."""
    content = prompt.messages[0].content
    return content if prompt.filler is None else content.removeprefix(make_filler(prompt.filler) + SEPARATOR)


def _price(price: PriceOverride) -> dict[str, Any]:
    given = msgspec.to_builtins(price)
    return _set({**given, "tiers": [_set(tier) for tier in given["tiers"]]})


def _attachment(attachment: Attachment) -> dict[str, Any]:
    return _set(msgspec.to_builtins(msgspec.structs.replace(attachment, path=None)))


def _set(mapping: dict[str, Any]) -> dict[str, Any]:
    """What is set: without None, empty lists and empty mappings."""
    return {key: value for key, value in mapping.items() if value is not None and value != [] and value != {}}


def starter_suite(name: str) -> str:
    """The YAML of a small, commented suite of that name. SuiteError: the name cannot be a suite's."""
    if not re.fullmatch(SUITE_NAME, name) or len(name) > 64:
        raise SuiteError([f"{name!r} cannot be a suite's name; letters, digits, '.', '_' and '-' can, at most 64"])
    text = files("harness.suite").joinpath("starter.yaml").read_text(encoding="utf-8")
    named = yaml.dump({"suite": name}, Dumper=SuiteDumper)  # in quotes where YAML would read a number or a date
    before, _, after = text.partition("suite: NAME\n")
    return before.replace("NAME", name) + named + after.replace("NAME", name)
