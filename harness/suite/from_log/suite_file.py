"""Makes a suite file from logged traffic: its prompts, with today's models and the candidates as targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from harness.catalog.models import find_model
from harness.catalog.names import IN_REGION, read_reference
from harness.catalog.target import Api, Options, Target, resolve_target
from harness.errors import CatalogError, SuiteError
from harness.suite.check.fit import fit_mistakes
from harness.suite.from_log.traffic import SampledPrompt, Traffic
from harness.suite.grammar.file import TargetEntry
from harness.suite.grammar.structure import prompt_entry_mistakes
from harness.suite.read.text_file import MAX_SUITE_BYTES
from harness.suite.suite import Prompt
from harness.suite.targets import expand_targets
from harness.suite.write import check_name, dump_yaml, without_unset

GATE = {"error_rate": "1pp", "e2e_p95": "15%", "cost_per_request": "10%"}
"""Margins of an imported suite. It has no checks, and so no margin for the pass rate."""


class ImportedSuite(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a suite file."""

    text: str
    targets: tuple[str, ...]
    baseline: str
    """Today's most frequent model, or the first candidate if none of today's models can be called any more."""
    warnings: tuple[str, ...]


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """The models to compare with today's."""

    models: tuple[str, ...] = ()
    routing: str | None = None
    """None: the routing of today's most frequent model if offered for the candidate, else its default."""


def make_suite_file(name: str, traffic: Traffic, candidates: Candidates, *, about: Sequence[str]) -> ImportedSuite:
    """The YAML of a suite that `load_suite` accepts. `about`: lines of the comment at its top.

    SuiteError: not a valid suite name, no prompts, no targets, or too long a file. CatalogError: a candidate is unknown
    or not offered.
    """
    check_name(name)
    if not traffic.prompts:
        raise SuiteError(["the log has no prompt that can be sent again; try a wider --since and --until"])
    today, warnings = _todays_targets(traffic.ways)
    entries = [*today, *_candidate_targets(candidates, today, traffic.ways)]
    if not entries:
        raise SuiteError([*warnings, "none of the log's models can be called any more; name one with --candidate"])
    placed, _ = expand_targets(list(enumerate(entries)), None, home_region=None)
    names = tuple(each.target.name for each in placed)
    prompts, changed = _prompts(traffic, [each.target for each in placed])
    warnings += [f"{times:,} prompts: {what}" for what, times in changed]
    text = _head(about) + _settings(name, entries, names[0]) + prompts
    if len(text.encode()) > MAX_SUITE_BYTES:
        raise SuiteError([f"the suite would be larger than {MAX_SUITE_BYTES // 1_000_000} MB; use a smaller --sample"])
    return ImportedSuite(text=text, targets=names, baseline=names[0], warnings=tuple(warnings))


def _todays_targets(ways: Counter[tuple[str, str, Api, bool]]) -> tuple[list[TargetEntry], list[str]]:
    """One target for each model and routing of the log, with its most frequent api and streaming mode."""
    entries: dict[tuple[str, str | None], TargetEntry] = {}
    warnings = []
    for (model_id, region, api, stream), _ in ways.most_common():
        try:
            entry = _logged_entry(model_id, api=api, stream=stream, region=region)
        except CatalogError as error:
            warnings.append(f"{model_id} in the log cannot be a target: {error}")
            continue
        assert isinstance(entry.model, str)
        assert not isinstance(entry.routing, list)
        entries.setdefault((entry.model, entry.routing), entry)
    return list(entries.values()), list(dict.fromkeys(warnings))


def _logged_entry(model_id: str, *, api: Api, stream: bool, region: str) -> TargetEntry:
    """The target for a model id in the log. A bare id means in-region, if the model is offered like that."""
    if read_reference(model_id).routing is None:
        try:
            return _entry(model_id, IN_REGION, api=api, stream=stream, region=region)
        except CatalogError:
            pass
    return _entry(model_id, None, api=api, stream=stream, region=region)


def _candidate_targets(
    candidates: Candidates, today: Sequence[TargetEntry], ways: Counter[tuple[str, str, Api, bool]]
) -> list[TargetEntry]:
    """The candidates, called like today's most frequent model, without those that are already targets."""
    (_, region, api, stream), _ = ways.most_common(1)[0]
    taken = {(entry.model, entry.routing) for entry in today}
    entries = []
    for model in candidates.models:
        routing = candidates.routing or _same_routing(model, today)
        entry = _entry(model, routing, api=api, stream=stream, region=region)
        if (entry.model, entry.routing) not in taken:
            taken.add((entry.model, entry.routing))
            entries.append(entry)
    return entries


def _same_routing(model: str, today: Sequence[TargetEntry]) -> str | None:
    reference = read_reference(model)
    routing = today[0].routing if today else None
    if not isinstance(routing, str) or reference.routing is not None or reference.model is None:
        return None
    return routing if routing in find_model(reference.model).routings else None


