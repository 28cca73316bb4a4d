"""Which run is kept as a suite's baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.store.baselines import FILE, find_baseline, read_baselines, set_baseline
from harness.store.run_folder import RunFolder

MakeRun = Callable[..., RunFolder]


def test_nothing_is_kept_before_something_was_set(tmp_path: Path) -> None:
    assert {} == read_baselines(tmp_path)
    assert find_baseline(tmp_path, "quickstart") is None


def test_the_last_one_set_stays_for_each_suite_and_name(make_run: MakeRun, tmp_path: Path) -> None:
    first, second, other = make_run(), make_run(), make_run("other")
    set_baseline(first)
    set_baseline(first, name="release")
    set_baseline(second)
    set_baseline(other)
    assert second.path.name == find_baseline(tmp_path, "quickstart")
    assert first.path.name == find_baseline(tmp_path, "quickstart", name="release")
    assert other.path.name == find_baseline(tmp_path, "other")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"quickstart": "r"}', b"\xff"])
def test_a_file_that_is_invalid_is_reported_and_not_written_over(
    make_run: MakeRun, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="fix the file, or delete it"):
        set_baseline(make_run())
    assert content == (tmp_path / FILE).read_bytes()
