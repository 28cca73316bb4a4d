"""Loads and checks a suite, and reports all of its mistakes at once, each with file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from harness.catalog.target import target_warnings
from harness.clock import utc_now
from harness.errors import SuiteError
from harness.suite.check.fit import fit_mistakes, fit_warnings
from harness.suite.check.load import gate_mistakes, plan_mistakes, rates_mistakes, settings_mistakes
from harness.suite.digest import digest_suite
from harness.suite.grammar.decode import ParsedSuite, decode
from harness.suite.grammar.gate import flatten_gate
from harness.suite.grammar.mistakes import KeyPath, Line, Mistake, Mistakes, Source, describe_mistake
from harness.suite.grammar.yaml_lines import Document, YamlMistake, read_yaml
from harness.suite.prompts import GatheredPrompts, gather_prompts, has_default_check
from harness.suite.read.graders import read_graders
from harness.suite.read.prices import price_warnings, read_prices
from harness.suite.read.text_file import MAX_SUITE_BYTES, FileMistake, read_text
from harness.suite.suite import Graders, Load, Prompt, Quota, Retries, Slo, Suite, Timeouts
from harness.suite.targets import LocatedTarget, expand_targets, name_mistakes

Validator = Callable[[Suite], Iterable[Mistake]]
"""A check by another part of the harness, such as of checks' parameters or of the apis that a client supports."""


def load_suite(path: Path, *, validators: Sequence[Validator] = (), home_region: str | None = None) -> Suite:
    """Load the suite file at `path`, read its dataset and resolve its targets.

    `validators` may see a suite without its invalid parts, as all mistakes are reported together. `home_region`
    (AWS_REGION) is preferred for targets without a Region. SuiteError: lists every mistake.
    """
    mistakes = Mistakes()
    document = read_document(path, mistakes)
    written = decode(document, mistakes)
    targets = resolve_targets(written, home_region, mistakes)
    prompts = gather_prompts(path.parent, written, mistakes)
    suite = make_suite(path.parent, written, targets, prompts, home_region, mistakes)
    check_suite(suite, written, targets, prompts, validators, mistakes)
    if mistakes:
        raise mistakes.error()
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def read_document(path: Path, mistakes: Mistakes) -> Document:
    """Parse the file as YAML with line numbers. Duplicate keys are added to `mistakes`. SuiteError: not YAML."""
    name = str(path)
    try:
        document, duplicates = read_yaml(read_text(path, max_bytes=MAX_SUITE_BYTES), name=name)
    except (FileMistake, YamlMistake) as error:
        raise SuiteError([describe_mistake(error.message, name, error.line)]) from error
    if not isinstance(document.root.value, dict):
        message = "a suite is a mapping; start with `suite: NAME`"
        raise SuiteError([describe_mistake(message, name, document.root.line)])
    for line, message in duplicates:
        mistakes.add(Line(name, line), [Mistake((), message)])
    return document


def resolve_targets(written: ParsedSuite, home_region: str | None, mistakes: Mistakes) -> list[LocatedTarget]:
    """Expand and resolve the targets. Mistakes in their names and rates are added to `mistakes`."""
    targets, wrong = expand_targets(written.targets, written.file.defaults, home_region=home_region)
    mistakes.add(written.document, [*wrong, *name_mistakes(written, targets, wrong)])
    if targets and not wrong:
        mistakes.add(written.document, rates_mistakes(written.file.load, [each.target.name for each in targets]))
    return targets


def make_suite(
    folder: Path,
    written: ParsedSuite,
    targets: Sequence[LocatedTarget],
    gathered: GatheredPrompts,
    home_region: str | None,
    mistakes: Mistakes,
) -> Suite:
    """The suite with its judges, check files and prices, still without a digest."""
    file = written.file
    prices, wrong = read_prices(folder, file.prices)
    mistakes.add(written.document, wrong)
    prompts = tuple(each.prompt for each in gathered.prompts)
    suite = Suite(
        name=file.suite,
        digest="",
        endpoint=file.endpoint,
        targets=tuple(each.target for each in targets),
        prompts=prompts,
        baseline=file.baseline,
        load=_make_load(file.load, gathered),
        retries=file.retries or Retries(max_attempts=1),
        quota=file.quota or Quota(),
        timeouts=file.timeouts or Timeouts(),
        slo=file.slo or Slo(),
        gate=flatten_gate(file.gate),
        budget_usd=file.budget_usd,
        stop=file.stop,
        prices=prices,
        usual_regions={each.target.name: each.usual_region for each in targets if each.usual_region},
        notes=default_notes(prompts),
    )
    graders, wrong = read_graders(folder, written, prompts, suite.targets, mistakes, home_region=home_region)
    _add_located(wrong, written, targets, gathered, mistakes)
    warnings = _warnings(suite, graders, gathered, inline=not isinstance(file.prices, str))
    return msgspec.structs.replace(suite, graders=graders, warnings=warnings)


