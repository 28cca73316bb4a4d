"""The stored suite of a run: `suite.json`, or in run folders of earlier versions `suite.yaml`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from harness.catalog.target import Options
from harness.errors import SuiteError
from harness.files import read_bounded
from harness.suite.check.load import given_keys, load_mistakes, plan_mistakes, rates_mistakes, timeout_mistakes
from harness.suite.digest import digest_suite
from harness.suite.fields import REGION, UnitError, parse_margin, read_quantity
from harness.suite.generate import MOST_CHARS, with_filler, without_filler
from harness.suite.grammar.gate import BY_TAG, tag_metric
from harness.suite.grammar.mistakes import Mistake, dotted
from harness.suite.grammar.yaml_lines import MAX_DEPTH, YamlMistake, read_yaml
from harness.suite.loader import default_notes
from harness.suite.read.text_file import is_too_deep
from harness.suite.suite import Attachment, Load, Prompt, Suite

FILE = "suite.json"
YAML_FILE = "suite.yaml"
"""For people. Read only if there is no `suite.json`, as in run folders of earlier versions."""
MAX_BYTES = 1_000_000_000
"""Large enough for the largest dataset, which is stored inside the suite."""


def encode_suite(suite: Suite) -> bytes:
    """The suite as JSON, which `read_suite` decodes to an equal suite.

    Warnings are left out, as they depend on the day of loading. Documents, images and check files are stored by digest,
    and generated text by its parameters.
    """
    stored = without_files(msgspec.structs.replace(suite, warnings=()))
    return msgspec.json.encode(_map_first(stored, without_filler)) + b"\n"


def read_suite(folder: Path) -> Suite:
    """The suite of the run in `folder`. SuiteError: it cannot be read.

    The run may come from somebody else, so the suite must not name files or code, and is validated again.
    """
    path = folder / FILE
    try:
        try:
            suite = _decode(read_bounded(path, max_bytes=MAX_BYTES))
        except FileNotFoundError:
            path = folder / YAML_FILE
            suite = _decode_yaml(read_bounded(path, max_bytes=MAX_BYTES).decode())
    except FileNotFoundError as error:
        raise SuiteError([f"{folder}: has no {FILE}; restore it or delete the folder"]) from error
    except OSError as error:
        raise SuiteError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    except (msgspec.DecodeError, YamlMistake, UnicodeDecodeError, RecursionError) as error:
        raise SuiteError([_not_a_suite(path, str(error))]) from error
    mistakes = [_not_a_suite(path, f"{dotted(each.path)}: {each.message}") for each in _mistakes(suite)]
    if mistakes:
        raise SuiteError(mistakes)
    suite = _map_first(without_files(suite), with_filler)
    return suite if suite.digest else msgspec.structs.replace(suite, digest=digest_suite(suite))


def check_storable(suite: Suite) -> None:
    """SuiteError: the suite could not be read back after storing it."""
    mistakes = [f"{dotted(each.path)}: {each.message}" for each in _mistakes(suite)]
    if mistakes:
        raise SuiteError(mistakes)


def without_files(suite: Suite) -> Suite:
    """The suite with only the digests of its documents, images and check files."""

    def bare(files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        return tuple(msgspec.structs.replace(file, path=None) for file in files)

    prompts = tuple(
        msgspec.structs.replace(prompt, documents=bare(prompt.documents), images=bare(prompt.images))
        for prompt in suite.prompts
    )
    check_files = tuple(msgspec.structs.replace(file, source=None) for file in suite.graders.check_files)
    graders = msgspec.structs.replace(suite.graders, check_files=check_files)
    return msgspec.structs.replace(suite, prompts=prompts, graders=graders)


def _map_first(suite: Suite, change: Any) -> Suite:
    """The suite with the first message of each generated prompt changed."""
    prompts = tuple(
        prompt
        if prompt.filler is None
        else msgspec.structs.replace(prompt, messages=(change(prompt.messages[0], prompt.filler), *prompt.messages[1:]))
        for prompt in suite.prompts
    )
    return msgspec.structs.replace(suite, prompts=prompts)


def _not_a_suite(path: Path, why: str) -> str:
    return f"{path}: is not a valid stored suite: {why}; restore it or delete the folder"


def _decode(text: bytes) -> Suite:
    return msgspec.json.decode(text, type=Suite, dec_hook=_read_value)


def _read_value(kind: type, written: Any) -> Any:
    if kind is Path:
        raise ValueError("a stored suite must not contain paths")
    return read_quantity(kind, written)


def _mistakes(suite: Suite) -> Iterator[Mistake]:
    """Mistakes that the types do not rule out."""
    names = [target.name for target in suite.targets]
    ids = [prompt.id for prompt in suite.prompts]
    judges = [judge.name for judge in suite.graders.judges]
    for key, given in (("targets", names), ("prompts", ids), ("judges", judges)):
        yield from (Mistake((key,), f"{name!r} appears twice") for name, count in Counter(given).items() if count > 1)
    yield from (
        Mistake((key,), "must not be empty") for key, given in (("targets", names), ("prompts", ids)) if not given
    )
    if suite.baseline is not None and suite.baseline not in names:
        yield Mistake(("baseline",), f"no target is named {suite.baseline!r}")
    for metric, margin in suite.gate.items():
        try:
            parse_margin(margin)
        except UnitError as error:
            yield Mistake(("gate", metric), str(error))
    yield from timeout_mistakes(suite.timeouts)
    yield from load_mistakes(suite.load, given_keys(suite.load))
    yield from rates_mistakes(suite.load, names)
    yield from plan_mistakes(suite.load, prompts=len(ids), targets=names)
    yield from _call_mistakes(suite.load, set(ids))
    yield from _target_mistakes(suite)
    yield from _prompt_mistakes(suite.prompts)


def _call_mistakes(load: Load, ids: set[str]) -> Iterator[Mistake]:
    calls = load.calls or ()
    if any(call.prompt_id is not None and call.prompt_id not in ids for call in calls):
        yield Mistake(("load", "calls"), "has a prompt that is not in the suite")
    late = any(later.at_s < call.at_s for call, later in pairwise(calls))
    if late or not all(isfinite(call.at_s) and call.at_s >= 0 for call in calls):
        yield Mistake(("load", "calls"), "is not sorted by time")


def _target_mistakes(suite: Suite) -> Iterator[Mistake]:
    """Invalid Regions, as they become part of a host name to which signed requests go, and nested tools."""
    for target in (*suite.targets, *(judge.target for judge in suite.graders.judges)):
        if not re.match(REGION, target.region):
            yield Mistake(("targets", target.name, "region"), f"{target.region[:60]!r} is not a Region")
        if _has_deep_tool(target.options):
            yield Mistake(("targets", target.name, "tools"), "nested too deep")


def _prompt_mistakes(prompts: tuple[Prompt, ...]) -> Iterator[Mistake]:
    generated = sum(prompt.filler.tokens for prompt in prompts if prompt.filler is not None)
    if generated * 4 > 2 * MOST_CHARS:
        yield Mistake(("prompts",), f"has {generated:,} tokens of generated text, which is too much")
    for at, prompt in enumerate(prompts):
        if prompt.messages[-1].role != "user":
            yield Mistake(("prompts", at, "messages"), "the last message must be the user's")
        if any(is_too_deep(check.params, MAX_DEPTH) for check in prompt.checks) or _has_deep_tool(prompt.options):
            yield Mistake(("prompts", at), "nested too deep")


def _has_deep_tool(options: Options) -> bool:
    return any(is_too_deep(tool.input_schema, MAX_DEPTH) for tool in options.tools or ())


def _decode_yaml(text: str) -> Suite:
    """Decode the YAML of earlier versions: the suite file's grammar plus resolved ids and digests."""
    document, _ = read_yaml(text, name=YAML_FILE, max_values=len(text))
    try:
        content = _from_yaml(dict(document.root.value))
    except KeyError as error:
        if error.args == ("resolved",):  # the YAML for people, next to a suite.json that is missing
            raise FileNotFoundError(FILE) from error
        raise msgspec.ValidationError(f"KeyError: {error}") from error
    except (TypeError, ValueError, AttributeError) as error:  # a file from somebody else may contain anything
        raise msgspec.ValidationError(f"{type(error).__name__}: {error}") from error
    suite = msgspec.convert(content, Suite, dec_hook=_read_value)
    return msgspec.structs.replace(suite, notes=default_notes(suite.prompts))


