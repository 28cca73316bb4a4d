"""Documents and images of prompts: what is read of them, what is refused, and that no file can hurt."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfWriter

from harness.suite.read.documents import read_document, read_image
from harness.suite.read.pdf_pages import PdfMistake, count_pages
from harness.suite.read.text_file import FileMistake
from harness.suite.suite import Attachment


def pdf(pages: int, password: str | None = None) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=100, height=100)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    into = BytesIO()
    writer.write(into)
    return into.getvalue()


def image(kind: str, size: tuple[int, int] = (4, 3)) -> bytes:
    into = BytesIO()
    Image.new("1" if kind == "PNG" else "RGB", size).save(into, kind)
    return into.getvalue()


def test_a_document_is_known_by_its_bytes_and_its_pages(tmp_path: Path) -> None:
    content = pdf(3)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.PDF").write_bytes(content)
    assert read_document(tmp_path, "in/a.PDF") == Attachment(
        name="in/a.PDF",
        media_type="application/pdf",
        digest=sha256(content).hexdigest(),
        size=len(content),
        pages=3,
        path=tmp_path / "in" / "a.PDF",
    )


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.txt", "text/plain"), ("a.md", "text/markdown"), ("a.csv", "text/csv"), ("a.html", "text/html")],
)
def test_texts_are_documents_too(tmp_path: Path, name: str, media_type: str) -> None:
    (tmp_path / name).write_text("größer", encoding="utf-8")
    read = read_document(tmp_path, name)
    assert (media_type, 8, None) == (read.media_type, read.size, read.pages)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.gif", "GIF"), ("a.webp", "WEBP")]
)
def test_images_are_known_by_what_they_hold(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(image(kind))
    assert f"image/{kind.lower()}" == read_image(tmp_path, name).media_type


BROKEN = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF"
HUGE_PNG = image("PNG")[:16] + (100_000).to_bytes(4, "big") * 2 + image("PNG")[24:]
# name, content → what is told
BAD_DOCUMENTS: list[tuple[str, bytes | None, str]] = [
    ("gone.pdf", None, "'gone.pdf': there is no such file"),
    ("a.docx", b"x", "'a.docx': is not a document that Claude reads (.pdf, .txt, .md, .csv, .html, .htm)"),
    ("a", b"x", "'a': is not a document that Claude reads (.pdf, .txt, .md, .csv, .html, .htm)"),
    ("a.png", b"x", "'a.png': is not a document that Claude reads (.pdf, .txt, .md, .csv, .html, .htm)"),
    ("a.pdf", b"", "'a.pdf': is named .pdf but is not a PDF; it starts with b''"),
    (
        "a.pdf",
        b"\x89PNG\r\n\x1a\n",
        "'a.pdf': is named .pdf but is not a PDF; it starts with b'\\x89PNG\\r\\n\\x1a\\n'",
    ),
    ("a.pdf", b"%PDF-1.7 and no more", "'a.pdf': cannot be read as a PDF; print it to a new PDF"),
    ("a.pdf", BROKEN, "'a.pdf': cannot be read as a PDF; print it to a new PDF"),
    ("a.pdf", pdf(0), "'a.pdf': has no pages"),
    ("a.pdf", pdf(1, password="secret"), "'a.pdf': is encrypted; save it without a password"),
    ("a.pdf", pdf(1, password=""), "'a.pdf': is encrypted; save it without a password"),
    ("a.txt", b"", "'a.txt': is empty"),
    ("a.txt", b"a\0b", "'a.txt': contains a NUL character, so it is not text"),
    ("a.txt", b"a\xffb", "'a.txt': is not UTF-8 (byte 0xff); save it as UTF-8"),
]
BAD_IMAGES: list[tuple[str, bytes | None, str]] = [
    ("a.svg", b"<svg/>", "'a.svg': is not an image that Claude reads (.png, .jpg, .jpeg, .gif, .webp)"),
    ("a.png", b"", "'a.png': is not an image of type image/png"),
    ("a.png", b"%PDF-1.7", "'a.png': is not an image of type image/png"),
    ("a.png", image("JPEG"), "'a.png': is named as image/png but contains image/jpeg; rename it"),
    (
        "a.png",
        image("PNG", (8001, 1)),
        "'a.png': has 8001 × 1 pixels, but Claude takes at most 8000 × 8000; scale it down",
    ),
]


@pytest.mark.parametrize(("name", "content", "told"), BAD_DOCUMENTS, ids=[row[2][:50] for row in BAD_DOCUMENTS])
def test_a_document_that_is_invalid_is_reported(tmp_path: Path, name: str, content: bytes | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileMistake) as caught:
        read_document(tmp_path, name)
    assert caught.value.message == told


@pytest.mark.parametrize(("name", "content", "told"), BAD_IMAGES, ids=[row[2][:50] for row in BAD_IMAGES])
def test_an_image_that_is_invalid_is_reported(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileMistake) as caught:
        read_image(tmp_path, name)
    assert caught.value.message == told


def test_an_image_that_would_explode_is_refused_unopened(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(HUGE_PNG)
    with pytest.raises(FileMistake):
        read_image(tmp_path, "a.png")


@pytest.mark.parametrize("name", ["../out.txt", "/etc/hostname", "link.txt", "dir/../../out.txt", "a\0.txt"])
def test_nothing_outside_the_suites_folder_is_read(tmp_path: Path, name: str) -> None:
    home = tmp_path / "home"
    (home / "dir").mkdir(parents=True)
    (tmp_path / "out.txt").write_text("secret", encoding="utf-8")
    (home / "link.txt").symlink_to(tmp_path / "out.txt")
    with pytest.raises(FileMistake, match=r"outside the suite's folder|NUL character"):
        read_document(home, name)


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert read_document(tmp_path, "b.txt").digest == sha256(b"x").hexdigest()


def test_what_is_not_a_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pdf")
    (tmp_path / "dir.pdf").mkdir()
    for name in ("pipe.pdf", "dir.pdf"):
        with pytest.raises(FileMistake, match="is not a file"):
            read_document(tmp_path, name)


def test_a_file_that_no_api_takes_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.pdf").open("wb") as file:
        file.truncate(18_750_001)
    with pytest.raises(FileMistake, match=r"'a\.pdf': is larger than 18\.75 MB; no api takes more; split it"):
        read_document(tmp_path, "a.pdf")


def test_a_page_tree_that_bites_its_own_tail_ends() -> None:
    tree = pdf(1).replace(b"/Kids [ 4 0 R ]", b"/Kids [ 2 0 R ]")
    assert tree != pdf(1)
    with pytest.raises(PdfMistake, match="cannot be read as a PDF"):
        count_pages(tree)


def test_a_pdf_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(PdfMistake, match=r"takes more than 0\.001 s to read"):
        count_pages(pdf(1), timeout_s=0.001)  # less than it takes to start Python


@settings(max_examples=8)
@given(st.data())
def test_a_damaged_pdf_is_counted_or_refused(data: st.DataObject) -> None:
    content = bytearray(pdf(2))
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(PdfMistake):
        assert count_pages(bytes(content)) > 0
