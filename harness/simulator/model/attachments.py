"""The images and documents of a prompt, and their input tokens."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode

import msgspec

from harness.simulator.faults import validation
from harness.simulator.model.answers import count_tokens

IMAGE_TOKENS = 1_500
PAGE_TOKENS = 2_300
"""Per PDF page that the model sees."""
PAGE_TEXT_TOKENS = PAGE_TOKENS // 7
"""Per PDF page of which only the text is extracted."""
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_COUNT = re.compile(rb"/Count\s+(\d{1,6})")
_CITED_CHARS = 120


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a prompt. A text document has 0 pages."""

    title: str | None
    text: str = ""
    """The text of a text document."""
    pages: int = 0
    size: int = 0
    """Bytes."""
    cited: bool = False

    def tokens(self, *, visual: bool) -> int:
        """Its input tokens. `visual`: the model sees the pages."""
        if self.pages:
            return self.pages * (PAGE_TOKENS if visual else PAGE_TEXT_TOKENS)
        return count_tokens(self.text)

    @property
    def excerpt(self) -> str:
        """The text that a citation of its beginning quotes."""
        return self.text[:_CITED_CHARS] or f"Page 1 of {self.title or 'the document'}."


def decode_base64(data: str, where: str) -> bytes:
    """The bytes. Raises ServiceError (ValidationException) for invalid base64."""
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise validation(f"{where}: the data is not valid base64") from error


def read_document(content: bytes, *, pdf: bool, title: str | None, cited: bool, where: str) -> Document:
    """Make a document from its bytes. Raises ServiceError for an invalid PDF."""
    if not pdf:
        return Document(title=title, text=content.decode("utf-8", "replace"), size=len(content), cited=cited)
    if not content.startswith(b"%PDF-"):
        raise validation(f"{where}: The PDF specified was not valid.")
    return Document(title=title, pages=count_pages(content), size=len(content), cited=cited)


def count_pages(pdf: bytes) -> int:
    """Pages of a PDF, at least 1: its page objects or, if those are compressed, the count in its page tree."""
    counted = max((int(count) for count in _COUNT.findall(pdf)), default=0)
    return len(_PAGE.findall(pdf)) or counted or 1
