"""Converts journals to `attempts.parquet`: intact lines are stored, damaged ones reported, and nothing else is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_type_hints

import msgspec

from harness.errors import StoreError
from harness.files import LONGEST_LINE, read_lines
from harness.store.files import open_new, temporary_name
from harness.store.finding import Finding
from harness.store.journal import cut_torn_line, measure_journal
from harness.store.records import PHASES, Attempt

DAMAGED = ".damaged"
TRY = "concat(request_id, ' ', try_no)"
"""SQL: the key that is unique besides `attempt_id`."""


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """The ids that an attempt of a run may name."""

    run_id: str
    targets: frozenset[str]
    prompts: frozenset[str] | None = None
    """None: unknown."""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of converting a run's journals, which still exist."""

    attempts: int
    findings: tuple[Finding, ...] = ()
    damaged: frozenset[Path] = frozenset()
    """Journals from which lines were left out."""


def convert_journals(journals: Sequence[Path], target: Path, belonging: Belonging) -> Converted:
    """Write `target`, which appears once it is known to hold every attempt exactly once; attempts already in it stay.

    Damaged lines are left out. StoreError: a journal is not a regular file in this folder, the disk is full, or
    `target` itself is damaged; nothing has changed then.
    """
    extents = [measure_journal(journal) for journal in journals]
    lines, longest = sum(extent.lines for extent in extents), max((extent.longest for extent in extents), default=0)
    torn = _torn_finding(sum(map(cut_torn_line, journals)))
    if not any(extent.too_long for extent in extents):
        with suppress(StoreError):  # the salvage below finds the line, if it is one
            return Converted(attempts=_write(journals, target, belonging, longest=longest, lines=lines), findings=torn)
    salvage = Salvage(belonging)
    intact = temporary_name(target.with_suffix(".jsonl"))
    try:
        with open_new(intact) as file:
            for journal in journals:
                salvage.take_all(journal, file.write)
        rows = _write([intact], target, belonging, longest=salvage.longest, lines=salvage.taken)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        intact.unlink(missing_ok=True)
    return Converted(attempts=rows, findings=(*torn, *salvage.findings()), damaged=frozenset(salvage.damaged))


def check_stored(path: Path, targets: Collection[str]) -> None:
    """StoreError unless every row of `attempts.parquet` is complete and names one of the run's targets."""
    from harness.store.parquet import count_rows, quote

    invalid = count_rows(path, where=_invalid_rows(targets, None, quote))[-1]
    if invalid:
        raise StoreError(f"{path}: {invalid:,} rows are not attempts of this run; restore it or delete the folder")


def put_away(journal: Path, *, damaged: bool) -> None:
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
    """Takes the intact lines of journals, each attempt once, and records what it left out."""

    def __init__(self, belonging: Belonging) -> None:
        self.taken = 0
        self.longest = 0
        self.damaged: set[Path] = set()
        self._belonging = belonging
        self._decoder = msgspec.json.Decoder(Attempt)
        self._encoder = msgspec.json.Encoder()
        self._seen: dict[str, int] = {}
        self._tries: set[tuple[str, int]] = set()
        self._counts: Counter[bool] = Counter()
        self._firsts: dict[bool, str] = {}

    def take_all(self, journal: Path, write: Callable[[bytes], object]) -> None:
        """Write each line of a journal that is intact, of this run, and new."""
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
        """The attempt, or why it is left out."""
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
                _DUPLICATE if earlier == hash(self._encoder.encode(attempt) + b"\n") else "another attempt has its id"
            )
        return "another attempt is the same try" if (attempt.request_id, attempt.try_no) in self._tries else attempt

    def _why_foreign(self, attempt: Attempt) -> str | None:
        belonging = self._belonging
        if attempt.run_id != belonging.run_id:
            return "it belongs to another run"
        if attempt.phase not in PHASES:
            return "its phase is unknown"
        if attempt.target not in belonging.targets:
            return "the run has no such target"
        if belonging.prompts is not None and attempt.prompt_id not in belonging.prompts:
            return "the suite has no such prompt"
        return None

    def findings(self) -> list[Finding]:
        """What was left out, and where it is kept."""
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


def _write(journals: Sequence[Path], target: Path, belonging: Belonging, *, longest: int, lines: int) -> int:
    """Write `target` from the journals and its own rows; returns the number of attempts."""
    from harness.store.parquet import write_parquet

    return write_parquet(
        Attempt,
        journals,
        target,
        longest_line=longest,
        earlier=target if target.exists() else None,
        key="attempt_id",
        check=lambda file: _check(file, target, belonging, at_least=lines),
    )


def _check(file: Path, target: Path, belonging: Belonging, *, at_least: int) -> None:
    """StoreError unless `file`, which is to become `target`, holds only attempts of this run, each exactly once."""
    from harness.store.parquet import count_rows, quote

    rows, ids, tries, invalid = count_rows(file, "attempt_id", TRY, where=_invalid_new_rows(belonging, quote))
    if rows < at_least:
        raise StoreError(
            f"{target}: would hold only {rows} of the {at_least} attempts in the journal; the journal is kept"
        )
    if min(ids, tries) < rows or invalid:
        raise StoreError(
            f"{target}: {rows - min(ids, tries)} attempts would be duplicates, and {invalid} are not of this run; "
            "the journal is kept"
        )


def _invalid_new_rows(belonging: Belonging, quote: Callable[[str], str]) -> str:
    """SQL: rows that are invalid, or belong to another run."""
    invalid = _invalid_rows(belonging.targets, belonging.prompts, quote)
    return f"{invalid} OR run_id <> {quote(belonging.run_id)}"


def _invalid_rows(targets: Collection[str], prompts: Collection[str] | None, quote: Callable[[str], str]) -> str:
    """SQL: rows that lack a required value, or name a target, phase or prompt that the run does not have."""

    def outside(column: str, known: Collection[str]) -> str:
        return f"{column} NOT IN ({', '.join(map(quote, sorted(known)))})" if known else "true"

    missing = [f"{name} IS NULL" for name in REQUIRED]
    foreign = [
        outside("target", targets),
        outside("phase", PHASES),
        *(f"NOT coalesce(isfinite({name}), true)" for name in FLOATS),
    ]
    if prompts is not None:
        foreign.append(outside("prompt_id", prompts))
    return " OR ".join(missing + foreign)


REQUIRED = tuple(field.name for field in msgspec.structs.fields(Attempt) if field.required)
FLOATS = tuple(name for name, hint in get_type_hints(Attempt).items() if hint == float | None)


def _torn_finding(torn_bytes: int) -> tuple[Finding, ...]:
    if not torn_bytes:
        return ()
    return (
        Finding(
            what=f"the run was killed during a write: {torn_bytes} bytes of an unfinished line were dropped",
            remedy="the attempt they belonged to is missing; run the suite again for a complete result",
        ),
    )
