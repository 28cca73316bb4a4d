"""The suite of a run as its folder holds it: `suite.json`, which is read back, and in older folders `suite.yaml`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from harness.catalog.target import Target
from harness.errors import SuiteError
from harness.files import read_bounded
from harness.suite.generate import MOST_CHARS, SEPARATOR, make_filler
from harness.suite.grammar.mistakes import Mistake, dotted
from harness.suite.grammar.units import UnitError, parse_margin
from harness.suite.read.text_file import is_too_deep
from harness.suite.read.yaml_lines import MAX_DEPTH
from harness.suite.suite import Attachment, Prompt, Suite

FILE = "suite.json"
OLD_FILE = "suite.yaml"
MAX_BYTES = 1_000_000_000
"""It holds the suite's dataset: what the limits of users' files let in, written out."""
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
"""It becomes part of a host's name."""


def encode_suite(suite: Suite) -> bytes:
    """The suite as JSON; `read_suite` makes an equal one of it.

    Not kept: its warnings, which tell of the day on which the suite was loaded, and the bytes of documents, images and
    check files, which stand there by their digest. Generated text is kept as its recipe.
    """
    kept = without_files(msgspec.structs.replace(suite, warnings=()))
    prompts = tuple(_without_filler(prompt) for prompt in kept.prompts)
    return msgspec.json.encode(msgspec.structs.replace(kept, prompts=prompts)) + b"\n"


def read_suite(folder: Path) -> Suite:
    """The suite of the run in `folder`. SuiteError: it cannot be read.

    It may be somebody else's: it names no file and no code, and what it says is held to what a suite can say.
    """
    path = folder / FILE
    try:
        text = read_bounded(path, max_bytes=MAX_BYTES)
    except FileNotFoundError:
        from harness.suite.loader import load_frozen

        return load_frozen(folder / OLD_FILE)
    except OSError as error:
        raise SuiteError([f"{path}: cannot be read: {error.strerror or error}"]) from error
    try:
        suite = msgspec.json.decode(text, type=Suite, dec_hook=_refuse_path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SuiteError([_not_a_suite(path, str(error))]) from error
    mistakes = [_not_a_suite(path, f"{dotted(each.path)}: {each.message}") for each in _mistakes(suite)]
    if mistakes:
        raise SuiteError(mistakes)
    suite = without_files(suite)
    return msgspec.structs.replace(suite, prompts=tuple(_with_filler(prompt) for prompt in suite.prompts))


def without_files(suite: Suite) -> Suite:
    """The suite with its documents, images and check files by digest alone."""

    def bare(files: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
        return tuple(msgspec.structs.replace(file, path=None) for file in files)

    prompts = tuple(
        msgspec.structs.replace(prompt, documents=bare(prompt.documents), images=bare(prompt.images))
        if prompt.documents or prompt.images
        else prompt
        for prompt in suite.prompts
    )
    check_files = tuple(msgspec.structs.replace(file, source=None) for file in suite.graders.check_files)
    graders = msgspec.structs.replace(suite.graders, check_files=check_files)
    return msgspec.structs.replace(suite, prompts=prompts, graders=graders)


def _not_a_suite(path: Path, why: str) -> str:
    return f"{path}: is not the suite of a run: {why}; restore it or delete the folder"


def _refuse_path(kind: type, value: object) -> Any:
    raise ValueError("the suite of a run names no place of a file")


def _without_filler(prompt: Prompt) -> Prompt:
    """The prompt with its question alone, where text was generated before it."""
    if prompt.filler is None:
        return prompt
    question = prompt.messages[0].content.removeprefix(make_filler(prompt.filler) + SEPARATOR)
    return _with_first(prompt, question)


def _with_filler(prompt: Prompt) -> Prompt:
    if prompt.filler is None:
        return prompt
    return _with_first(prompt, make_filler(prompt.filler) + SEPARATOR + prompt.messages[0].content)


def _with_first(prompt: Prompt, content: str) -> Prompt:
    first, *others = prompt.messages
    return msgspec.structs.replace(prompt, messages=(msgspec.structs.replace(first, content=content), *others))


def _mistakes(suite: Suite) -> Iterator[Mistake]:
    """What its types do not hold it to, and what reads it relies on."""
    names = [target.name for target in suite.targets]
    ids = [prompt.id for prompt in suite.prompts]
    judges = [judge.name for judge in suite.graders.judges]
    for key, given in (("targets", names), ("prompts", ids), ("judges", judges)):
        yield from (Mistake((key,), f"{name!r} is there twice") for name, count in Counter(given).items() if count > 1)
    yield from (Mistake((key,), "there are none") for key, given in (("targets", names), ("prompts", ids)) if not given)
    if suite.baseline is not None and suite.baseline not in names:
        yield Mistake(("baseline",), f"no target is named {suite.baseline!r}")
    for metric, margin in suite.gate.items():
        try:
            parse_margin(margin)
        except UnitError as error:
            yield Mistake(("gate", metric), str(error))
    yield from _target_mistakes(suite)
    yield from _prompt_mistakes(suite.prompts)
    yield from _call_mistakes(suite, set(ids))


def _target_mistakes(suite: Suite) -> Iterator[Mistake]:
    targets: list[tuple[str, int, Target]] = [("targets", at, each) for at, each in enumerate(suite.targets)]
    targets += [("judges", at, each.target) for at, each in enumerate(suite.graders.judges)]
    for key, at, target in targets:
        if not REGION.fullmatch(target.region):
            yield Mistake((key, at, "region"), f"{target.region[:60]!r} is not a Region")
        if any(is_too_deep(tool.input_schema, MAX_DEPTH) for tool in target.options.tools or ()):
            yield Mistake((key, at, "tools"), "nested too deep")


def _prompt_mistakes(prompts: tuple[Prompt, ...]) -> Iterator[Mistake]:
    generated = sum(prompt.filler.tokens for prompt in prompts if prompt.filler is not None)
    if generated * 4 > 2 * MOST_CHARS:
        yield Mistake(("prompts",), f"asks for {generated:,} tokens of generated text")
    for at, prompt in enumerate(prompts):
        if not prompt.messages or prompt.messages[-1].role != "user":
            yield Mistake(("prompts", at, "messages"), "the last message must be the user's")
        if any(is_too_deep(check.params, MAX_DEPTH) for check in prompt.checks):
            yield Mistake(("prompts", at, "checks"), "nested too deep")
        if any(is_too_deep(tool.input_schema, MAX_DEPTH) for tool in prompt.options.tools or ()):
            yield Mistake(("prompts", at, "tools"), "nested too deep")


def _call_mistakes(suite: Suite, ids: set[str]) -> Iterator[Mistake]:
    calls = suite.load.calls or ()
    if any(call.prompt_id is not None and call.prompt_id not in ids for call in calls):
        yield Mistake(("load", "calls"), "names a prompt that is not in the suite")
    late = any(later.at_s < call.at_s for call, later in pairwise(calls))
    if late or not all(isfinite(call.at_s) and call.at_s >= 0 for call in calls):
        yield Mistake(("load", "calls"), "is out of order")
