"""Expands the target matrix, names the targets, and checks the names and the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import msgspec

from harness.catalog.target import Options, Target, distinguish, resolve_target
from harness.errors import CatalogError
from harness.suite.grammar.decode import ParsedSuite
from harness.suite.grammar.file import TargetEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.structure import unknown_word

AXES = ("model", "routing", "api", "client", "region", "stream")
"""Keys whose lists multiply. The last one varies fastest in the order of targets."""
DEFAULTS: dict[str, Any] = {"api": "converse", "client": "wire", "stream": True}
"""Defaults of an entry. The catalog chooses the routing and the Region."""


class LocatedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target and the place of its entry in the file."""

    target: Target
    path: KeyPath
    labelled: bool
    usual_region: str | None = None
    """See `Suite.usual_regions`."""


def expand_targets(
    entries: Sequence[tuple[int, TargetEntry]], defaults: Options | None, *, home_region: str | None
) -> tuple[list[LocatedTarget], list[Mistake]]:
    """All targets of `entries` (with their indices in the file), with unique names if possible, and their mistakes."""
    written: list[LocatedTarget] = []
    mistakes: list[Mistake] = []
    for index, entry in entries:
        path: KeyPath = ("targets", index)
        points = list(_points(entry))
        if entry.label is not None and len(points) > 1:
            message = f"one label cannot name {len(points)} targets; drop it, or write one entry per target"
            mistakes.append(Mistake((*path, "label"), message))
        for point in points:
            given = {axis: value for axis, (value, _) in point.items() if value is not None}
            try:
                written.append(_resolve(entry, path, given, defaults, home_region))
            except CatalogError as error:
                where = point[error.key][1] if error.key in point else ()
                mistakes.append(Mistake((*path, *where), str(error)))
    return _named(written), mistakes


def merged_options(*layers: Options | None) -> Options:
    """The options of several layers; the last layer that sets a key wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name in Options.__struct_fields__ if layer is not None else ():
            value = getattr(layer, name)
            if value is not None:
                merged[name] = value
    return Options(**merged)


def _points(entry: TargetEntry) -> Iterator[dict[str, tuple[Any, KeyPath]]]:
    """Every combination of the entry's lists: axis → (value, its path within the entry)."""
    axes = [_values(axis, getattr(entry, axis)) for axis in AXES]
    for combination in product(*axes):
        yield dict(zip(AXES, combination, strict=True))


def _values(axis: str, written: Any) -> list[tuple[Any, KeyPath]]:
    if isinstance(written, list):
        return [(value, (axis, index)) for index, value in enumerate(written)]
    return [(written, (axis,) if written is not None else ())]


def _resolve(
    entry: TargetEntry, path: KeyPath, given: dict[str, Any], defaults: Options | None, home_region: str | None
) -> LocatedTarget:
    """Resolve one target. CatalogError: it is not offered."""
    arguments = {**DEFAULTS, **given, "options": merged_options(defaults, entry), "label": entry.label}
    target = resolve_target(**arguments, home_region=home_region)
    usual = target.region if home_region is None else resolve_target(**arguments).region
    return LocatedTarget(
        target=target,
        path=path,
        labelled=entry.label is not None,
        usual_region=usual if usual != target.region else None,
    )


def _named(written: Sequence[LocatedTarget]) -> list[LocatedTarget]:
    """The targets with distinguishable names; labels do not change."""
    named = iter(distinguish([each.target for each in written if not each.labelled]))
    return [each if each.labelled else msgspec.structs.replace(each, target=next(named)) for each in written]


def name_mistakes(suite: ParsedSuite, targets: Sequence[LocatedTarget], wrong: Sequence[Mistake]) -> list[Mistake]:
    """Mistakes in names, except those that fixing another mistake could resolve.

    `wrong`: the mistakes found in expanding the targets.
    """
    ambiguous = {path[:2] for path in suite.broken if _decides_name(path)}
    ambiguous |= {mistake.path[:2] for mistake in wrong if mistake.path[2:] == ("label",)}
    sure = [each for each in targets if each.path not in ambiguous]
    return _same_names(sure) + _baseline_mistakes(suite, sure, ambiguous | {mistake.path[:2] for mistake in wrong})


def _decides_name(path: KeyPath) -> bool:
    """Whether a target's name may depend on the value at `path`, as on every key but the options."""
    return path[:1] == ("targets",) and (len(path) < 3 or path[2] not in Options.__struct_fields__)


def _same_names(targets: Sequence[LocatedTarget]) -> list[Mistake]:
    """Targets with the same name."""
    first: dict[str, LocatedTarget] = {}
    return [
        Mistake(each.path, f"two targets are named {each.target.name!r}; give one a label or drop it")
        for each in targets
        if first.setdefault(each.target.name, each) is not each
    ]


def _baseline_mistakes(suite: ParsedSuite, targets: Sequence[LocatedTarget], unread: set[KeyPath]) -> list[Mistake]:
    names = [each.target.name for each in targets]
    baseline = suite.file.baseline
    if baseline is None or baseline in names or not names:
        return []
    if any(_may_be_named(baseline, suite, path) for path in unread):
        return []
    return [Mistake(("baseline",), unknown_word(baseline, names))]


def _may_be_named(name: str, suite: ParsedSuite, path: KeyPath) -> bool:
    """Whether the entry at `path` could get this name once it is fixed."""
    entry = next((entry for at, entry in suite.targets if ("targets", at) == path), None)
    unsure = {each[2] for each in suite.broken if each[:2] == path and len(each) > 2}
    if entry is None or not unsure <= set(entry.__struct_fields__) - {"label"}:
        return True
    return entry.label == name if entry.label is not None else name.count("/") >= 2
