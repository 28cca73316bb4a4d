"""The README and docs/: links resolve, the files they name exist, examples load, no key is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.scoring.checks import check_mistakes, check_schemas
from harness.suite.grammar.structure import suite_json_schema
from harness.suite.loader import load_suite

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(DOCS.glob("*.md")),
    DOCS / "schedule" / "README.md",
    ROOT / "results" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
HEAD = """\
suite: x
targets:
  - {model: claude-sonnet-4-6, routing: us}
  - {model: claude-sonnet-4-6, routing: us, service_tier: priority, label: priority}
prompts: [{id: capital-fr, prompt: "Capital of France?"}]
"""


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", read(page), re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)):
            if not target.startswith("http"):
                yield page, target


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for page, target in links():
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert [] == broken


def test_every_file_of_this_project_that_a_page_names_exists() -> None:
    named = [
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"(?:tests|harness|benchmarks|suites)/[\w/-]+\.(?:py|yaml)", read(page))
    ]
    users_own = {"suites/my-suite.yaml", "suites/mine.yaml", "suites/nightly.yaml", "suites/upgrade.yaml"}
    assert len(named) > 50
    assert [] == [each for each in named if each[1] not in users_own and not (ROOT / each[1]).exists()]


def test_the_readme_stays_a_front_page() -> None:
    assert len(read(ROOT / "README.md").split()) <= 900


@pytest.mark.parametrize("marker", ["run-command", "test-command"])
def test_the_readme_marks_the_commands_that_ci_runs(marker: str) -> None:
    assert 1 == len(re.findall(rf"<!-- {marker} -->\n```sh\n[^\n]+\n```", read(ROOT / "README.md")))


def test_the_index_has_every_page() -> None:
    listed = set(re.findall(r"\]\((\w[\w-]*\.md)\)", read(DOCS / "README.md")))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} == listed


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "suite.md"], ids=["README.md", "suite.md"])
def test_the_example_suite_loads(page: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("id,prompt,expect\nmore,Capital of Italy?,Rome\n", encoding="utf-8")
    (tmp_path / "suite.yaml").write_text(blocks(page, "yaml")[0], encoding="utf-8")
    assert 4 == len(load_suite(tmp_path / "suite.yaml", validators=[check_mistakes]).targets)


def test_both_ways_to_give_prices_load(tmp_path: Path) -> None:
    for written in (blocks(DOCS / "suite.md", "yaml")[1], "prices: mine.toml\n"):
        (tmp_path / "mine.toml").write_text(blocks(DOCS / "suite.md", "toml")[0], encoding="utf-8")
        (tmp_path / "suite.yaml").write_text(HEAD + written, encoding="utf-8")
        assert load_suite(tmp_path / "suite.yaml").prices


def test_every_key_of_a_suite_is_explained() -> None:
    """On the page about suites, or on one of the two that it leaves loads and checks to."""
    text = "".join(read(DOCS / name) for name in ("suite.md", "load.md", "scoring.md"))
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`|```.*?```", text, re.DOTALL))))
    schema = suite_json_schema()
    keys: set[str] = {key for entry in schema["$defs"].values() for key in entry.get("properties", {})}
    latencies = {f"{metric}_{q}" for metric in ("e2e", "tpot") for q in ("p90", "p95", "p50", "p99")}
    assert set() == keys - words - latencies


def test_every_check_is_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+)`", read(DOCS / "suite.md").partition("## Checks")[2], re.MULTILINE))
    assert set(check_schemas()) <= listed
