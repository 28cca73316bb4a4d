"""The sources of facts about Claude models: the shipped `documented.toml`, and the bedrock-models package."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Generic, Literal, TypeVar

import msgspec

from harness.catalog.names import IN_REGION, is_claude

T = TypeVar("T")

Status = Literal["active", "legacy", "deprecated"]
"""`legacy` (AWS's word) and `deprecated` (the guide's) both mean callable, but not for much longer."""


class Fact(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A value with its source."""

    value: T
    source: str
    as_of: str
    """The source's date: ISO, or as the source words it if it gives no day."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The known facts about one model. None: unknown."""

    title: str | None = None
    """The guide's name for it, `Claude Sonnet 4.5`."""
    routings: dict[str, Fact[tuple[str, ...]]] = {}
    """Routing → the Regions that carry it, sorted. Empty: the source names none."""
    live_region: str | None = None
    """The Region of the live account whose facts are included; they cover this Region only. None: no account."""
    status: Fact[Status] | None = None
    deprecated: Fact[date] | None = None
    legacy: Fact[date] | None = None
    extended_access: Fact[date] | None = None
    """The day from which a legacy model costs more."""
    end_of_life: Fact[date] | None = None
    context_window: Fact[int] | None = None
    """Tokens."""
    long_context: Fact[int] | None = None
    """Tokens, with the beta header `context-1m-2025-08-07`."""
    long_context_ended: Fact[date] | None = None
    """The day on which that header stopped working."""
    max_output: Fact[int] | None = None
    """Tokens."""


class Geography(msgspec.Struct, frozen=True, kw_only=True):
    """Documented facts about a geography that are in neither package."""

    regions: Fact[tuple[str, ...]]
    premium: Fact[float]
    """Prices / global prices − 1."""


class _Source(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    as_of: str

    def fact(self, value: T | None) -> Fact[T] | None:
        return None if value is None else Fact(value=value, source=self.title, as_of=self.as_of)


class _Sources(msgspec.Struct, forbid_unknown_fields=True):
    guide: _Source
    lifecycle: _Source
    limits: _Source
    maker: _Source
    beta: _Source
    regions: _Source


class _Place(msgspec.Struct, forbid_unknown_fields=True):
    regions: tuple[str, ...]
    premium: float


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    base_id: str
    title: str | None = None
    routings: list[str] = []
    listed_routings: list[str] = []
    deprecated: date | None = None
    legacy: date | None = None
    extended_access: date | None = None
    end_of_life: date | None = None
    context_window: int | None = None
    long_context: int | None = None
    long_context_ended: date | None = None
    max_output: int | None = None
    makers_max_output: int | None = None


class _Documented(msgspec.Struct, forbid_unknown_fields=True):
    sources: _Sources
    geographies: dict[str, _Place]
    models: list[_Row]


@cache
def _documented() -> _Documented:
    text = Path(__file__).with_name("documented.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Documented)


def read_documented() -> dict[str, Facts]:
    """Base id → facts from `documented.toml`."""
    return {row.base_id: _facts_of_row(row, _documented().sources) for row in _documented().models}


@cache
def read_geographies() -> dict[str, Geography]:
    """Routing → facts about its geography from `documented.toml`."""
    regions, limits = _documented().sources.regions, _documented().sources.limits
    return {
        routing: Geography(
            regions=Fact(value=place.regions, source=regions.title, as_of=regions.as_of),
            premium=Fact(value=place.premium, source=limits.title, as_of=limits.as_of),
        )
        for routing, place in _documented().geographies.items()
    }


def _facts_of_row(row: _Row, sources: _Sources) -> Facts:
    guide, lifecycle, limits = sources.guide, sources.lifecycle, sources.limits
    status: Status | None = None
    if row.routings:
        status = "deprecated" if row.deprecated else "active"
    return Facts(
        title=row.title,
        routings={
            name: Fact(value=(), source=source.title, as_of=source.as_of)
            for source, names in ((limits, row.listed_routings), (guide, row.routings))
            for name in names
        },
        status=guide.fact(status),
        deprecated=guide.fact(row.deprecated),
        legacy=lifecycle.fact(row.legacy),
        extended_access=lifecycle.fact(row.extended_access),
        end_of_life=lifecycle.fact(row.end_of_life),
        context_window=limits.fact(row.context_window),
        long_context=sources.beta.fact(row.long_context),
        long_context_ended=sources.beta.fact(row.long_context_ended),
        max_output=sources.maker.fact(row.makers_max_output) or limits.fact(row.max_output),
    )


class _Listed(msgspec.Struct):
    """The fields of a bedrock-models entry that the catalog uses."""

    inference_types: dict[str, list[str]] = {}
    model_lifecycle_status: str = "ACTIVE"
    runtime_supported: bool = False
    mantle_supported_regions: list[str] = []
    mantle_apis: list[str] = []


class _Changed(msgspec.Struct):
    last_changed: str


def read_package() -> dict[str, Facts]:
    """Base id → facts from the installed bedrock-models package, for models on bedrock-runtime.

    A fact's date is the day on which the model's entry last changed. The package is not imported; only its two JSON
    files are read.
    """
    package = distribution("bedrock-models")
    listed, changed = _read_listed(package)
    source = f"bedrock-models {package.version}"
    return {
        base_id: _facts_of_entry(entry, source, changed[base_id].last_changed)
        for base_id, entry in listed.items()
        if entry.runtime_supported and is_claude(base_id)
    }


@cache
def read_mantle() -> dict[str, Fact[tuple[str, ...]]]:
    """Model id on bedrock-mantle → the Regions that offer its Messages API, from the same package."""
    package = distribution("bedrock-models")
    listed, changed = _read_listed(package)
    return {
        own_id: Fact(
            value=tuple(sorted(entry.mantle_supported_regions)),
            source=f"bedrock-models {package.version}",
            as_of=changed[own_id].last_changed,
        )
        for own_id, entry in listed.items()
        if is_claude(own_id) and entry.mantle_supported_regions and "messages" in entry.mantle_apis
    }


def _read_listed(package: Distribution) -> tuple[dict[str, _Listed], dict[str, _Changed]]:
    listed = _read_json(package.locate_file("bedrock_models/bedrock_models.json"), dict[str, _Listed])
    changed = _read_json(package.locate_file("bedrock_models/bedrock_models_metadata.json"), dict[str, _Changed])
    return listed, changed


def _read_json(path: object, kind: type[T]) -> T:
    return msgspec.json.decode(Path(str(path)).read_bytes(), type=kind)


def _facts_of_entry(entry: _Listed, source: str, as_of: str) -> Facts:
    regions: dict[str, list[str]] = {}
    for region, kinds in entry.inference_types.items():
        for routing in _routings(kinds, on_mantle=region in entry.mantle_supported_regions):
            regions.setdefault(routing, []).append(region)
    status: Status = "legacy" if entry.model_lifecycle_status == "LEGACY" else "active"
    return Facts(
        routings={
            routing: Fact(value=tuple(sorted(places)), source=source, as_of=as_of)
            for routing, places in regions.items()
        },
        status=Fact(value=status, source=source, as_of=as_of),
    )


def _routings(kinds: list[str], *, on_mantle: bool) -> list[str]:
    """The routings that one Region carries.

    The package also lists ON_DEMAND for every Region with the model on bedrock-mantle, which does not show that
    bedrock-runtime accepts the bare id there.
    """
    routings = [kind.lower() for kind in kinds if kind not in ("ON_DEMAND", "PROVISIONED")]
    return [*routings, IN_REGION] if "ON_DEMAND" in kinds and not on_mantle else routings
