"""The speed and skill of each model: a profile per model id, and timings drawn from it.

The figures are estimates from public sources, not measurements (median TTFT 0.6 / 1.3 / 2.2 s and 140 / 65 / 48 tokens
per second for Haiku / Sonnet / Opus of generation 4.5). Two made-up but plausible effects are added:

- generation: a model of generation g is 1.5^(g − 4.5) times as fast (within 0.6 to 1.6) and errs 0.5^(g − 4.5) times
  as often, so that an upgrade shows in every metric;
- routing: `global` has a median TTFT 8 % above a geography's (the serving Region may be far away) and a lighter tail
  (sigma 0.33 instead of 0.45, since some Region has free capacity); a bare id, served in one Region only, has a
  median 5 % below and a heavier tail (0.55). Tokens per second and skill do not depend on routing.

Users may override profiles, to check that a comparison finds a known difference. Overrides are JSON:
`{"claude-sonnet-4-6": {"ttft_s": 1.6, "verbosity": 2}, "us.anthropic.claude-opus-4-6": {"skill": 0.8}}`.
A key is an alias or a base id, which applies to every route of the model, or a profile id, which takes precedence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.catalog.models import find_model
from harness.errors import EndpointError
from harness.simulator.aws.account import find_application_profile

Routing = Literal["global", "geography", "in-region"]

_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(?P<id>.+)")
_MODEL_ID = re.compile(
    r"(?:(?P<prefix>global|[a-z]{2,4}(?:-gov)?)\.)?(?P<base>anthropic\.(?P<short>claude-[a-z0-9.-]+)(?::\d+)?)"
)
_NEW_NAME = re.compile(r"claude-(?P<family>[a-z]+)-(?P<major>\d)(?:-(?P<minor>\d{1,2}))?(?!\d)")
_OLD_NAME = re.compile(r"claude-(?P<major>\d)(?:-(?P<minor>\d))?-(?P<family>[a-z]+)")
_TTFT_FACTOR = {"global": 1.08, "geography": 1.0, "in-region": 0.95}
_TTFT_SIGMA = {"global": 0.33, "geography": 0.45, "in-region": 0.55}
_TTFT_S_PER_INPUT_TOKEN = 0.1 / 1000
_RATE_SPREAD = 0.15
_TOKENS_PER_EVENT = (3, 6)


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """A model family at generation 4.5, called through a geographic profile."""

    ttft_s: float
    """Median."""
    tokens_per_s: float
    error_rate: float
    """Share of wrong answers."""


FAMILIES = {
    "haiku": Family(ttft_s=0.6, tokens_per_s=140, error_rate=0.22),
    "sonnet": Family(ttft_s=1.3, tokens_per_s=65, error_rate=0.11),
    "opus": Family(ttft_s=2.2, tokens_per_s=48, error_rate=0.06),
    "fable": Family(ttft_s=3.0, tokens_per_s=40, error_rate=0.04),
    "mythos": Family(ttft_s=3.0, tokens_per_s=40, error_rate=0.04),
}


class ModelName(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed model id."""

    base_id: str
    """`anthropic.claude-sonnet-4-5-20250929-v1:0`."""
    short: str
    """As in the `model` of an answer: `claude-sonnet-4-5-20250929`."""
    family: str
    generation: float
    """4.5 for `4-5`, 4.0 for `4`."""
    routing: Routing


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How one model id behaves."""

    ttft_median_s: float
    ttft_sigma: float
    """Of the log-normal distribution of TTFT."""
    tokens_per_s: float
    skill: float
    """Probability of a right answer."""
    verbosity: float = 1.0
    """Tokens of an answer as a multiple of those that it needs."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When each piece of an answer is due, ns after the request was complete."""

    chunks_ns: tuple[int, ...]
    """One per content chunk; the first is the TTFT. Empty for an empty answer."""
    sizes: tuple[tuple[int, ...], ...]
    """Tokens of each content chunk, per content block."""
    end_ns: int
    """The end of the stream, or the whole answer if it is not streamed."""

    @property
    def first_ns(self) -> int:
        return self.chunks_ns[0] if self.chunks_ns else self.end_ns


