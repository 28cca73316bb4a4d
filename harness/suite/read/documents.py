"""Reads documents and images of prompts: checks that content and name agree, and computes digests."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from harness.suite.read.pdf_pages import PdfMistake, count_pages
from harness.suite.read.text_file import FileMistake, find_beside, read_bytes
from harness.suite.suite import Attachment

DOCUMENT_TYPES = {
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".html": "text/html",
    ".htm": "text/html",
}
IMAGE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Extension → media type."""
MAX_ATTACHMENT_BYTES = 18_750_000
"""Fits in the largest body of any api, 25,000,000 bytes of base64."""
MAX_IMAGE_SIDE = 8000
_PDF_HEAD = 1024
"""Bytes within which readers look for `%PDF-`."""


def read_document(folder: Path, name: str) -> Attachment:
    """The document `name` in or below `folder`. Raises FileMistake."""
    return _read(folder, name, DOCUMENT_TYPES, "document")


def read_image(folder: Path, name: str) -> Attachment:
    """The image `name` in or below `folder`. Raises FileMistake."""
    return _read(folder, name, IMAGE_TYPES, "image")


def _read(folder: Path, name: str, types: dict[str, str], kind: str) -> Attachment:
    try:
        path = find_beside(folder, name)
        media_type = types.get(path.suffix.lower())
        if media_type is None:
            article = "an" if kind == "image" else "a"
            raise FileMistake(f"is not {article} {kind} that Claude reads ({', '.join(types)})")
        content = read_bytes(path, max_bytes=MAX_ATTACHMENT_BYTES, remedy="no api takes more; split it")
        pages = _inspect(media_type)(content)
    except FileMistake as mistake:
        raise FileMistake(f"{name!r}: {mistake.message}") from mistake
    return Attachment(
        name=name,
        media_type=media_type,
        digest=sha256(content).hexdigest(),
        size=len(content),
        pages=pages,
        path=path,
    )


def _inspect(media_type: str) -> Callable[[bytes], int | None]:
    """A function that checks the type of the content, and returns the number of pages of a PDF."""
    if media_type == "application/pdf":
        return _pdf_pages
    return _check_text if media_type.startswith("text/") else lambda content: _check_image(content, media_type)


def _pdf_pages(content: bytes) -> int:
    if b"%PDF-" not in content[:_PDF_HEAD]:
        raise FileMistake(f"is named .pdf but is not a PDF; it starts with {content[:8]!r}")
    try:
        return count_pages(content)
    except PdfMistake as error:
        raise FileMistake(str(error)) from error


def _check_text(content: bytes) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileMistake(f"is not UTF-8 (byte 0x{content[error.start]:02x}); save it as UTF-8") from error
    if "\0" in text:
        raise FileMistake("contains a NUL character, so it is not text")
    if not text.strip():
        raise FileMistake("is empty")


def _check_image(content: bytes, media_type: str) -> None:
    """Check an image by its header, without decoding pixels."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
                actual, sides = Image.MIME[image.format or ""], image.size
    except Image.DecompressionBombError:
        raise FileMistake(_too_wide("far more")) from None
    except Exception as error:  # a hostile header can make the library raise almost anything
        raise FileMistake(f"is not an image of type {media_type}") from error
    if actual != media_type:
        raise FileMistake(f"is named as {media_type} but contains {actual}; rename it")
    if max(sides) > MAX_IMAGE_SIDE:
        raise FileMistake(_too_wide(f"{sides[0]} × {sides[1]}"))


def _too_wide(sides: str) -> str:
    return f"has {sides} pixels, but Claude takes at most {MAX_IMAGE_SIDE} × {MAX_IMAGE_SIDE}; scale it down"
