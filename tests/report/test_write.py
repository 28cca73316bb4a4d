"""The reports in a run's folder."""

from pathlib import Path

from harness.analysis.summary.samples import Answer
from harness.report.figures import FIGURES
from harness.report.write import write_run


def test_page_markdown_and_figures_are_written_and_refer_to_each_other(make_run, tmp_path: Path) -> None:
    view = make_run(requests=20)
    answers = [Answer(target=view.summary.targets[0].target, prompt_id="capital-fr", answer="Lyon", passed=False)]
    paths = write_run(tmp_path, view.summary, view.columns, answers)
    plots = [f"plots/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")]
    assert [str(path.relative_to(tmp_path)) for path in paths] == ["report.html", "report.md", *plots]
    assert all(path.stat().st_size > 0 for path in paths)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert all(f"](plots/{name}.png)" in text for name in FIGURES)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml;base64,") == len(FIGURES)
    assert ">Lyon</pre>" in page
