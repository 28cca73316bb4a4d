"""The reports in a run's folder."""

from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.report.run.sections import run_report
from harness.report.write import write_run


def test_page_markdown_and_figures_are_written_and_refer_to_each_other(make_run, pictures, tmp_path: Path) -> None:
    names = list(pictures)
    drawn = list(pictures.values())
    paths = write_run(tmp_path, run_report(make_run().summary, drawn), drawn)
    plots = [f"plots/{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert [str(path.relative_to(tmp_path)) for path in paths] == ["report.html", "report.md", *plots]
    assert all(path.stat().st_size > 0 for path in paths)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"](plots/{name}.png)" in text for name in names)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") == len(names)


def test_a_page_is_not_replaced_while_its_figures_cannot_be(make_run, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old page")
    (tmp_path / "plots").write_text("not a folder")
    with pytest.raises(StoreError):
        write_run(tmp_path, run_report(make_run(requests=5).summary, []), [])
    assert "old page" == (tmp_path / "report.html").read_text()
    assert not (tmp_path / "report.md").exists()
