"""A prompt's documents and images: their cached content, and their names in requests."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from harness.errors import EndpointError
from harness.suite.suite import Attachment

MAX_NAME = 190
"""Characters. Converse allows 200, and a number may be appended."""

PDF = "application/pdf"
"""The one document type that is not text."""

_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9()\[\]-]+")


def read_bytes(attachment: Attachment) -> bytes:
    """The attachment's bytes, cached. EndpointError: the file is missing or has changed since the suite was loaded."""
    if attachment.path is None:
        raise EndpointError(
            f"the content of {attachment.name!r} is not available, as a stored suite has only its digest; "
            "run the suite from its own folder"
        )
    return _load(attachment.digest, attachment.path)


def read_base64(attachment: Attachment) -> str:
    """The attachment's bytes in base64, cached. EndpointError: see `read_bytes`."""
    read_bytes(attachment)
    assert attachment.path is not None
    return _encode(attachment.digest, attachment.path)


def read_text(attachment: Attachment) -> str:
    """A text attachment's text. EndpointError: it is not UTF-8; see also `read_bytes`."""
    try:
        return read_bytes(attachment).decode()
    except UnicodeDecodeError as error:
        raise EndpointError(f"{attachment.name!r} is not UTF-8 text ({error.reason}); save it as UTF-8") from error


@lru_cache(maxsize=128)
def _load(digest: str, path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EndpointError(
            f"{path}: cannot be read ({error.strerror}); it was there when the suite was loaded"
        ) from error
    if sha256(data).hexdigest() != digest:
        raise EndpointError(f"{path}: has changed since the suite was loaded; start the run again")
    return data


@lru_cache(maxsize=128)
def _encode(digest: str, path: Path) -> str:
    return b64encode(_load(digest, path)).decode()


def name_documents(documents: Iterable[Attachment]) -> list[str]:
    """A unique name for each document that Converse accepts (letters, digits, single spaces, `-()[]`).

    All apis get the same names, so that citations can be compared.
    """
    names: list[str] = []
    taken: set[str] = set()
    for document in documents:
        plain = _NOT_ALLOWED.sub(" ", PurePath(document.name).stem).strip()[:MAX_NAME].strip() or "document"
        name, number = plain, 1
        while name in taken:
            number += 1
            name = f"{plain} ({number})"
        taken.add(name)
        names.append(name)
    return names


def attach(turns: list[dict[str, Any]], blocks: list[dict[str, Any]]) -> None:
    """Insert `blocks` (documents and images) before the text of the last user turn."""
    if blocks:
        turn = next(turn for turn in reversed(turns) if turn["role"] == "user")
        content = turn["content"]
        turn["content"] = [*blocks, *([{"type": "text", "text": content}] if isinstance(content, str) else content)]
