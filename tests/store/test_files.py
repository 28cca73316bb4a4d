"""Files that are written whole or not at all, alone or together."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.files import write_atomically, write_together


def test_files_that_belong_together_are_all_replaced_in_their_order(tmp_path: Path) -> None:
    page, text = tmp_path / "page", tmp_path / "text"
    page.write_text("old")
    write_together({text: b"new text", page: b"new page"})
    assert ("new text", "new page") == (text.read_text(), page.read_text())
    assert text.stat().st_ctime_ns <= page.stat().st_ctime_ns
    assert ["page", "text"] == sorted(path.name for path in tmp_path.iterdir())


def test_if_one_cannot_be_written_all_stay_as_they_were(tmp_path: Path) -> None:
    text, lost = tmp_path / "text", tmp_path / "missing" / "page"
    text.write_text("old")
    with pytest.raises(StoreError, match=f"{lost}: cannot be written: No such file or directory"):
        write_together({text: b"new", lost: b"new"})
    assert "old" == text.read_text()
    assert [text] == list(tmp_path.iterdir())


def test_a_file_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "link"
    other.write_text("other")
    link.symlink_to(other)
    write_atomically(link, b"new")
    assert ("other", "new", False) == (other.read_text(), link.read_text(), link.is_symlink())
