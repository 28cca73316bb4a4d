"""Files that are written whole or not at all, alone or together."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.files import make_folder, open_new, write_atomically, write_together


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


FULL_DISK = """
import resource, signal, sys
import subprocess
import sys
from pathlib import Path
from harness.errors import StoreError
from harness.store.files import new_file, write_atomically, write_together

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
page, text = Path(sys.argv[1], "report.html"), Path(sys.argv[1], "report.md")
for write in (lambda: write_atomically(page, b"x" * 1001), lambda: write_together({text: b"new", page: b"x" * 1001})):
    try:
        write()
    except StoreError as error:
        print(error)
try:
    with new_file(Path(sys.argv[1], "suite.yaml")) as file:
        file.write(b"x" * 1001)
except OSError as error:
    print(error.strerror)
"""


def test_a_disk_that_fills_leaves_the_old_files_and_nothing_else(tmp_path: Path) -> None:
    for name in ("report.html", "report.md"):
        (tmp_path / name).write_text("old")
    ran = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True)
    told = f"{tmp_path / 'report.html'}: cannot be written: File too large"
    assert [told, told, "File too large"] == ran.stdout.splitlines()
    assert {"report.html": "old", "report.md": "old"} == {path.name: path.read_text() for path in tmp_path.iterdir()}


@pytest.mark.parametrize(("umask", "file_mode", "folder_mode"), [(0o000, 0o600, 0o700), (0o277, 0o400, 0o500)])
def test_results_are_private_or_stricter_if_the_umask_is(
    tmp_path: Path, umask: int, file_mode: int, folder_mode: int
) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"")
        open_new(tmp_path / "b").close()
        make_folder(tmp_path / "c")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "abc"]
    assert [file_mode, file_mode, folder_mode] == modes


def test_a_folder_that_exists_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    make_folder(tmp_path / "shared")
    assert 0o755 == stat.S_IMODE((tmp_path / "shared").stat().st_mode)