def _from_yaml(written: dict[str, Any]) -> dict[str, Any]:
    """The content as `suite.json` would have it."""
    gate = dict(written.pop("gate", {}))
    by_tag = gate.pop(BY_TAG, {})
    judges = written.pop("judges", {})
    files = written.pop("check_files", ())
    graders = {
        "judges": [
            {
                "name": name,
                "labels": judge.pop("calibration", ()),
                "target": _old_target({**judge, "stream": False}, name),
            }
            for name, judge in judges.items()
        ],
        "check_files": [{key: file[key] for key in ("name", "digest", "functions")} for file in files],
    }
    return {
        **{key: value for key, value in written.items() if key != "suite"},
        "name": written["suite"],
        "digest": "",
        "targets": [_old_target(target, target.pop("label")) for target in written["targets"]],
        "prompts": [_old_prompt(prompt) for prompt in written["prompts"]],
        "load": _old_load(written.get("load", {})),
        "gate": {**gate, **{tag_metric(tag): margin for tag, margin in by_tag.items()}},
        "graders": graders,
    }


def _old_target(written: dict[str, Any], name: str) -> dict[str, Any]:
    return {"name": name, **_with_options(written), **written.pop("resolved")}


def _old_prompt(written: dict[str, Any]) -> dict[str, Any]:
    question = written.pop("prompt", None)
    messages = written.pop("messages", None) or [{"role": "user", "content": question}]
    default = [] if written.get("expect") is None else [{"type": "exact"}]
    checks = [
        {"type": check["type"], "params": {key: value for key, value in check.items() if key != "type"}}
        for check in written.pop("checks", default)
    ]
    return {**_with_options(written), "messages": messages, "checks": checks}


def _old_load(written: dict[str, Any]) -> dict[str, Any]:
    """The load with its trace decoded from text, one line per call: `0.25 prompt-id`."""
    if "calls" not in written:
        return written
    lines = (line.partition(" ") for line in written["calls"].split("\n"))
    return {**written, "calls": [{"at_s": float(at_s), "prompt_id": name or None} for at_s, _, name in lines]}


def _with_options(written: dict[str, Any]) -> dict[str, Any]:
    """Move the options from among the other keys under `options`."""
    options = {key: value for key, value in written.items() if key in Options.__struct_fields__}
    return {
        **{key: value for key, value in written.items() if key not in options and key != "resolved"},
        "options": options,
    }
