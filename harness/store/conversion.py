"""From journals to `attempts.parquet`: what is whole is taken, what is not is told, and nothing else is thrown away."""

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
"""SQL: what is unique beside `attempt_id`."""


class Belonging(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt must name to be one of a run."""

    run_id: str
    targets: frozenset[str]
    prompts: frozenset[str] | None = None
    """None: not known."""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a run's journals, which are still there."""

    attempts: int
    findings: tuple[Finding, ...] = ()
    damaged: frozenset[Path] = frozenset()
    """Journals of which some line was left out."""


def convert_journals(journals: Sequence[Path], target: Path, belonging: Belonging) -> Converted:
    """Write `target`, which appears when it was found to hold every attempt once; its own attempts stay.

    Where a line is damaged, every other one is taken. StoreError: a journal is not a regular file of this folder, the
    disk is full, or `target` itself is damaged; then nothing has changed.
    """
    extents = [measure_journal(journal) for journal in journals]
    lines, longest = sum(extent.lines for extent in extents), max((extent.longest for extent in extents), default=0)
    torn = _torn_finding(sum(map(cut_torn_line, journals)))
    if not any(extent.too_long for extent in extents):
        with suppress(StoreError):  # which line it is, and whether it is a line, is found below
            return Converted(attempts=_write(journals, target, belonging, longest=longest, lines=lines), findings=torn)
    salvage = Salvage(belonging)
    whole = temporary_name(target.with_suffix(".jsonl"))
    try:
        with open_new(whole) as file:
            for journal in journals:
                salvage.take_all(journal, file.write)
        rows = _write([whole], target, belonging, longest=salvage.longest, lines=salvage.taken)
    except OSError as error:
        raise StoreError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        whole.unlink(missing_ok=True)
    return Converted(attempts=rows, findings=(*torn, *salvage.findings()), damaged=frozenset(salvage.damaged))


def check_stored(path: Path, targets: Collection[str]) -> None:
    """StoreError unless every row of a run's `attempts.parquet` has what each one has, and is of one of its targets."""
    from harness.store.parquet import count_rows, quote

    strange = count_rows(path, where=_strange(targets, None, quote))[-1]
    if strange:
        raise StoreError(f"{path}: {strange:,} rows are no attempts of this run; restore it or delete the folder")


def put_away(journal: Path, *, damaged: bool) -> None:
    """Remove a journal that was converted; keep one of which something was left out, under another name."""
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
    """Takes the whole lines of journals, each attempt once, and remembers what it left out."""

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
        """Write each line of a journal that is whole, of this run and new."""
        for number, line in enumerate(read_lines(journal, follow=False), start=1):
            found = self._read(line)
            if isinstance(found, Attempt):
                written = self._encoder.encode(found) + b"\n"
                self._seen[found.attempt_id] = hash(written)
                self._tries.add((found.request_id, found.try_no))
                self.taken += 1
                self.longest = max(self.longest, len(written))
                write(written)
            else:
                again = found == _AGAIN
                self._counts[again] += 1
                self._firsts.setdefault(again, f"{journal.name}:{number}: {found}")
                self.damaged.add(journal)

    def _read(self, line: bytes | None) -> Attempt | str:
        """The attempt, or why it is left out."""
        if line is None:
            return f"longer than {LONGEST_LINE / 1e6:g} MB"
        try:
            attempt = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return str(error)
        wrong = self._foreign(attempt)
        if wrong is not None:
            return wrong
        earlier = self._seen.get(attempt.attempt_id)
        if earlier is not None:
            return _AGAIN if earlier == hash(self._encoder.encode(attempt) + b"\n") else "another attempt has its id"
        return "another attempt is the same try" if (attempt.request_id, attempt.try_no) in self._tries else attempt

    def _foreign(self, attempt: Attempt) -> str | None:
        belonging = self._belonging
        if attempt.run_id != belonging.run_id:
            return "it is of another run"
        if attempt.phase not in PHASES:
            return "there is no such phase"
        if attempt.target not in belonging.targets:
            return "the run has no such target"
        if belonging.prompts is not None and attempt.prompt_id not in belonging.prompts:
            return "the suite has no such prompt"
        return None

    def findings(self) -> list[Finding]:
        """What was left out, and where it is kept."""
        kept = f"the journal is kept as {', '.join(sorted(path.name + DAMAGED for path in self.damaged))}"
        found = []
        if count := self._counts[False]:
            lines = "1 line of the journal was" if count == 1 else f"{count:,} lines of the journal were"
            what = f"{lines} damaged and left out, the first at {self._firsts[False]}"
            found.append(Finding(what=what, remedy=f"{kept}; run the suite again", invalidates=True))
        if count := self._counts[True]:
            lines = "1 line of the journal was" if count == 1 else f"{count:,} lines of the journal were"
            what = f"{lines} there twice and counted once, the first at {self._firsts[True]}"
            found.append(Finding(what=what, remedy=f"nothing is missing; {kept}"))
        return found


_AGAIN = "an attempt that is there already"


def _write(journals: Sequence[Path], target: Path, belonging: Belonging, *, longest: int, lines: int) -> int:
    """`target` out of journals and of what it holds already; returns its attempts."""
    from harness.store.parquet import write_parquet

    return write_parquet(
        Attempt,
        journals,
        target,
        longest_line=longest,
        earlier=target if target.exists() else None,
        key="attempt_id",
        check=lambda written: _check(written, target, belonging, at_least=lines),
    )


def _check(written: Path, target: Path, belonging: Belonging, *, at_least: int) -> None:
    """StoreError unless a file that is about to be `target` holds attempts of this run alone, each of them once."""
    from harness.store.parquet import count_rows, quote

    rows, ids, tries, strange = count_rows(written, "attempt_id", TRY, where=_strange_here(belonging, quote))
    if rows < at_least:
        raise StoreError(f"{target}: would hold {rows} attempts of {at_least} in the journal; the journal is kept")
    if min(ids, tries) < rows or strange:
        raise StoreError(
            f"{target}: {rows - min(ids, tries)} attempts would be there twice, and {strange} are not of this run; "
            "the journal is kept"
        )


def _strange_here(belonging: Belonging, quote: Callable[[str], str]) -> str:
    """SQL: one that is strange, or of another run."""
    strange = _strange(belonging.targets, belonging.prompts, quote)
    return f"{strange} OR run_id <> {quote(belonging.run_id)}"


def _strange(targets: Collection[str], prompts: Collection[str] | None, quote: Callable[[str], str]) -> str:
    """SQL: an attempt that lacks what every one has, or names what the run has not."""

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
            what=f"the run was killed while it wrote: {torn_bytes} bytes of an unfinished line were dropped",
            remedy="the attempt they belonged to is missing; run the suite again for a whole result",
        ),
    )