def check_suite(
    suite: Suite,
    written: ParsedSuite,
    targets: Sequence[LocatedTarget],
    gathered: GatheredPrompts,
    validators: Sequence[Validator],
    mistakes: Mistakes,
) -> None:
    """Add mistakes across sections: settings, gate, plan, prompts that do not fit a target, and the validators'."""
    mistakes.add(written.document, settings_mistakes(written))
    if gathered.sound:  # otherwise an invalid prompt might have the tag
        by_tag = {} if written.file.gate is None else written.file.gate.pass_rate_by_tag or {}
        mistakes.add(written.document, gate_mistakes(list(by_tag), suite.prompts))
    if targets and not mistakes:
        names = [target.name for target in suite.targets]
        mistakes.add(written.document, plan_mistakes(suite.load, prompts=len(suite.prompts), targets=names))
    found = fit_mistakes(list(enumerate(suite.targets)), suite.prompts)
    found += [mistake for validate in validators for mistake in validate(suite)]
    _add_located(found, written, targets, gathered, mistakes)


def default_notes(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    """A note about the prompts that got the default check, if any."""
    ids = [prompt.id for prompt in prompts if has_default_check(prompt)]
    if not ids:
        return ()
    return (f"default check 'exact' for {_counted(ids)} with `expect` but without `checks`",)


def _make_load(load: Load | None, gathered: GatheredPrompts) -> Load:
    load = load or Load()
    share = None if load.store_text in (None, True) else float(load.store_text)
    return msgspec.structs.replace(load, calls=gathered.calls, store_text=share)


def _warnings(suite: Suite, graders: Graders, gathered: GatheredPrompts, *, inline: bool) -> tuple[str, ...]:
    """What to know before a run. `inline`: the prices are in the suite file itself."""
    today = utc_now().date()
    found = [text for target in suite.targets for text in target_warnings(target, today=today)]
    found += fit_warnings(list(enumerate(suite.targets)), suite.prompts)
    ungraded = [each.prompt.id for each in gathered.prompts if not (each.prompt.checks or each.generated)]
    if ungraded:
        found.append(f"not graded, as `expect` and `checks` are missing: {_counted(ungraded)}")
    if gathered.comma_tags:
        found.append(f"a tag contains a comma, but `;` separates tags: {_counted(gathered.comma_tags)}")
    if suite.load.store_text is not None and any(prompt.checks for prompt in suite.prompts):
        share = suite.load.store_text
        some = f"only {share:.0%} of the answers are stored, so the others cannot be graded"
        found.append(f"load.store_text: {some if share else 'no answer is stored, so none can be graded'}")
    judges = [judge.target for judge in graders.judges]
    found += price_warnings(suite.targets, judges, suite.prompts, suite.prices, inline=inline)
    if suite.load.redact and any(prompt.checks for prompt in suite.prompts):
        found.append("load.redact: answers are graded as they are stored, so all redacted matches count as equal")
    return tuple(dict.fromkeys(found))


def _counted(ids: Sequence[str], limit: int = 5) -> str:
    """`3 prompts (a, b, c)`."""
    shown = ", ".join(ids[:limit]) + (", …" if len(ids) > limit else "")
    return f"{len(ids)} prompt{'s' if len(ids) > 1 else ''} ({shown})"


def _add_located(
    found: Iterable[Mistake],
    written: ParsedSuite,
    targets: Sequence[LocatedTarget],
    gathered: GatheredPrompts,
    mistakes: Mistakes,
) -> None:
    """Add mistakes whose paths refer to the loaded suite, each at its place in the files."""
    prompts = gathered.prompts
    for mistake in found:
        source: Source = written.document
        match mistake.path:
            case ("targets", int(index), *rest):
                path = _written_at(written.document, (*targets[index].path, *rest), ("defaults", *rest))
            case ("prompts", int(index), "checks", 0, *rest) if prompts[index].one_check:
                source, path = prompts[index].source, ("check", *rest)
            case ("prompts", int(index), *rest):
                source, path = prompts[index].source, (*prompts[index].path, *rest)
            case _:
                path = mistake.path
        mistakes.add(source, [Mistake(path, mistake.message)])


def _written_at(document: Document, path: KeyPath, default: KeyPath) -> KeyPath:
    """`path`, or `default` if only that one is in the file."""
    return default if document.holds(default) and not document.holds(path) else path
