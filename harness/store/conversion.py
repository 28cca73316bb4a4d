"""Converts journals to `attempts.parquet`: stores the intact lines and reports the damaged ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from harness.errors import StoreError
from harness.files import LONGEST_LINE, read_lines
from harness.store.files import open_new, temporary_name
from harness.store.finding import KILLED, Finding
from harness.store.journal import cut_torn_line, measure_journal
from harness.store.records import PHASES, Attempt

DAMAGED = ".damaged"
TRY = "concat(request_id, ' ', try_no)"
"""SQL for the second unique key, besides `attempt_id`."""
HASHED_TRY = "hash(request_id, try_no)"
"""The same as a number, which is quick to count. Two of a million attempts share one with a chance below 1 in 10^7."""


class RunIds(msgspec.Struct, frozen=True, kw_only=True):
    """The ids that an attempt of a run may name."""

    run_id: str
    targets: frozenset[str]
    prompts: frozenset[str] | None = None
    """None: unknown."""


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of converting a run's journals, which are not removed yet."""

    attempts: int
    findings: tuple[Finding, ...] = ()
    damaged: frozenset[Path] = frozenset()
    """Journals with lines that were left out."""


def convert_journals(journals: Sequence[Path], target: Path, run_ids: RunIds) -> Conversion:
    """Add the journals' attempts to `target`, which is replaced once the new file is known to hold each exactly once.

    Damaged lines are left out. StoreError, with nothing changed: a journal is not a regular file in this folder, the
    disk is full, or `target` is damaged.
    """
    extents = [measure_journal(journal) for journal in journals]
    lines, longest = sum(extent.lines for extent in extents), max((extent.longest for extent in extents), default=0)
    torn = _torn_finding(sum(map(cut_torn_line, journals)))
    if not any(extent.too_long for extent in extents):
        with suppress(StoreError):  # if a line is damaged, the salvage below finds it
            return Conversion(attempts=_write(journals, target, run_ids, longest=longest, lines=lines), findings=torn)
    salvage = Salvage(run_ids)
    intact = temporary_name(target.with_suffix(".jsonl"))
    try:
        with open_new(intact) as file:
            for journal in journals:
                salvage.take_all(journal, file.write)
        rows = _write([intact], target, run_ids, longest=salvage.longest, lines=salvage.taken)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        intact.unlink(missing_ok=True)
    return Conversion(attempts=rows, findings=(*torn, *salvage.findings()), damaged=frozenset(salvage.damaged))


def check_stored(path: Path, targets: Collection[str]) -> None:
    """StoreError unless `attempts.parquet` holds complete attempts at the run's targets, each once."""
    from harness.store.parquet import count_rows, quote

    rows, different, invalid = count_rows(path, HASHED_TRY, where=_invalid_rows(targets, None, quote))
    if invalid:
        raise StoreError(f"{path}: {invalid:,} rows are not attempts of this run; restore it or delete the folder")
    if different < rows:
        raise StoreError(f"{path}: {rows - different:,} rows are duplicates; restore it or delete the folder")


def remove_journal(journal: Path, *, damaged: bool) -> None:
    """Remove a converted journal; if lines were left out, rename it instead."""
    try:
        if not damaged:
            journal.unlink()
            return
        number, aside = 1, journal.with_name(journal.name + DAMAGED)
        while os.path.lexists(aside):
            number, aside = number + 1, journal.with_name(f"{journal.name}{DAMAGED}-{number + 1}")
        journal.rename(aside)
    except OSError as error:
        raise StoreError(f"{journal}: cannot be removed: {error.strerror}") from error


