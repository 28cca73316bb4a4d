"""The target matrix: lists multiply, and every target gets a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import msgspec

from harness.catalog.target import Options, Target, distinguish, resolve_target
from harness.errors import CatalogError
from harness.suite.grammar.file import TargetEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.options import OptionsEntry

AXES = ("model", "routing", "api", "client", "region", "stream")
"""What multiplies, and the order in which targets come out: the last one varies fastest."""
DEFAULTS: dict[str, Any] = {"api": "converse", "client": "wire", "stream": True}
"""What an entry means that does not say; the catalog finds routing and Region itself."""


class PlacedTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A target and the entry of the file that it came from."""

    target: Target
    path: KeyPath
    labelled: bool
    resolved: bool
    """Its ids were written in the file; the catalog may not know them."""


def expand_targets(
    entries: Sequence[tuple[int, TargetEntry]], defaults: OptionsEntry | None, *, home_region: str | None
) -> tuple[list[PlacedTarget], list[Mistake]]:
    """All targets of the entries (with their indices in the file), named, and what is wrong with them."""
    placed: list[PlacedTarget] = []
    mistakes: list[Mistake] = []
    for index, entry in entries:
        path: KeyPath = ("targets", index)
        points = list(_points(entry))
        if entry.label is not None and len(points) > 1:
            told = f"one label cannot name {len(points)} targets; drop it, or write one entry for each"
            mistakes.append(Mistake((*path, "label"), told))
        for point in points:
            try:
                said = {axis: value for axis, (value, _) in point.items()}
                target = _resolve(entry, said, merged_options(defaults, entry), home_region)
            except CatalogError as error:
                mistakes.append(Mistake((*path, *_blamed(point, error)), str(error)))
            except _Incomplete as error:
                mistakes.append(Mistake((*path, "resolved"), str(error)))
            else:
                labelled, resolved = entry.label is not None, entry.resolved is not None
                placed.append(PlacedTarget(target=target, path=path, labelled=labelled, resolved=resolved))
    return _named(placed), mistakes


def merged_options(*layers: OptionsEntry | Options | None) -> Options:
    """Options of several layers, the last one that sets a key wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name in Options.__struct_fields__:
            value = getattr(layer, name, None)
            if value is not None:
                merged[name] = value
    return msgspec.convert(merged, Options, from_attributes=True)


class _Incomplete(Exception):
    """A resolved entry that does not say everything."""


def _points(entry: TargetEntry) -> Iterator[dict[str, tuple[Any, KeyPath]]]:
    """Every combination of the entry's lists: axis → (value, its path within the entry)."""
    axes = [_values(axis, getattr(entry, axis)) for axis in AXES]
    for combination in product(*axes):
        yield dict(zip(AXES, combination, strict=True))


def _values(axis: str, written: Any) -> list[tuple[Any, KeyPath]]:
    if isinstance(written, list):
        return [(value, (axis, index)) for index, value in enumerate(written)]
    return [(written, (axis,) if written is not None else ())]


def _resolve(entry: TargetEntry, said: dict[str, Any], options: Options, home_region: str | None) -> Target:
    filled = DEFAULTS | {axis: value for axis, value in said.items() if value is not None}
    if entry.resolved is None:
        return resolve_target(**filled, options=options, label=entry.label, home_region=home_region)
    if entry.label is None or not {"routing", "region"} <= filled.keys():
        raise _Incomplete("needs label, routing and region beside it; leave `resolved` out to have them looked up")
    ids = msgspec.structs.asdict(entry.resolved)
    return Target(name=entry.label, options=options, **ids, **filled)


def _blamed(point: dict[str, tuple[Any, KeyPath]], error: CatalogError) -> KeyPath:
    """The key that the catalog's message names first; the whole entry when it names none."""
    told = str(error)
    places = {axis: told.find(f"'{value}'") for axis, (value, _) in point.items() if isinstance(value, str)}
    named = [axis for axis, place in places.items() if place >= 0]
    return point[min(named, key=lambda axis: places[axis])][1] if named else ()


def _named(placed: Sequence[PlacedTarget]) -> list[PlacedTarget]:
    """The targets under names that tell them apart, labels left as they are."""
    named = iter(distinguish([each.target for each in placed if not each.labelled]))
    return [each if each.labelled else msgspec.structs.replace(each, target=next(named)) for each in placed]
