"""Lines of log files, gzip or plain, without holding a file in memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

import msgspec

MAX_LINE = 64_000_000
"""Bytes of one line or one body, unpacked; a file that holds more is damaged, or a trap."""
SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".log", ".log.gz")
_GZIP_MAGIC = b"\x1f\x8b"


class Line(msgspec.Struct, frozen=True):
    """One line of the log and where it is."""

    place: str
    text: bytes


class Broken(msgspec.Struct, frozen=True):
    """A piece of the log that cannot be read."""

    place: str
    why: str


def read_lines(file: IO[bytes], name: str) -> Iterator[Line | Broken]:
    """Every line that is not blank. Damage ends the file: what was read until then counts."""
    number = 0
    try:
        stream = _unpacked(file)
        while text := stream.readline(MAX_LINE + 1):
            number += 1
            if len(text) > MAX_LINE:
                yield Broken(f"{name}:{number}", f"a line of more than {MAX_LINE // 1_000_000} MB")
                return
            if text.strip():
                yield Line(f"{name}:{number}", text)
    except (OSError, EOFError, zlib.error) as error:
        yield Broken(f"{name}:{number + 1}", f"damaged: {error}")


def read_body(file: IO[bytes]) -> bytes | None:
    """A whole body. None: damaged, or longer than MAX_LINE."""
    try:
        body = _unpacked(file).read(MAX_LINE + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return body if len(body) <= MAX_LINE else None


def is_body(key: str) -> bool:
    """Whether this is one of the long bodies that Bedrock keeps beside its records."""
    return PurePosixPath(key).parent.name == "data"


def log_files(path: Path) -> Iterator[Path]:
    """The file itself, or every log file in the folder in the order of their names."""
    if path.is_file():
        yield path
        return
    for each in sorted(path.rglob("*")):
        if each.name.endswith(SUFFIXES) and each.is_file() and not is_body(each.relative_to(path).as_posix()):
            yield each


def find_copy(folder: Path, address: str) -> Path | None:
    """The copy in `folder` of what the log says is at an `s3://` address: under the longest part of its key."""
    parts = PurePosixPath(address.removeprefix("s3://")).parts
    if not address.startswith("s3://") or ".." in parts or "/" in parts:
        return None  # a log says where its bodies are, and it is hostile input
    candidates = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((each for each in candidates if each.is_file()), None)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    packed = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if packed else file