class Salvage:
    """Collects the intact lines of journals, each attempt once, and notes what it left out."""

    def __init__(self, run_ids: RunIds) -> None:
        self.taken = 0
        self.longest = 0
        self.damaged: set[Path] = set()
        self._run_ids = run_ids
        self._decoder = msgspec.json.Decoder(Attempt)
        self._encoder = msgspec.json.Encoder()
        self._seen: dict[str, int] = {}
        self._tries: set[tuple[str, int]] = set()
        self._counts: Counter[bool] = Counter()
        self._firsts: dict[bool, str] = {}

    def take_all(self, journal: Path, write: Callable[[bytes], object]) -> None:
        """Pass on each line of a journal that is intact, belongs to this run, and is not a duplicate."""
        for number, line in enumerate(read_lines(journal, follow=False), start=1):
            attempt = self._read(line)
            if isinstance(attempt, Attempt):
                encoded = self._encoder.encode(attempt) + b"\n"
                self._seen[attempt.attempt_id] = hash(encoded)
                self._tries.add((attempt.request_id, attempt.try_no))
                self.taken += 1
                self.longest = max(self.longest, len(encoded))
                write(encoded)
            else:
                duplicate = attempt == _DUPLICATE
                self._counts[duplicate] += 1
                self._firsts.setdefault(duplicate, f"{journal.name}:{number}: {attempt}")
                self.damaged.add(journal)

    def _read(self, line: bytes | None) -> Attempt | str:
        """The attempt, or the reason why it is left out."""
        if line is None:
            return f"longer than {LONGEST_LINE / 1e6:g} MB"
        try:
            attempt = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return str(error)
        reason = self._why_foreign(attempt)
        if reason is not None:
            return reason
        earlier = self._seen.get(attempt.attempt_id)
        if earlier is not None:
            return (
                _DUPLICATE
                if earlier == hash(self._encoder.encode(attempt) + b"\n")
                else "another attempt has the same id"
            )
        return (
            "another attempt has the same request and try number"
            if (attempt.request_id, attempt.try_no) in self._tries
            else attempt
        )

    def _why_foreign(self, attempt: Attempt) -> str | None:
        run_ids = self._run_ids
        if attempt.run_id != run_ids.run_id:
            return "it belongs to another run"
        if attempt.phase not in PHASES:
            return "unknown phase"
        if attempt.target not in run_ids.targets:
            return "its target is not in the run"
        if run_ids.prompts is not None and attempt.prompt_id not in run_ids.prompts:
            return "its prompt is not in the suite"
        return None

    def findings(self) -> list[Finding]:
        """What was left out, and where the journals are kept."""
        place = f"the journal is kept as {', '.join(sorted(path.name + DAMAGED for path in self.damaged))}"
        findings = []
        if count := self._counts[False]:
            lines = "1 line of the journal was" if count == 1 else f"{count:,} lines of the journal were"
            what = f"{lines} damaged and left out, the first at {self._firsts[False]}"
            findings.append(Finding(what=what, remedy=f"{place}; run the suite again", invalidates=True))
        if count := self._counts[True]:
            lines = "1 line of the journal was" if count == 1 else f"{count:,} lines of the journal were"
            what = f"{lines} duplicated and counted once, the first at {self._firsts[True]}"
            findings.append(Finding(what=what, remedy=f"nothing is missing; {place}"))
        return findings


_DUPLICATE = "a duplicate of an earlier attempt"


def _write(journals: Sequence[Path], target: Path, run_ids: RunIds, *, longest: int, lines: int) -> int:
    """Write `target` from the journals and its own rows; returns the number of attempts."""
    from harness.store.parquet import write_parquet

    return write_parquet(
        Attempt,
        journals,
        target,
        longest_line=longest,
        earlier=target if target.exists() else None,
        key="attempt_id",
        check=lambda file: _check(file, target, run_ids, at_least=lines),
    )


def _check(file: Path, target: Path, run_ids: RunIds, *, at_least: int) -> None:
    """StoreError unless `file`, which is to become `target`, holds only attempts of this run, each exactly once."""
    from harness.store.parquet import count_rows, quote

    rows, ids, tries, invalid = count_rows(file, "attempt_id", TRY, where=_invalid_new_rows(run_ids, quote))
    if rows < at_least:
        raise StoreError(
            f"{target}: would hold only {rows} of the {at_least} attempts in the journal; the journal is kept"
        )
    if min(ids, tries) < rows or invalid:
        raise StoreError(
            f"{target}: {rows - min(ids, tries)} attempts would be duplicates, and {invalid} do not belong to this "
            "run; the journal is kept"
        )


def _invalid_new_rows(run_ids: RunIds, quote: Callable[[str], str]) -> str:
    """SQL for rows that are invalid or belong to another run."""
    invalid = _invalid_rows(run_ids.targets, run_ids.prompts, quote)
    return f"{invalid} OR run_id <> {quote(run_ids.run_id)}"


def _invalid_rows(targets: Collection[str], prompts: Collection[str] | None, quote: Callable[[str], str]) -> str:
    """SQL for rows that lack a required value, or whose target, phase or prompt is not in the run."""

    def outside(column: str, known: Collection[str]) -> str:
        return f"{column} NOT IN ({', '.join(map(quote, sorted(known)))})" if known else "true"

    missing = [f"{name} IS NULL" for name in REQUIRED]
    foreign = [
        outside("target", targets),
        outside("phase", PHASES),
        *(f"NOT coalesce({name} BETWEEN {low!r} AND {high!r}, true)" for name, (low, high) in _bounds().items()),
    ]
    if prompts is not None:
        foreign.append(outside("prompt_id", prompts))
    return " OR ".join(missing + foreign)


REQUIRED = tuple(field.name for field in msgspec.structs.fields(Attempt) if field.required)


@cache
def _bounds() -> dict[str, tuple[float, float]]:
    """The least and the greatest value of each numeric column of an attempt."""
    from msgspec.inspect import FloatType, IntType, StructType, UnionType, type_info

    attempt, bounds = type_info(Attempt), {}
    assert isinstance(attempt, StructType)
    for field in attempt.fields:
        for kind in field.type.types if isinstance(field.type, UnionType) else (field.type,):
            if isinstance(kind, IntType | FloatType) and kind.ge is not None and kind.le is not None:
                bounds[field.name] = (kind.ge, kind.le)
    return bounds


def _torn_finding(torn_bytes: int) -> tuple[Finding, ...]:
    if not torn_bytes:
        return ()
    return (
        Finding(
            what=f"{KILLED}{torn_bytes} bytes of an unfinished line were dropped",
            remedy="the attempt they belonged to is missing; `harness run --resume RUN` makes it again",
        ),
    )
