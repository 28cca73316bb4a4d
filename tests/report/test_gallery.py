"""docs/gallery.md names every figure, and its pictures are small."""

from pathlib import Path

import pytest

from harness.report.against_history import figure as against_history
from harness.report.compare import forest
from harness.report.figures import FIGURES
from harness.report.history import figure as history
from harness.report.sweep import figure as sweep

DOCS = Path(__file__).parents[2] / "docs"
OTHERS = {"forest": forest, "history": history, "against-history": against_history, "sweep": sweep}


@pytest.mark.parametrize("name", [*FIGURES, *OTHERS])
def test_a_figure_is_in_the_gallery_with_its_picture_and_how_to_read_it(name: str) -> None:
    text = (DOCS / "gallery.md").read_text(encoding="utf-8")
    sentence = {**FIGURES, **OTHERS}[name].READ
    assert f"## {name}\n\n{sentence}\n\n![{name}: {sentence}](gallery/{name}.png)\n\n`harness " in text
    assert 1000 < (DOCS / "gallery" / f"{name}.png").stat().st_size <= 120_000
