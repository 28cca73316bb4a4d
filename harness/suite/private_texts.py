"""What a run stores of its texts: all, all with the matches of `load.redact` replaced, or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from harness.catalog.target import Options, Target, Tool
from harness.secrets import REDACTED
from harness.suite.generate import with_filler, without_filler
from harness.suite.suite import Check, Filler, Judge, Load, Message, Prompt, Suite

LIMIT_S = 0.1
"""Time limit for a pattern on one text: a slow one would hold up the load."""
TOO_SLOW = "[not stored: a pattern of load.redact takes too long on this text]"
NOT_STORED = "[not stored: load.store_text is false]"
TextFilter = Callable[[str], str]
_CALL = '{"tool":'
"""How a tool call begins in an answer."""


def stores_no_text(load: Load) -> bool:
    """Whether neither prompts nor answers are stored."""
    return load.store_text == 0


def pattern_redactor(patterns: Sequence[str]) -> TextFilter:
    """Replaces every match of the patterns, which are valid; a text that takes too long is left out as a whole."""
    from harness.suite.grammar.patterns import compile_pattern

    compiled = [compile_pattern(pattern) for pattern in patterns]

    def redact(text: str) -> str:
        for pattern in compiled:
            try:
                text = pattern.sub(REDACTED, text, timeout=LIMIT_S)
            except TimeoutError:
                return TOO_SLOW
        return text

    return redact


def redact_answer(text: str, redact: TextFilter) -> str:
    """An answer redacted, with its tool calls. Those are lines of JSON, which escapes what a pattern may look for."""
    redact = _giving_up(redact)
    lines = [_redact_call(line, redact) if line.startswith(_CALL) else line for line in text.split("\n")]
    return redact("\n".join(lines))


def _redact_call(line: str, redact: TextFilter) -> str:
    try:
        return redact_json(line, redact)
    except (msgspec.DecodeError, RecursionError):
        return line


def redact_json(text: str, redact: TextFilter) -> str:
    """JSON with every text in it redacted, except keys. After a text that takes too long, the others are left out."""
    return msgspec.json.encode(_redact_value(msgspec.json.decode(text), _giving_up(redact))).decode()


def _giving_up(redact: TextFilter) -> TextFilter:
    """Leaves out every text after the first that takes too long: one answer may hold thousands."""
    too_slow = False

    def redact_or_leave_out(text: str) -> str:
        nonlocal too_slow
        redacted = TOO_SLOW if too_slow else redact(text)
        too_slow = redacted is TOO_SLOW
        return redacted

    return redact_or_leave_out


def storable_suite(suite: Suite) -> Suite:
    """The suite as the run's folder stores it, with the digest of the original.

    Without texts, each is replaced by its digest, so that runs can still be compared, and checks and labels are left
    out. The patterns are left out too, as they may quote what they redact. Ids, tags and file names stay.
    """
    if stores_no_text(suite.load):
        redact = None
    elif suite.load.redact:
        redact = pattern_redactor(suite.load.redact)
    else:
        return suite
    return msgspec.structs.replace(
        suite,
        targets=tuple(_stored_target(target, redact) for target in suite.targets),
        prompts=tuple(_stored_prompt(prompt, redact) for prompt in suite.prompts),
        load=msgspec.structs.replace(suite.load, redact=None),
        graders=msgspec.structs.replace(
            suite.graders, judges=tuple(_stored_judge(judge, redact) for judge in suite.graders.judges)
        ),
        texts_as_sent=False,
    )


# In what follows, `redact` is None if no text is stored.


def _stored_text(text: str, redact: TextFilter | None) -> str:
    return f"[not stored: {sha256(text.encode()).hexdigest()[:12]}]" if redact is None else redact(text)


def _stored_target(target: Target, redact: TextFilter | None) -> Target:
    return msgspec.structs.replace(target, options=_stored_options(target.options, redact))


def _stored_judge(judge: Judge, redact: TextFilter | None) -> Judge:
    labels = () if redact is None else judge.labels
    return msgspec.structs.replace(
        judge,
        target=_stored_target(judge.target, redact),
        labels=tuple(msgspec.structs.replace(label, answer=_stored_text(label.answer, redact)) for label in labels),
    )


def _stored_prompt(prompt: Prompt, redact: TextFilter | None) -> Prompt:
    filler, (first, *others) = _stored_filler(prompt.filler, redact), prompt.messages
    own = _stored_message(without_filler(first, prompt.filler), redact)
    return msgspec.structs.replace(
        prompt,
        messages=(with_filler(own, filler), *(_stored_message(message, redact) for message in others)),
        filler=filler,
        expect=None if prompt.expect is None or redact is None else redact(prompt.expect),
        checks=() if redact is None else tuple(_stored_check(check, redact) for check in prompt.checks),
        options=_stored_options(prompt.options, redact),
    )


def _stored_filler(filler: Filler | None, redact: TextFilter | None) -> Filler | None:
    if filler is None or filler.needle is None:
        return filler
    return msgspec.structs.replace(filler, needle=_stored_text(filler.needle, redact))


def _stored_message(message: Message, redact: TextFilter | None) -> Message:
    return Message(role=message.role, content=_stored_text(message.content, redact))


def _stored_check(check: Check, redact: TextFilter) -> Check:
    return Check(type=check.type, params=_redact_value(check.params, redact))


def _stored_options(options: Options, redact: TextFilter | None) -> Options:
    return msgspec.structs.replace(
        options,
        system=None if options.system is None else _stored_text(options.system, redact),
        stop_sequences=options.stop_sequences and [_stored_text(each, redact) for each in options.stop_sequences],
        tools=options.tools and [_stored_tool(tool, redact) for tool in options.tools],
    )


def _stored_tool(tool: Tool, redact: TextFilter | None) -> Tool:
    if redact is None:
        whole = msgspec.json.encode(tool, order="deterministic").decode()
        return Tool(name=tool.name, description=_stored_text(whole, None), input_schema={"type": "object"})
    return Tool(
        name=tool.name, description=redact(tool.description), input_schema=_redact_value(tool.input_schema, redact)
    )


def _redact_value(value: Any, redact: TextFilter) -> Any:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redact_value(each, redact) for each in value]
        case dict():
            return {key: _redact_value(each, redact) for key, each in value.items()}
    return value
