"""Writes suites as YAML: a run's suite for people to read, and the starter suite of `harness init`."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from harness.catalog.target import Target
from harness.errors import SuiteError
from harness.suite.check.load import ARRIVALS_BY_KEY
from harness.suite.fields import SUITE_NAME, format_duration, format_rate
from harness.suite.generate import without_filler
from harness.suite.grammar.gate import unflatten_gate
from harness.suite.grammar.yaml_lines import BOOLEAN, FLOAT, INTEGER, NULL
from harness.suite.prompts import has_default_check
from harness.suite.suite import Judge, Load, Prompt, Suite


def suite_yaml(suite: Suite) -> str:
    """The suite in the suite file's grammar, with the prompts of its dataset, and other files by name.

    For people; only `suite.json` is read back.
    """
    content = {
        "suite": suite.name,
        "endpoint": suite.endpoint,
        "targets": [{"label": target.name, **_target(target)} for target in suite.targets],
        "baseline": suite.baseline,
        "load": _load(suite.load),
        "retries": _section(suite.retries),
        "quota": _section(suite.quota),
        "timeouts": _section(suite.timeouts),
        "slo": _section(suite.slo),
        "gate": unflatten_gate(suite.gate),
        "budget_usd": suite.budget_usd,
        "stop": None if suite.stop is None else _section(suite.stop),
        "prices": [without_unset(msgspec.to_builtins(price)) for price in suite.prices],
        "judges": {judge.name: _judge(judge) for judge in suite.graders.judges},
        "prompts": [_prompt(prompt) for prompt in suite.prompts],
    }
    return dump_yaml(without_unset(content))


def dump_yaml(content: Any) -> str:
    """YAML that `read_yaml` reads back as the same values, in the given order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def check_name(name: str) -> None:
    """SuiteError: not a valid suite name."""
    if not re.fullmatch(SUITE_NAME, name) or len(name) > 64:
        raise SuiteError([f"{name!r} is not a valid suite name; use at most 64 letters, digits, '.', '_' and '-'"])


def starter_suite(name: str) -> str:
    """The YAML of a small, commented suite. SuiteError: not a valid suite name."""
    check_name(name)
    text = files("harness.suite").joinpath("starter.yaml").read_text(encoding="utf-8")
    before, _, after = text.partition("suite: NAME\n")
    return before.replace("NAME", name) + dump_yaml({"suite": name}) + after.replace("NAME", name)


ODD_BREAKS = frozenset("\r\x85\u2028\u2029\ufeff")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes every text that YAML 1.1 or the suite's own reader would take for another type."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _pattern, _tag in ((NULL, "null"), (BOOLEAN, "bool"), (INTEGER, "int"), (FLOAT, "float")):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Several lines become a block. Text with characters that only YAML 1.1 takes for line breaks is escaped."""
    style = '"' if ODD_BREAKS & set(text) else "|" if "\n" in text.strip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _target(target: Target) -> dict[str, Any]:
    return {
        "model": target.model,
        "routing": target.model_id if target.model_id.startswith("arn:") else target.routing,
        "api": target.api,
        "client": target.client,
        "region": target.region,
        "stream": target.stream,
        **without_unset(msgspec.to_builtins(target.options)),
    }


def _judge(judge: Judge) -> dict[str, Any]:
    written = {key: value for key, value in _target(judge.target).items() if key != "stream"}
    return without_unset({**written, "calibration": msgspec.to_builtins(list(judge.labels))})


def _load(load: Load) -> dict[str, Any]:
    """The load without keys of other arrival processes, and with a trace by file name."""
    written = _section(msgspec.structs.replace(load, calls=None))
    return {key: value for key, value in written.items() if load.arrival in ARRIVALS_BY_KEY.get(key, (load.arrival,))}


def _section(section: msgspec.Struct) -> dict[str, Any]:
    """A section with the file's keys and units: `first_token_s` → `first_token: 30s`."""
    names = zip(section.__struct_encode_fields__, section.__struct_fields__, strict=True)
    return without_unset({key: _value(name, getattr(section, name)) for key, name in names})


def _value(name: str, value: Any) -> Any:
    match value:
        case dict():
            return {key: _value(name, each) for key, each in value.items()}
        case tuple():
            return [_section(each) if isinstance(each, msgspec.Struct) else each for each in value]
        case float() | int() if name.endswith("_per_s"):
            return format_rate(value)
        case float() | int() if name.endswith("_s"):
            return format_duration(value)
    return value


def _prompt(prompt: Prompt) -> dict[str, Any]:
    question = without_filler(prompt.messages[0], prompt.filler).content
    one_turn = len(prompt.messages) == 1
    return without_unset(
        {
            "id": prompt.id,
            "prompt": question if one_turn else None,
            "messages": None if one_turn else msgspec.to_builtins(prompt.messages),
            "filler": None if prompt.filler is None else _section(prompt.filler),
            "documents": [document.name for document in prompt.documents],
            "images": [image.name for image in prompt.images],
            "expect": prompt.expect,
            "checks": None if has_default_check(prompt) else [{"type": c.type, **c.params} for c in prompt.checks],
            "tags": list(prompt.tags),
            "group": prompt.group,
            **msgspec.to_builtins(prompt.options),
        }
    )


def without_unset(mapping: dict[str, Any]) -> dict[str, Any]:
    """Without None, empty lists and empty mappings."""
    return {key: value for key, value in mapping.items() if value is not None and value not in ([], (), {})}
