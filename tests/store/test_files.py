"""Files that are written whole or not at all, alone or together."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.files import (
    LOCK,
    find_writer,
    make_folder,
    one_writer,
    open_new,
    write_atomically,
    write_together,
)


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


HOLD = """
import os, sys
from pathlib import Path
from harness.store.files import one_writer

with one_writer(Path(sys.argv[1])):
    if "fork" in sys.argv:
        runs, says_so = os.pipe()
        if os.fork() == 0:
            os.write(says_so, b"x")
            sys.stdin.read()
            os._exit(0)
        os.read(runs, 1)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that has locked the folder, until its standard input ends. Parameter `fork`: and has a child."""
    line = [sys.executable, "-c", HOLD, str(tmp_path), getattr(request, "param", "")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert str(process.pid) == process.stdout.readline().strip()
        yield process
        process.kill()


def test_a_locked_folder_names_the_process_that_holds_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    named = rf"process {holder.pid} \(since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)"
    with pytest.raises(StoreError, match=f"{tmp_path}: {named} is working on it"), one_writer(tmp_path, wait=False):
        pytest.fail("two processes hold one lock")
    assert f"process {holder.pid}" in (find_writer(tmp_path) or "")


def test_a_second_writer_waits_for_the_first(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    second = subprocess.Popen(holder.args, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with second:
        assert second.stderr is not None
        assert f"{tmp_path}: process {holder.pid} (since " in second.stderr.readline()
        assert holder.stdin is not None
        holder.stdin.close()
    assert 0 == second.returncode
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("holder", ["", "fork"], indirect=True, ids=["alone", "with a child that lives on"])
def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    assert find_writer(tmp_path) is None
    with one_writer(tmp_path, wait=False):
        assert f'"pid":{os.getpid()}' in (tmp_path / LOCK).read_text()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", ["", "[]", '{"pid": 7, "since_utc_ns": 1e30}', '{"pid": 7, "since_utc_ns": -1}' * 99]
)
def test_what_a_lock_file_says_is_not_believed(tmp_path: Path, holder: subprocess.Popen[str], content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    assert "another process" == find_writer(tmp_path)


def test_a_lock_file_that_is_a_pipe_is_not_opened(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    (tmp_path / LOCK).unlink()
    os.mkfifo(tmp_path / LOCK)
    assert "another process" == find_writer(tmp_path)


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
