"""Loads a suite: every mistake in it at once, each with its file and line, or a checked Suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Target, target_warnings
from harness.clock import utc_now
from harness.errors import SuiteError
from harness.suite import settings
from harness.suite.check.fit import fit_mistakes, fit_warnings
from harness.suite.check.target_names import name_mistakes
from harness.suite.digest import digest_suite
from harness.suite.gather import GatheredPrompt, Prompts, dataset_prompts, generated_prompts, inline_prompts, same_ids
from harness.suite.generate import synthetic_mistakes, synthetic_prompts
from harness.suite.grammar.file import SuiteFile
from harness.suite.grammar.gate import flatten_gate
from harness.suite.grammar.mistakes import KeyPath, Line, Located, Mistake, Source, Validator, locate, suite_error
from harness.suite.grammar.salvage import Written, salvage
from harness.suite.grammar.structure import suite_mistakes
from harness.suite.prompts import only_default_check
from harness.suite.read.graders import read_graders
from harness.suite.read.prices import price_warnings, read_prices
from harness.suite.read.replay import replay_trace
from harness.suite.read.text_file import MAX_FROZEN_BYTES, MAX_SUITE_BYTES, FileMistake, read_text
from harness.suite.read.yaml_lines import MAX_VALUES, Document, YamlMistake, read_yaml
from harness.suite.settings import make_load, make_quota, plan_mistakes, rates_mistakes
from harness.suite.suite import Load, Prompt, Suite
from harness.suite.targets import PlacedTarget, expand_targets


def load_suite(path: Path, *, validators: Sequence[Validator] = (), home_region: str | None = None) -> Suite:
    """The suite in the file at `path`, its dataset read and its targets resolved.

    `validators` look for what rooms below this one know; they may see a suite whose wrong parts are missing, since
    every mistake is to be told at once. `home_region` (AWS_REGION) is preferred for targets that name no Region.
    Raises SuiteError with every mistake.
    """
    return _load(path.parent, *_read(path), validators=validators, home_region=home_region)


def load_frozen(path: Path) -> Suite:
    """The suite of a run, as `freeze_suite` wrote it: of any size, for the datasets stand in it. Raises SuiteError.

    Without warnings: they were told when it ran. It may be somebody else's, so it can name no file, and no code.
    """
    suite = _load(None, *_read(path, frozen=True), validators=(), home_region=None)
    return msgspec.structs.replace(suite, warnings=())


def _load(
    folder: Path | None,
    document: Document,
    found: list[Located],
    mistakes: list[Mistake],
    *,
    validators: Sequence[Validator],
    home_region: str | None,
) -> Suite:
    written = salvage(document.root.value, mistakes)
    file = written.file
    found += locate(document, [*mistakes, *settings.settings_mistakes(file, written.broken)])

    targets, wrong = expand_targets(written.targets, file.defaults, home_region=home_region)
    found += locate(document, [*wrong, *name_mistakes(written, targets, wrong)])
    if targets and not wrong:
        found += locate(document, rates_mistakes(file.load, [each.target.name for each in targets]))

    prompts = _gather_prompts(folder, document, written)
    found += prompts.found
    if not prompts.found:  # else a prompt that cannot be read may have the tag
        found += locate(document, settings.gate_mistakes(file.gate, [each.prompt for each in prompts.asked]))

    prices, wrong = read_prices(folder, file.prices, new=bool(_new(targets)))
    found += locate(document, wrong)

    load = msgspec.structs.replace(make_load(file.load), calls=prompts.calls)
    warnings = (*_warnings(targets, prompts), *_ungradable(load, prompts))
    suite = _make_suite(file, load, targets, prompts.asked, prices, warnings)
    if not found and _new(targets):
        names = [target.name for target in suite.targets]
        found += locate(document, plan_mistakes(load, prompts=len(suite.prompts), targets=names))
    graders, wrong = read_graders(folder, written, suite.prompts, suite.targets, home_region=home_region)
    said = price_warnings(
        [each for _, each in _new(targets)],
        [judge.target for judge in graders.judges],
        suite.prompts,
        prices,
        inline=not isinstance(file.prices, str),
    )
    suite = msgspec.structs.replace(suite, graders=graders, warnings=tuple(dict.fromkeys([*suite.warnings, *said])))
    suite = msgspec.structs.replace(suite, digest=digest_suite(suite))
    judged = [*wrong, *fit_mistakes(_new(targets), suite.prompts)]
    judged += (each for judge in validators for each in judge(suite))
    found += _located(judged, document, targets, prompts.asked)
    if found:
        raise suite_error(found)
    return suite


def _gather_prompts(folder: Path | None, document: Document, written: Written) -> Prompts:
    """Every prompt that is asked: written here, in the dataset, generated, or of a size in the trace; and its calls."""
    inline = inline_prompts(folder, document, written.prompts)
    dataset = dataset_prompts(folder, document, written.file.dataset)
    impossible = locate(document, synthetic_mistakes(written.file.synthetic))
    made = generated_prompts(document, () if impossible else synthetic_prompts(written.file.synthetic))
    asked = inline.asked + dataset.asked + made.asked
    found = inline.found + dataset.found + impossible + same_ids(inline.claims + dataset.claims + made.claims)
    replayed = replay_trace(folder, document, written.file.load, {each.prompt.id for each in asked})
    found += replayed.found
    asked += [
        GatheredPrompt(prompt=prompt, source=source, path=(), generated=True)
        for prompt, source in replayed.prompts.values()
    ]
    if not asked and not found and _has_no_prompts(written):
        told = "a suite without prompts; give `prompts`, `dataset` or `synthetic`"
        found = locate(document, [Mistake((), told)])
    return Prompts(asked=asked, found=found, comma_tags=dataset.comma_tags, calls=replayed.calls)


def _read(path: Path, *, frozen: bool = False) -> tuple[Document, list[Located], list[Mistake]]:
    """The document, its duplicate keys and its structural mistakes; SuiteError at once where there is no document."""
    name = str(path)
    try:
        text = read_text(path, max_bytes=MAX_FROZEN_BYTES if frozen else MAX_SUITE_BYTES)
        document, duplicates = read_yaml(text, name=name, max_values=len(text) if frozen else MAX_VALUES)
    except (FileMistake, YamlMistake) as error:
        where = name if error.line is None else f"{name}:{error.line}"
        raise SuiteError([f"{where}: {error.message}"]) from error
    content = document.root.value
    if not isinstance(content, dict):
        raise SuiteError([f"{name}:{document.root.line}: a suite is a mapping; begin with `suite: NAME`"])
    found = [Located(source=Line(name, line), mistake=Mistake((), message)) for line, message in duplicates]
    return document, found, [] if frozen and _is_sound(content) else suite_mistakes(content)


def _is_sound(content: dict[str, Any]) -> bool:
    """Whether there is no structural mistake: found sooner than all there are, which takes seconds for many prompts."""
    try:
        file = msgspec.convert(content, SuiteFile)
    except msgspec.ValidationError:
        return False
    checks = (check for prompt in file.prompts or () for check in prompt.checks or ())
    return bool(file.targets) and all(isinstance(check.get("type"), str) for check in checks)


def _has_no_prompts(written: Written) -> bool:
    """Whether none are meant either: no key that is wrong stands for them."""
    keys = {path[0] for path in written.broken if path}
    return keys <= set(SuiteFile.__struct_fields__) - {"prompts", "dataset", "synthetic"}


def _new(targets: Sequence[PlacedTarget]) -> list[tuple[int, Target]]:
    """The targets of no frozen suite, with their indices: what ran once must load, whatever the catalog says today."""
    return [(at, each.target) for at, each in enumerate(targets) if not each.resolved]


def _make_suite(
    file: SuiteFile,
    load: Load,
    targets: Sequence[PlacedTarget],
    asked: Sequence[GatheredPrompt],
    prices: tuple[PriceOverride, ...],
    warnings: tuple[str, ...],
) -> Suite:
    prompts = tuple(each.prompt for each in asked)
    return Suite(
        name=file.suite,
        digest="",
        endpoint=file.endpoint,
        targets=tuple(each.target for each in targets),
        prompts=prompts,
        baseline=file.baseline,
        load=load,
        retries=settings.make_retries(file.retries),
        quota=make_quota(file.quota),
        timeouts=settings.make_timeouts(file.timeouts),
        slo=settings.make_slo(file.slo),
        gate=flatten_gate(file.gate),
        budget_usd=file.budget_usd,
        prices=prices,
        notes=_notes(prompts),
        warnings=warnings,
    )


def _notes(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    by_default = [prompt.id for prompt in prompts if only_default_check(prompt)]
    if not by_default:
        return ()
    return (f"default check 'exact' for {_counted(by_default)}: `expect` without `checks`",)


def _warnings(targets: Sequence[PlacedTarget], gathered: Prompts) -> tuple[str, ...]:
    prompts = [each.prompt for each in gathered.asked]
    today = utc_now().date()
    new = _new(targets)
    said = [text for _, target in new for text in target_warnings(target, today=today)]
    said += fit_warnings(new, prompts)
    ungraded = [each.prompt.id for each in gathered.asked if not (each.prompt.checks or each.generated)]
    if ungraded:
        said.append(f"not graded, for want of `expect` or `checks`: {_counted(ungraded)}")
    if gathered.comma_tags:
        said.append(f"one tag with a comma in it, where `;` separates tags: {_counted(gathered.comma_tags)}")
    return tuple(dict.fromkeys(said))


def _ungradable(load: Load, gathered: Prompts) -> tuple[str, ...]:
    if load.store_text is None or not any(each.prompt.checks for each in gathered.asked):
        return ()
    share = "no answer is" if load.store_text == 0 else f"only {load.store_text:.0%} of the answers are"
    return (f"load.store_text: {share} stored with its text, and the others cannot be graded",)


def _counted(ids: Sequence[str], limit: int = 5) -> str:
    """`3 prompts (a, b, c)`."""
    shown = ", ".join(ids[:limit]) + (", …" if len(ids) > limit else "")
    return f"{len(ids)} prompt{'s' if len(ids) > 1 else ''} ({shown})"


def _located(
    judged: Iterable[Mistake], document: Document, targets: Sequence[PlacedTarget], asked: Sequence[GatheredPrompt]
) -> list[Located]:
    """Mistakes that are told in the loaded suite, each where it was written."""
    found: list[Located] = []
    for mistake in judged:
        source: Source = document
        match mistake.path:
            case ("targets", int(index), *rest):
                path = _written_at(document, (*targets[index].path, *rest), ("defaults", *rest))
            case ("prompts", int(index), "checks", 0, *rest) if asked[index].one_check:
                source, path = asked[index].source, ("check", *rest)
            case ("prompts", int(index), *rest):
                source, path = asked[index].source, (*asked[index].path, *rest)
            case _:
                path = mistake.path
        found += locate(source, [Mistake(path, mistake.message)])
    return found


def _written_at(document: Document, path: KeyPath, default: KeyPath) -> KeyPath:
    """`path`, unless only the defaults say something there."""
    return default if document.holds(default) and not document.holds(path) else path
