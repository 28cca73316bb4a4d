"""The manifest: what a run is, where and with which versions it ran, and how it ended."""

from __future__ import annotations

import os
import platform
import re
import secrets
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

import msgspec

from harness import __version__
from harness.catalog.prices import STANDARD, Price, PriceOverride, Terms, price_for, terms_of
from harness.catalog.target import Target, merge_options
from harness.clock import Origin, read_origin, utc_from_ns
from harness.store.client_health import ClientHealth, Count
from harness.store.finding import Finding
from harness.store.records import SCHEMA_VERSION
from harness.suite.suite import Suite

State = Literal["running", "complete", "interrupted", "failed"]
Kind = Literal["run", "sweep"]

RECORDED_PACKAGES = (
    "aioboto3",
    "aiobotocore",
    "aiohttp",
    "anthropic",
    "bedrock-models",
    "botocore",
    "duckdb",
    "genai-prices",
    "httptools",
    "httpx",
    "httpx2",
    "matplotlib",
    "msgspec",
    "numpy",
    "rapidfuzz",
    "scipy",
    "uvloop",
)
"""Packages whose version may affect a result."""


RunId = Annotated[str, msgspec.Meta(pattern=r"\A(?!\.\.?\Z)[^/\x00-\x1f\x7f]{1,255}\Z")]
"""A folder name that is safe to print."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, without host or user names."""

    system: str
    machine: str
    cpus: Count
    python: str


class TargetPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What one target cost on the day of the run, on one set of terms. What has no known price is not recorded."""

    target: str
    service_tier: str = STANDARD.service_tier
    latency: str = STANDARD.latency
    price: Price


class Resumption(msgspec.Struct, frozen=True, kw_only=True):
    """When `harness run --resume` went on with a run. Between its sessions, the run's clock stands still."""

    at_ns: Count
    """On the run's clock; later stamps are of this session."""
    utc_ns: Count


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`. Its bounds keep a hostile manifest from breaking commands that read many runs."""

    schema_version: Count = SCHEMA_VERSION
    run_id: RunId
    """The folder's name: UTC time, suite, short id."""
    kind: Kind = "run"
    """Metrics of a run do not apply to a sweep, whose attempts come from many loads (`repeat` is the step)."""
    state: State
    simulated: bool
    endpoint: str
    suite: str
    suite_digest: str
    seed: Count
    targets: tuple[Target, ...]
    origin_utc_ns: Count
    origin_monotonic_ns: Count
    planned: Count | None
    """Requests in the plan, warm-up included. None: only a duration bounds the run."""
    attempts: Count | None = None
    """Rows of `attempts.parquet`. None: not written."""
    clients: tuple[ClientHealth, ...] = ()
    """The health of each sending process. Empty: the run was killed."""
    findings: tuple[Finding, ...] = ()
    host: Host
    versions: dict[str, str]
    """Package → version; packages that are not installed are left out."""
    resumed: tuple[Resumption, ...] = ()
    """In order. Empty: the run was sent in one go."""
    prices: tuple[TargetPrice, ...] = ()
    """Empty: an earlier version made the run, or no price was known."""

    def utc_ns(self, at_ns: int) -> int:
        """The wall clock at a stamp of the run, ns since 1970."""
        session = next((each for each in reversed(self.resumed) if each.at_ns < at_ns), None)
        return self.origin_utc_ns + at_ns if session is None else session.utc_ns + at_ns - session.at_ns

    def prices_of(self, target: str) -> dict[Terms, Price]:
        """A target's prices on the day of the run; terms without a known price are not in it."""
        return {Terms(each.service_tier, each.latency): each.price for each in self.prices if each.target == target}

    def price_on_day(self, target: Target, terms: Terms, overrides: Sequence[PriceOverride]) -> Price | None:
        """What a target cost on these terms on the day of the run; of a run without prices, what it costs today."""
        if self.prices:
            return self.prices_of(target.name).get(terms)
        return price_for(target.base_model, target.routing, overrides, terms)


def new_manifest(
    suite: Suite, *, endpoint: str, simulated: bool, seed: int, planned: int | None, kind: Kind = "run"
) -> Manifest:
    """The manifest of a run that starts now, with a new id and the endpoint's URL without credentials."""
    origin = read_origin()
    return Manifest(
        run_id=make_run_id(suite.name, origin),
        kind=kind,
        state="running",
        simulated=simulated,
        endpoint=_without_userinfo(endpoint),
        suite=suite.name,
        suite_digest=suite.digest,
        seed=seed,
        targets=suite.targets,
        origin_utc_ns=origin.utc_ns,
        origin_monotonic_ns=origin.monotonic_ns,
        planned=planned,
        host=read_host(),
        versions=read_versions(),
        prices=read_prices(suite),
    )


def read_prices(suite: Suite) -> tuple[TargetPrice, ...]:
    """Today's price of every target, on all terms on which its prompts ask."""
    prices = []
    for target in suite.targets:
        asked = (merge_options(target.options, prompt.options) for prompt in suite.prompts)
        for terms in dict.fromkeys(map(terms_of, asked)):
            price = price_for(target.base_model, target.routing, suite.prices, terms)
            if price is not None:
                prices.append(TargetPrice(target=target.name, **terms._asdict(), price=price))
    return tuple(prices)


def make_run_id(suite: str, origin: Origin) -> str:
    """`20261122T024500Z-quickstart-a1b2c3`: sorts by time, safe as a folder name, unique."""
    slug = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")[:40] or "suite"
    return f"{utc_from_ns(origin.utc_ns):%Y%m%dT%H%M%SZ}-{slug}-{secrets.token_hex(3)}"


def read_host() -> Host:
    return Host(
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpus=os.cpu_count() or 1,
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def read_versions() -> dict[str, str]:
    """Versions of the harness and of the packages that may affect its results."""
    found = {package: known for package in RECORDED_PACKAGES if (known := _version(package)) is not None}
    return {"harness": __version__, "python": platform.python_version(), **found}


@cache
def _version(package: str) -> str | None:
    """None: it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _without_userinfo(url: str) -> str:
    """`https://user:secret@host/` → `https://host/`. Accepts any text, so it never raises."""
    return re.sub(r"(^|//)[^/?#]*@", r"\1", url)
