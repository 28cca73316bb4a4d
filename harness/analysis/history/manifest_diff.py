"""What differed between two runs of a suite, as their manifests tell it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from harness.catalog.target import Target
from harness.store.manifest import Manifest

TARGET_FACTS = {
    "model_id": "model id",
    "base_model": "base model",
    "routing": "routing",
    "api": "api",
    "client": "client",
    "region": "Region",
    "stream": "stream",
}
HOST_FACTS = {"system": "system", "machine": "machine", "cpus": "CPUs", "python": "Python"}
NONE = "none"


def differences(before: Manifest, after: Manifest, target: str) -> list[str]:
    """`aiobotocore 2.25.1 → 2.26.0`, one line a fact: what was asked of whom first, then with what, then where from.

    Hostile where the manifests are: show it escaped only.
    """
    return [f"{what} {old} → {new}" for what, old, new in _facts(before, after, target) if old != new]


def _facts(before: Manifest, after: Manifest, target: str) -> Iterator[tuple[str, str, str]]:
    yield "suite digest", before.suite_digest, after.suite_digest
    yield "schema of the metrics", str(before.schema_version), str(after.schema_version)
    yield "endpoint", before.endpoint, after.endpoint
    yield "seed", str(before.seed), str(after.seed)
    yield from _target_facts(_find(before, target), _find(after, target))
    for package in sorted({*before.versions, *after.versions} - {"python"}):
        yield package, before.versions.get(package, NONE), after.versions.get(package, NONE)
    for field, what in HOST_FACTS.items():
        yield what, str(getattr(before.host, field)), str(getattr(after.host, field))


def _target_facts(before: Target | None, after: Target | None) -> Iterator[tuple[str, str, str]]:
    if before is None or after is None:
        return
    for field, what in TARGET_FACTS.items():
        yield what, str(getattr(before, field)), str(getattr(after, field))
    old, new = (msgspec.to_builtins(target.options) for target in (before, after))
    for option in sorted(name for name in {*old, *new} if old.get(name) != new.get(name)):
        yield option, _describe(old.get(option)), _describe(new.get(option))


def _find(manifest: Manifest, target: str) -> Target | None:
    return next((each for each in manifest.targets if each.name == target), None)


def _describe(value: object) -> str:
    return NONE if value is None else msgspec.json.encode(value).decode()