def _entry(model: str, routing: str | None, *, api: Api, stream: bool, region: str) -> TargetEntry:
    """A target entry with the model's short name, so that no account number gets into the file.

    `region` is used if it carries the routing. CatalogError: not offered.
    """
    reference = read_reference(model)
    name, routing = reference.model or model, routing or reference.routing
    try:
        found = resolve_target(model=name, routing=routing, api=api, client="wire", region=region)
    except CatalogError:
        found = resolve_target(model=name, routing=routing, api=api, client="wire")
    return TargetEntry(
        model=found.model, routing=found.routing, api=api, client="wire", region=found.region, stream=stream
    )


def _head(about: Sequence[str]) -> str:
    lines = (" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in about)
    return "".join(f"# {line}\n" if line else "#\n" for line in lines) + "\n"


def _settings(name: str, entries: Sequence[TargetEntry], baseline: str) -> str:
    content = {
        "suite": name,
        "endpoint": "simulator",
        "targets": [without_unset(msgspec.to_builtins(entry)) for entry in entries],
        "baseline": baseline,
        "load": {"arrival": "closed", "concurrency": 8, "repeats": 1},
        "gate": {**GATE, **({"ttft_p95": "15%"} if entries[0].stream else {})},
    }
    return dump_yaml(content)


def _prompts(traffic: Traffic, targets: Sequence[Target]) -> tuple[str, list[tuple[str, int]]]:
    """The prompts' YAML, and (change, number of prompts) for all changes that were necessary.

    Prompts that cannot be sent to every target are dropped from the traffic's sample.
    """
    tagged = len({_tag(model) for sampled in traffic.prompts for model in sampled.models}) > 1
    pieces = []
    changed: Counter[str] = Counter()
    for sampled in traffic.prompts:
        try:
            entry = _fitting_entry(sampled, targets, changed, tagged=tagged)
        except UnfitPrompt as error:
            changed[f"left out: {error}"] += 1
            traffic.drop(sampled)
            continue
        comment = f"# sent {sampled.times:,} ×, {sampled.input_tokens / sampled.times:,.0f} input tokens on average\n"
        pieces.append(comment + dump_yaml([entry]))
    if not pieces:
        raise SuiteError(["no prompt in the log can be sent to every target:", *changed])
    return "prompts:\n" + "".join(pieces), changed.most_common()


class UnfitPrompt(Exception):
    """A prompt that cannot be sent to a target even with fewer options. The text says why."""


def fit_options(prompt: Prompt, targets: Sequence[Target]) -> tuple[Options, dict[str, str]]:
    """The prompt's options without those that a target refuses, and for each change the reason, by option.

    `max_tokens` is lowered to what every model can write. Raises UnfitPrompt.
    """
    changed: dict[str, str] = {}
    while found := fit_mistakes(list(enumerate(targets)), [prompt]):
        mistake = found[0]
        name = str(mistake.path[-1])
        if mistake.path[:1] != ("prompts",) or getattr(prompt.options, name, None) is None:
            raise UnfitPrompt(mistake.message)
        least = _longest(targets) if name == "max_tokens" and name not in changed else None
        changed[name] = mistake.message
        prompt = msgspec.structs.replace(prompt, options=msgspec.structs.replace(prompt.options, **{name: least}))
    return prompt.options, changed


def _longest(targets: Sequence[Target]) -> int | None:
    """The longest answer that every model can write, in tokens. None: unknown."""
    models = [find_model(target.base_model) for target in targets]
    return min((model.max_output.value for model in models if model.max_output), default=None)


def _fitting_entry(
    sampled: SampledPrompt, targets: Sequence[Target], changed: Counter[str], *, tagged: bool
) -> dict[str, Any]:
    """A prompt's entry, with options that the grammar and every target accept. Raises UnfitPrompt."""
    wrong = {
        str(mistake.path[0])
        for mistake in prompt_entry_mistakes(_prompt(sampled, sampled.options, tagged=tagged))
        if mistake.path
    }
    if not wrong <= set(Options.__struct_fields__):
        raise UnfitPrompt("a suite cannot express the prompt")
    changed.update(f"{key} is left out: a suite cannot express its value" for key in wrong)
    options = msgspec.structs.replace(sampled.options, **dict.fromkeys(wrong))
    options, refused = fit_options(Prompt(id=sampled.prompt_id, messages=sampled.messages, options=options), targets)
    changed.update(
        f"{name} is {'left out' if getattr(options, name) is None else 'lowered'}: {why}"
        for name, why in refused.items()
    )
    return _prompt(sampled, options, tagged=tagged)


def _prompt(sampled: SampledPrompt, options: Options, *, tagged: bool) -> dict[str, Any]:
    one_turn = len(sampled.messages) == 1
    turns = [msgspec.to_builtins(turn) for turn in sampled.messages]
    content = {"prompt": turns[0]["content"]} if one_turn else {"messages": turns}
    tags = {"tags": sorted({_tag(model) for model in sampled.models})} if tagged else {}
    return {"id": sampled.prompt_id, **tags, **without_unset(msgspec.to_builtins(options)), **content}


def _tag(model_id: str) -> str:
    """The model's short name. An unknown id stays as it is, without the account number."""
    try:
        return find_model(read_reference(model_id).model or model_id).name
    except CatalogError:
        return model_id.rpartition("/")[2][:200]
