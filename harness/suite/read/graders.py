"""A suite's judges and check files, read, and every mistake in them."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from harness.catalog.target import Target
from harness.suite.check.fit import fit_mistakes
from harness.suite.grammar.file import TargetEntry
from harness.suite.grammar.graders import JudgeEntry, LabelEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.salvage import Written
from harness.suite.read.text_file import FileMistake, find_beside, read_beside, read_text
from harness.suite.suite import CheckFile, Graders, Judge, Label, Message, Prompt
from harness.suite.targets import expand_targets

PYTHON = "python"
"""The check whose `file` holds functions."""
MAX_CHECK_FILE_BYTES = 1_000_000
MAX_LABELS_BYTES = 10_000_000
LABEL_COLUMNS = ("prompt_id", "answer", "passed")
PASSED = {"true": True, "yes": True, "1": True, "pass": True, "false": False, "no": False, "0": False, "fail": False}
_ANY_PROMPT = Prompt(id="judge", messages=(Message(role="user", content="?"),))


def read_graders(
    folder: Path | None,
    written: Written,
    prompts: Sequence[Prompt],
    targets: Sequence[Target],
    *,
    home_region: str | None,
) -> tuple[Graders, list[Mistake]]:
    """The judges and the check files that prompts name; files lie in `folder` or below it.

    `folder` None: the suite is that of a run. Its check files are known by their digests, and none is looked for.
    Paths of mistakes are those of the loaded suite.
    """
    file = written.file
    judges, wrong = _read_judges(folder, file.judges or {}, prompts, home_region)
    unread = bool(wrong) or any(path[:1] == ("judges",) for path in written.broken)
    wrong += _candidates(judges, targets)
    if folder is None:
        kept = (CheckFile(name=e.name, digest=e.digest, functions=e.functions) for e in file.check_files or ())
        return Graders(judges=judges, check_files=tuple(kept), unread=unread), wrong
    check_files, missing = _read_check_files(folder, prompts)
    return Graders(judges=judges, check_files=check_files, unread=unread), wrong + missing


def _read_judges(
    folder: Path | None, entries: Mapping[str, JudgeEntry], prompts: Sequence[Prompt], home_region: str | None
) -> tuple[tuple[Judge, ...], list[Mistake]]:
    judges: list[Judge] = []
    mistakes: list[Mistake] = []
    ids = {prompt.id for prompt in prompts}
    for name, entry in entries.items():
        placed, wrong = expand_targets([(0, _as_target(name, entry))], None, home_region=home_region)
        if entry.resolved is None:
            wrong = [*wrong, *fit_mistakes([(0, each.target) for each in placed], [_ANY_PROMPT])]
        mistakes += [Mistake(("judges", name, *each.path[2:]), each.message) for each in wrong]
        try:
            labels = _read_labels(folder, entry.calibration, ids)
        except FileMistake as error:
            mistakes.append(Mistake(("judges", name, "calibration"), error.message))
            continue
        judges += [Judge(name=name, target=each.target, labels=labels) for each in placed]
    return tuple(judges), mistakes


def _as_target(name: str, entry: JudgeEntry) -> TargetEntry:
    given = {key: value for key, value in msgspec.to_builtins(entry).items() if value is not None}
    given.pop("calibration", None)
    return msgspec.convert({**given, "label": name, "stream": False}, TargetEntry)


def _candidates(judges: Sequence[Judge], targets: Sequence[Target]) -> Iterator[Mistake]:
    """Judges that would grade their own answers."""
    for judge in judges:
        own = [target.name for target in targets if target.base_model == judge.target.base_model]
        if own:
            told = (
                f"judge {judge.name!r} is {judge.target.model}, and so is the target {own[0]}: a model favours its own "
                "answers; let a model judge that is not compared"
            )
            yield Mistake(("judges", judge.name, "model"), told)


def _read_labels(folder: Path | None, written: str | Sequence[LabelEntry] | None, ids: set[str]) -> tuple[Label, ...]:
    """Raises FileMistake, with the file's name and line in its message."""
    if written is None:
        return ()
    if not isinstance(written, str):
        strange = [each.prompt_id for each in written if each.prompt_id not in ids]
        if strange:
            raise FileMistake(f"there is no prompt {strange[0]!r}")
        return tuple(msgspec.convert(each, Label, from_attributes=True) for each in written)
    try:
        text = read_text(find_beside(folder, written), max_bytes=MAX_LABELS_BYTES)
    except FileMistake as error:
        raise FileMistake(f"{written!r}: {error.message}") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if sorted(reader.fieldnames or ()) != sorted(LABEL_COLUMNS):
            raise FileMistake(f"{written}:1: the columns must be {', '.join(LABEL_COLUMNS)}")
        labels = tuple(_label(row, ids, f"{written}:{reader.line_num}") for row in reader)
    except csv.Error as error:
        raise FileMistake(f"{written}:{reader.line_num}: not CSV: {error}") from error
    if not labels:
        raise FileMistake(f"{written} holds no labels")
    return labels


def _label(row: dict[str, Any], ids: set[str], where: str) -> Label:
    if None in row or None in row.values():
        raise FileMistake(f"{where}: has not {len(LABEL_COLUMNS)} cells")
    if row["prompt_id"] not in ids:
        raise FileMistake(f"{where}: there is no prompt {row['prompt_id']!r}")
    passed = PASSED.get(row["passed"].strip().casefold())
    if passed is None:
        raise FileMistake(f"{where}: passed is {row['passed']!r}; write true or false")
    return Label(prompt_id=row["prompt_id"], answer=row["answer"], passed=passed)


def _read_check_files(folder: Path, prompts: Sequence[Prompt]) -> tuple[tuple[CheckFile, ...], list[Mistake]]:
    files: dict[str, CheckFile | FileMistake] = {}
    mistakes = []
    for name, path in _named_files(prompts):
        if name not in files:
            files[name] = read_check_file(folder, name)
        found = files[name]
        if isinstance(found, FileMistake):
            mistakes.append(Mistake(path, found.message))
    return tuple(each for each in files.values() if isinstance(each, CheckFile)), mistakes


def _named_files(prompts: Sequence[Prompt]) -> Iterator[tuple[str, KeyPath]]:
    """The files that checks name, each with its place."""
    for at, prompt in enumerate(prompts):
        for number, check in enumerate(prompt.checks):
            if check.type == PYTHON and isinstance(check.params.get("file"), str):
                yield check.params["file"], ("prompts", at, "checks", number, "file")


def read_check_file(folder: Path, name: str) -> CheckFile | FileMistake:
    """The file, parsed but not run."""
    try:
        content = read_beside(folder, name, max_bytes=MAX_CHECK_FILE_BYTES, remedy="it holds functions, nothing else")
        tree = ast.parse(content)
    except FileMistake as error:
        return FileMistake(f"{name!r}: {error.message}")
    except (SyntaxError, ValueError) as error:
        line = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return FileMistake(f"{name!r} is not Python{line}: {getattr(error, 'msg', error)}")
    functions = tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return CheckFile(name=name, digest=sha256(content).hexdigest(), functions=functions, source=content)
