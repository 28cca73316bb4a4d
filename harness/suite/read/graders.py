"""Reads a suite's judges and check files, and finds the mistakes in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from harness.catalog.target import Target
from harness.suite.check.fit import fit_mistakes
from harness.suite.grammar.decode import ParsedSuite
from harness.suite.grammar.file import JudgeEntry, TargetEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake, Mistakes
from harness.suite.read.text_file import FileMistake, csv_lines, find_beside, read_beside, read_text
from harness.suite.suite import CheckFile, Graders, Judge, Label, Message, Prompt
from harness.suite.targets import expand_targets

PYTHON = "python"
"""The check whose `file` holds functions."""
MAX_CHECK_FILE_BYTES = 1_000_000
MAX_LABELS_BYTES = 10_000_000
LABEL_COLUMNS = ("prompt_id", "answer", "passed")
PASSED = {
    **dict.fromkeys(("true", "yes", "y", "1", "pass", "passed"), True),
    **dict.fromkeys(("false", "no", "n", "0", "fail", "failed"), False),
}
"""In any case, as spreadsheets and people write it."""
_ANY_PROMPT = Prompt(id="judge", messages=(Message(role="user", content="?"),))


def read_graders(
    folder: Path,
    suite: ParsedSuite,
    prompts: Sequence[Prompt],
    targets: Sequence[Target],
    mistakes: Mistakes,
    *,
    home_region: str | None,
) -> tuple[Graders, list[Mistake]]:
    """The judges, and the check files that prompts name, in or below `folder`.

    Mistakes in label files are added to `mistakes`. The others are returned, with paths of the loaded suite.
    """
    judges, wrong = _read_judges(folder, suite, prompts, mistakes, home_region)
    unread = len(judges) < len(suite.file.judges or {}) or any(path[:1] == ("judges",) for path in suite.broken)
    check_files, missing = _read_check_files(folder, prompts)
    graders = Graders(judges=judges, check_files=check_files, unread=unread)
    return graders, [*wrong, *candidate_mistakes(judges, targets), *missing]


def _read_judges(
    folder: Path, suite: ParsedSuite, prompts: Sequence[Prompt], mistakes: Mistakes, home_region: str | None
) -> tuple[tuple[Judge, ...], list[Mistake]]:
    judges: list[Judge] = []
    found: list[Mistake] = []
    ids = {prompt.id for prompt in prompts}
    for name, entry in (suite.file.judges or {}).items():
        written, wrong = expand_targets([(0, _as_target(name, entry))], None, home_region=home_region)
        wrong += fit_mistakes([(0, each.target) for each in written], [_ANY_PROMPT])
        found += [Mistake(("judges", name, *each.path[2:]), each.message) for each in wrong]
        key: KeyPath = ("judges", name, "calibration")
        try:
            labels = _read_labels(folder, entry.calibration, ids)
        except FileMistake as error:
            if isinstance(entry.calibration, str):
                error.add_to(mistakes, folder / entry.calibration, suite.document, key)
            else:
                mistakes.add(suite.document, [Mistake(key, error.message)])
            continue
        judges += [
            Judge(name=name, target=each.target, labels=labels, usual_region=each.usual_region) for each in written
        ]
    return tuple(judges), found


def _as_target(name: str, entry: JudgeEntry) -> TargetEntry:
    given = {key: value for key, value in msgspec.structs.asdict(entry).items() if key != "calibration"}
    return TargetEntry(**given, label=name, stream=False)


def candidate_mistakes(judges: Sequence[Judge], targets: Sequence[Target]) -> Iterator[Mistake]:
    """Judges that would grade their own answers."""
    for judge in judges:
        own = [target.name for target in targets if target.base_model == judge.target.base_model]
        if own:
            message = (
                f"judge {judge.name!r} and target {own[0]} are the same model, {judge.target.model}, and models favour "
                "their own answers; use a judge that is not compared"
            )
            yield Mistake(("judges", judge.name, "model"), message)


def _read_labels(folder: Path, written: str | Sequence[Label] | None, ids: set[str]) -> tuple[Label, ...]:
    """The labels in the suite or in a CSV file. Raises FileMistake."""
    if not isinstance(written, str):
        unknown = [each.prompt_id for each in written or () if each.prompt_id not in ids]
        if unknown:
            raise FileMistake(f"there is no prompt {unknown[0]!r}", line=None)
        return tuple(written or ())
    text = read_text(find_beside(folder, written), max_bytes=MAX_LABELS_BYTES)
    first = text.partition("\n")[0]
    lines = csv_lines(text, delimiter=";" if ";" in first and "," not in first else ",")  # some spreadsheets write ;
    _, header = next(lines, (1, []))
    header = [cell.strip() for cell in header]
    if sorted(header) != sorted(LABEL_COLUMNS):
        raise FileMistake(f"the columns must be {', '.join(LABEL_COLUMNS)}, not {', '.join(header) or 'none'}")
    labels = tuple(_label(header, cells, ids, line) for line, cells in lines)
    if not labels:
        raise FileMistake("contains no labels")
    return labels


def _label(header: list[str], cells: list[str], ids: set[str], line: int) -> Label:
    if len(cells) != len(header):
        raise FileMistake(f"has {len(cells)} cells, but the header has {len(header)} columns", line=line)
    row = dict(zip(header, cells, strict=True))
    if row["prompt_id"] not in ids:
        raise FileMistake(f"there is no prompt {row['prompt_id']!r}", line=line)
    passed = PASSED.get(row["passed"].strip().casefold())
    if passed is None:
        raise FileMistake(f"passed is {row['passed']!r}; write true or false, yes or no, pass or fail", line=line)
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
    """(file name, path in the suite) for every check that names a file."""
    for at, prompt in enumerate(prompts):
        for number, check in enumerate(prompt.checks):
            if check.type == PYTHON and isinstance(check.params.get("file"), str):
                yield check.params["file"], ("prompts", at, "checks", number, "file")


def read_check_file(folder: Path, name: str) -> CheckFile | FileMistake:
    """Read a check file, parsing it but not running it."""
    try:
        content = read_beside(folder, name, max_bytes=MAX_CHECK_FILE_BYTES, remedy="it should contain functions only")
        tree = ast.parse(content)
    except FileMistake as error:
        return FileMistake(f"{name!r}: {error.message}")
    except (RecursionError, MemoryError):  # how Python refuses an expression or a block that nests too deep
        return FileMistake(f"{name!r} is not Python: nested too deeply")
    except (SyntaxError, ValueError) as error:
        line = f" at line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return FileMistake(f"{name!r} is not Python{line}: {getattr(error, 'msg', error)}")
    functions = tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return CheckFile(name=name, digest=sha256(content).hexdigest(), functions=functions, source=content)
