"""The names of targets: no two are the same, and the baseline is one of them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalog.target import Options
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.salvage import Written
from harness.suite.grammar.structure import unknown_word
from harness.suite.targets import PlacedTarget


def name_mistakes(written: Written, placed: Sequence[PlacedTarget], wrong: Sequence[Mistake]) -> list[Mistake]:
    """What is wrong with names. Of targets that cannot be read, only what holds however they are mended.

    `wrong`: what was found when `placed` were made of the entries.
    """
    ambiguous = {path[:2] for path in written.broken if _tells_name(path)}
    ambiguous |= {mistake.path[:2] for mistake in wrong if mistake.path[2:] == ("label",)}
    sure = [each for each in placed if each.path not in ambiguous]
    return _same_names(sure) + _baseline_mistakes(written, sure, ambiguous | {mistake.path[:2] for mistake in wrong})


def _tells_name(path: KeyPath) -> bool:
    """Whether the name of a target may depend on what should stand there: on every key but options."""
    return path[:1] == ("targets",) and (len(path) < 3 or path[2] not in Options.__struct_fields__)


def _same_names(placed: Sequence[PlacedTarget]) -> list[Mistake]:
    """Targets that nothing in their names tells apart."""
    first: dict[str, PlacedTarget] = {}
    mistakes = []
    for each in placed:
        earlier = first.setdefault(each.target.name, each)
        if earlier is not each:
            told = f"two targets are named {each.target.name!r}; give one a label or drop it"
            mistakes.append(Mistake(each.path, told))
    return mistakes


def _baseline_mistakes(written: Written, placed: Sequence[PlacedTarget], unread: set[KeyPath]) -> list[Mistake]:
    names = [each.target.name for each in placed]
    baseline = written.file.baseline
    if baseline is None or baseline in names or not names:
        return []
    if any(_may_be_named(baseline, written, path) for path in unread):
        return []
    return [Mistake(("baseline",), unknown_word(baseline, names))]


def _may_be_named(name: str, written: Written, path: KeyPath) -> bool:
    """Whether the entry at `path` may stand for a target of this name once it is mended."""
    entry = next((entry for at, entry in written.targets if ("targets", at) == path), None)
    unsure = {each[2] for each in written.broken if each[:2] == path and len(each) > 2}
    if entry is None or not unsure <= set(entry.__struct_fields__) - {"label"}:
        return True
    return entry.label == name if entry.label is not None else name.count("/") >= 2