@lru_cache(maxsize=1024)
def read_model_id(model_id: str) -> ModelName | None:
    """Parse a profile id, a base id, or the ARN of one. None if it is not the id of an Anthropic model.

    An application profile of the simulated account is resolved to the profile that it was copied from. Whether a Region
    offers the model is not checked.
    """
    if (profile := find_application_profile(model_id)) and "application-inference-profile/" in model_id:
        model_id = profile.copied_from
    arn = _ARN.fullmatch(model_id)
    match = _MODEL_ID.fullmatch(arn["id"] if arn else model_id)
    if match is None:
        return None
    short = re.sub(r"-v\d+$", "", match["short"])
    name = _NEW_NAME.match(short) or _OLD_NAME.match(short)
    prefix = match["prefix"]
    return ModelName(
        base_id=match["base"],
        short=short,
        family=name["family"] if name else "",
        generation=float(f"{name['major']}.{name['minor'] or 0}") if name else 0.0,
        routing="global" if prefix == "global" else "geography" if prefix else "in-region",
    )


@lru_cache(maxsize=1024)
def find_profile(name: ModelName) -> Profile | None:
    """The profile of a model. None for an unknown family."""
    family = FAMILIES.get(name.family)
    if family is None:
        return None
    pace = min(max(1.5 ** (name.generation - 4.5), 0.6), 1.6)
    return Profile(
        ttft_median_s=family.ttft_s / pace * _TTFT_FACTOR[name.routing],
        ttft_sigma=_TTFT_SIGMA[name.routing],
        tokens_per_s=family.tokens_per_s * pace,
        skill=1 - min(family.error_rate * 0.5 ** (name.generation - 4.5), 0.9),
    )


def draw_timing(
    profile: Profile, rng: Random, *, input_tokens: int, output_tokens: Sequence[int], speed: float
) -> Timing:
    """Draw the timing of one answer: log-normal TTFT + 0.1 s per 1,000 input tokens, then 3 to 6 tokens per event.

    `input_tokens` excludes tokens read from a cache; `output_tokens` is per content block. Each gap is the event's
    tokens over this request's tokens per second (±15 %, normal), times 0.5 to 1.5. The end comes one token after the
    last chunk. `speed` divides every time.
    """
    at_s = profile.ttft_median_s * rng.lognormvariate(0, profile.ttft_sigma) + input_tokens * _TTFT_S_PER_INPUT_TOKEN
    token_s = 1 / (profile.tokens_per_s * max(rng.normalvariate(1, _RATE_SPREAD), 0.5))
    chunks: list[int] = []
    sizes: list[tuple[int, ...]] = []
    for left in output_tokens:
        block: list[int] = []
        while left > 0:
            size = min(rng.randint(*_TOKENS_PER_EVENT), left)
            if chunks:
                at_s += size * token_s * rng.uniform(0.5, 1.5)
            chunks.append(round(at_s / speed * 1e9))
            block.append(size)
            left -= size
        sizes.append(tuple(block))
    return Timing(chunks_ns=tuple(chunks), sizes=tuple(sizes), end_ns=round((at_s + token_s) / speed * 1e9))


def fixed_timing(ttft_s: float, gap_s: float, chunks: int) -> Timing:
    """A fixed timing, for benchmarks: one token per chunk, the end together with the last chunk."""
    times = tuple(round((ttft_s + at * gap_s) * 1e9) for at in range(chunks))
    return Timing(chunks_ns=times, sizes=((1,) * chunks,), end_ns=times[-1] if times else round(ttft_s * 1e9))


Positive = Annotated[float, Meta(gt=0)]


class ProfileOverride(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Overrides of a model's profile; None keeps the value."""

    skill: Annotated[float, Meta(ge=0, le=1)] | None = None
    """Probability of a right answer."""
    ttft_s: Positive | None = None
    """Median."""
    tokens_per_s: Positive | None = None
    verbosity: Annotated[float, Meta(ge=1)] | None = None
    """Tokens of an answer as a multiple of the usual; filler text is appended."""


def load_profile_overrides(path: Path) -> dict[str, ProfileOverride]:
    """Base id or profile id → overrides. Raises EndpointError, and CatalogError for an unknown model."""
    try:
        written = msgspec.json.decode(path.read_bytes(), type=dict[str, ProfileOverride])
    except OSError as error:
        raise EndpointError(f"{path}: the profiles cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EndpointError(
            f'{path}: not a file of profiles ({error}); write {{"claude-haiku-4-5": {{"skill": 0.8}}}}'
        ) from error
    return {(name if read_model_id(name) else find_model(name).base_id): own for name, own in written.items()}


def apply_overrides(
    profile: Profile, overrides: Mapping[str, ProfileOverride], *, model_id: str, model: ModelName
) -> Profile:
    """The profile with the user's overrides."""
    found = overrides.get(model_id) or overrides.get(model.base_id)
    if found is None:
        return profile
    given = {name: value for name, value in msgspec.structs.asdict(found).items() if value is not None}
    if "ttft_s" in given:
        given["ttft_median_s"] = given.pop("ttft_s")
    return msgspec.structs.replace(profile, **given)
