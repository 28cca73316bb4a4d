"""Loads a suite: every mistake in it at once, each with its file and line, or a checked Suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Target, target_warnings
from harness.clock import utc_now
from harness.errors import SuiteError
from harness.suite import settings
from harness.suite.asked import Asked, dataset_prompts, inline_prompts, same_ids
from harness.suite.digest import digest_suite
from harness.suite.file import SuiteFile
from harness.suite.fit import fit_mistakes, fit_warnings
from harness.suite.mistakes import KeyPath, Line, Located, Mistake, Source, Validator, locate, suite_error
from harness.suite.own_prices import read_prices
from harness.suite.positions import Document, YamlMistake, read_yaml
from harness.suite.prompts import only_default_check
from harness.suite.salvage import salvage
from harness.suite.schema import Prompt, Suite
from harness.suite.structure import suite_mistakes, unknown_word
from harness.suite.targets import Placed, expand_targets, same_names
from harness.suite.text_file import MAX_SUITE_BYTES, FileMistake, read_text


def load_suite(path: Path, *, validators: Sequence[Validator] = (), home_region: str | None = None) -> Suite:
    """The suite in the file at `path`, its dataset read and its targets resolved.

    `validators` look for what rooms below this one know; they may see a suite whose wrong parts are missing, since
    every mistake is to be told at once. `home_region` (AWS_REGION) is preferred for targets that name no Region.
    Raises SuiteError with every mistake.
    """
    document, mistakes = _read(path)
    written = salvage(document.root.value, mistakes)
    file = written.file
    found = locate(document, [*mistakes, *settings.settings_mistakes(file)])

    targets, wrong = expand_targets(written.targets, file.defaults, home_region=home_region)
    if not wrong and not any(mistake.path[:1] == ("targets",) for mistake in mistakes):
        wrong = same_names(targets) + _baseline_mistakes(file, targets)
    found += locate(document, wrong)

    inline, wrong_prompts = inline_prompts(path.parent, document, written.prompts)
    dataset, wrong_rows = dataset_prompts(path.parent, document, file.dataset)
    asked = inline + dataset
    found += wrong_prompts + wrong_rows + same_ids(asked)
    if not asked and not found:
        found += locate(document, [Mistake((), "a suite without prompts; give `prompts` or a `dataset`")])

    prices, wrong = read_prices(path.parent, file.prices)
    found += locate(document, wrong)

    suite = _make_suite(file, targets, asked, prices)
    judged = [*fit_mistakes(_new(targets), suite.prompts), *(each for judge in validators for each in judge(suite))]
    found += _located(judged, document, targets, asked)
    if found:
        raise suite_error(found)
    return suite


def _read(path: Path) -> tuple[Document, list[Mistake]]:
    """The document and its structural mistakes; SuiteError at once where there is no document."""
    name = str(path)
    try:
        document, duplicates = read_yaml(read_text(path, max_bytes=MAX_SUITE_BYTES), name=name)
    except FileMistake as error:
        raise SuiteError([f"{name}:{error.line}: {error.message}"]) from error
    except YamlMistake as error:
        raise SuiteError([f"{name}:{error.line}: {error.message}"]) from error
    if duplicates:
        raise SuiteError([f"{name}:{line}: {message}" for line, message in duplicates])
    if not isinstance(document.root.value, dict):
        raise SuiteError([f"{name}:{document.root.line}: a suite is a mapping; begin with `suite: NAME`"])
    return document, suite_mistakes(document.root.value)


def _baseline_mistakes(file: SuiteFile, targets: Sequence[Placed]) -> list[Mistake]:
    names = [each.target.name for each in targets]
    if file.baseline is None or file.baseline in names:
        return []
    return [Mistake(("baseline",), unknown_word(file.baseline, names))]


def _new(targets: Sequence[Placed]) -> list[tuple[int, Target]]:
    """The targets of no frozen suite, with their indices: what ran once must load, whatever the catalog says today."""
    return [(at, each.target) for at, each in enumerate(targets) if not each.resolved]


def _make_suite(
    file: SuiteFile, targets: Sequence[Placed], asked: Sequence[Asked], prices: tuple[PriceOverride, ...]
) -> Suite:
    prompts = tuple(each.prompt for each in asked)
    suite = Suite(
        name=file.suite,
        digest="",
        endpoint=file.endpoint,
        targets=tuple(each.target for each in targets),
        prompts=prompts,
        baseline=file.baseline,
        load=settings.make_load(file.load),
        retries=settings.make_retries(file.retries),
        quota=settings.make_quota(file.quota),
        timeouts=settings.make_timeouts(file.timeouts),
        slo=settings.make_slo(file.slo),
        gate=settings.make_gate(file.gate),
        budget_usd=file.budget_usd,
        prices=prices,
        notes=_notes(prompts),
        warnings=_warnings(targets, prompts),
    )
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def _notes(prompts: Sequence[Prompt]) -> tuple[str, ...]:
    by_default = [prompt.id for prompt in prompts if only_default_check(prompt)]
    if not by_default:
        return ()
    return (f"default check 'exact' for {_counted(by_default)}: `expect` without `checks`",)


def _warnings(targets: Sequence[Placed], prompts: Sequence[Prompt]) -> tuple[str, ...]:
    today = utc_now().date()
    new = _new(targets)
    said = [text for _, target in new for text in target_warnings(target, today=today)]
    said += fit_warnings(new, prompts)
    ungraded = [prompt.id for prompt in prompts if not prompt.checks]
    if ungraded:
        said.append(f"not graded, for want of `expect` or `checks`: {_counted(ungraded)}")
    return tuple(dict.fromkeys(said))


def _counted(ids: Sequence[str], limit: int = 5) -> str:
    """`3 prompts (a, b, c)`."""
    shown = ", ".join(ids[:limit]) + (", …" if len(ids) > limit else "")
    return f"{len(ids)} prompt{'s' if len(ids) > 1 else ''} ({shown})"


def _located(
    judged: Iterable[Mistake], document: Document, targets: Sequence[Placed], asked: Sequence[Asked]
) -> list[Located]:
    """Mistakes that are told in the loaded suite, each where it was written."""
    found: list[Located] = []
    for mistake in judged:
        source: Source = document
        match mistake.path:
            case ("targets", int(index), *rest):
                path = _written_at(document, (*targets[index].path, *rest), ("defaults", *rest))
            case ("prompts", int(index), "checks", 0, *rest) if isinstance(asked[index].source, Line):
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
