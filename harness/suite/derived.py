"""Suites derived from another: with fewer targets, or with the files of a stored suite restored."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.catalog.prices import terms_of
from harness.catalog.target import merge_options
from harness.errors import SuiteError
from harness.suite.digest import digest_suite
from harness.suite.read.documents import read_document, read_image
from harness.suite.read.graders import read_check_file
from harness.suite.read.text_file import FileMistake
from harness.suite.suite import Attachment, CheckFile, Suite

File = TypeVar("File", Attachment, CheckFile)


def keep_targets(suite: Suite, names: Collection[str]) -> Suite:
    """The suite with only the named targets.

    Settings of the others are dropped too: in `baseline`, `load.rates` and `prices`.
    """
    targets = tuple(target for target in suite.targets if target.name in names)
    rates = {name: rate for name, rate in (suite.load.rates_per_s or {}).items() if name in names}
    used = {
        (target.base_model, target.routing, terms_of(options))
        for target in (*targets, *(judge.target for judge in suite.graders.judges))
        for options in (target.options, *(merge_options(target.options, each.options) for each in suite.prompts))
    }
    suite = msgspec.structs.replace(
        suite,
        targets=targets,
        baseline=suite.baseline if suite.baseline in names else None,
        load=msgspec.structs.replace(suite.load, rates_per_s=rates or None),
        prices=tuple(price for price in suite.prices if any(price.covers(*each) for each in used)),
    )
    return msgspec.structs.replace(suite, digest=digest_suite(suite))


def compares_pairs(suite: Suite) -> bool:
    """Whether there is a baseline, and another target to compare with it."""
    return suite.baseline is not None and len(suite.targets) > 1


def missing_files(suite: Suite) -> list[str]:
    """Names of documents, images and check files whose content is missing. Empty unless the suite was stored."""
    attachments = (each for prompt in suite.prompts for each in (*prompt.documents, *prompt.images))
    lost = [each.name for each in attachments if each.path is None]
    lost += [file.name for file in suite.graders.check_files if file.source is None]
    return list(dict.fromkeys(lost))


def restore_files(suite: Suite, folder: Path) -> Suite:
    """A stored suite with its files, read from the folder of the original suite file.

    SuiteError: a file is missing, or has changed since the run.
    """
    mistakes: list[str] = []

    def restore(attachments: tuple[Attachment, ...], read: Callable[[Path, str], Attachment]) -> tuple[Attachment, ...]:
        return tuple(_restore(each, folder, read, mistakes) for each in attachments)

    prompts = tuple(
        msgspec.structs.replace(
            prompt, documents=restore(prompt.documents, read_document), images=restore(prompt.images, read_image)
        )
        for prompt in suite.prompts
    )
    check_files = tuple(_restore(each, folder, _read_checks, mistakes) for each in suite.graders.check_files)
    if mistakes:
        raise SuiteError(list(dict.fromkeys(mistakes)))
    graders = msgspec.structs.replace(suite.graders, check_files=check_files)
    return msgspec.structs.replace(suite, prompts=prompts, graders=graders)


def _restore(stored: File, folder: Path, read: Callable[[Path, str], File], mistakes: list[str]) -> File:
    try:
        file = read(folder, stored.name)
    except FileMistake as mistake:
        mistakes.append(f"{folder}: {mistake.message}")
        return stored
    if file.digest != stored.digest:
        mistakes.append(f"{folder / stored.name}: has changed since the run; restore it")
    return file


def _read_checks(folder: Path, name: str) -> CheckFile:
    file = read_check_file(folder, name)
    if isinstance(file, FileMistake):
        raise file
    return file
