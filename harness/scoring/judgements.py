"""Judgements of a run's answers by judges and check functions, stored so that no judge is asked or paid twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from harness.errors import StoreError
from harness.files import open_descriptor, read_lines, reason

Kind = Literal["python", "judge", "pair", "label"]


class Judgement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `judgements.jsonl`. If several lines have the same key, the last one counts."""

    key: str
    """Digest of the grader, the question, the answer and the request. The wording of the judge's prompt is left out, so
    that a later version of the harness still finds it."""
    kind: Kind
    """`python` and `judge`: the result of one function or judge. `pair` and `label`: what was derived from them."""
    by: str
    """The judge's name, or `checks.py:grade`."""
    request_id: str
    given: dict[str, Any] = {}
    """The result. A judge's is untrusted, like all model output."""
    error: str | None = None
    """Why there is no result."""
    cost_usd: float | None = None


class Judgements:
    """The judgements of one run; new ones are written immediately."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_key = {each.key: each for each in read_judgements(path)}
        self._file: IO[bytes] | None = None

    def find(self, key: str) -> Judgement | None:
        return self._by_key.get(key)

    def add(self, judgement: Judgement) -> None:
        """Add a judgement. Raises StoreError if it cannot be written."""
        if self._by_key.get(judgement.key) == judgement:
            return
        self._by_key[judgement.key] = judgement
        try:
            if self._file is None:
                self._file = _open_to_add(self._path)
            self._file.write(msgspec.json.encode(judgement) + b"\n")
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {reason(error)}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _open_to_add(path: Path) -> IO[bytes]:
    """Open the file, ending its last line if a killed run left half of one. Raises OSError if the path is a link."""
    file = os.fdopen(open_descriptor(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, follow=False), "a+b", buffering=0)
    if file.seek(0, SEEK_END):
        file.seek(-1, SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


def read_judgements(path: Path) -> Iterator[Judgement]:
    """All complete lines; a killed run may have left half of one. Raises StoreError if the file cannot be read."""
    decoder = msgspec.json.Decoder(Judgement)
    try:
        for line in read_lines(path):
            try:
                if line is not None:
                    yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def digest_of(*parts: object) -> str:
    """First 32 hex digits of the SHA-256 of the parts that identify a judgement."""
    return sha256(msgspec.json.encode(parts, order="deterministic")).hexdigest()[:32]
