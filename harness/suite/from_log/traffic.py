"""Calls of a log, thinned to a sample of distinct prompts; when every call came, and how large it was, is kept."""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from heapq import heappush, heapreplace

import msgspec

from harness.catalog.target import Api, Options
from harness.suite.suite import Message

_UNKNOWN = -1


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the log, without what it said."""

    at: datetime
    model_id: str
    region: str
    api: Api
    stream: bool
    input_tokens: int | None
    """Cached ones included."""
    output_tokens: int | None


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the trace: which prompt was asked when, and the sizes it had then."""

    offset_s: float
    """Since the first call of the log."""
    prompt_id: str
    input_tokens: int | None
    output_tokens: int | None
    stand_in: bool = False
    """The call's own prompt is not in the suite: this one is the nearest in input tokens."""


class SampledPrompt(msgspec.Struct, kw_only=True):
    """A distinct prompt of the sample, as it was first asked."""

    digest: int
    messages: tuple[Message, ...]
    options: Options
    times: int = 0
    input_tokens: int = 0
    """Of all its calls together."""
    models: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def prompt_id(self) -> str:
        return f"log-{self.digest:016x}"


class Traffic:
    """Takes calls one by one. Memory: the sample's texts, and 32 bytes a call.

    The sample is uniform over distinct prompts and does not depend on their order: those whose keyed digest is among
    the smallest. One that is in it was in it from its first call on, so its count is exact.
    """

    def __init__(self, *, sample: int, seed: int) -> None:
        self._sample = sample
        self._key = str(seed).encode()
        self._kept: dict[int, SampledPrompt] = {}
        self._ranks: list[tuple[int, int]] = []
        """A heap of (−rank, digest): the largest rank is the first to go."""
        self._at_us, self._digests = array("q"), array("Q")
        self._input, self._output = array("q"), array("q")
        self.ways: Counter[tuple[str, str, Api, bool]] = Counter()
        """(model id, Region, api, streamed) → calls."""

    def add(self, call: Call, messages: tuple[Message, ...], options: Options) -> None:
        """A call whose prompt can be asked again."""
        digest = digest_prompt(messages, options)
        self._note(call, digest)
        kept = self._kept.get(digest) or self._admit(digest, messages, options)
        if kept is not None:
            kept.times += 1
            kept.input_tokens += call.input_tokens or 0
            kept.models[call.model_id] += 1

    def add_size(self, call: Call) -> None:
        """A call whose prompt cannot be asked again: it counts as load."""
        self._note(call, 0)

    def drop(self, kept: SampledPrompt) -> None:
        """Take a prompt out of the sample, once every call was added: its calls count as load."""
        del self._kept[kept.digest]

    @property
    def calls(self) -> int:
        return len(self._at_us)

    @property
    def distinct(self) -> int:
        """Distinct prompts, in the sample or not."""
        return len(set(self._digests) - {0})

    @property
    def prompts(self) -> list[SampledPrompt]:
        """The sample, the most frequent prompt first."""
        return sorted(self._kept.values(), key=lambda kept: (-kept.times, kept.digest))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first and the last call. ValueError: there is none."""
        first, last = min(self._at_us), max(self._at_us)
        return datetime.fromtimestamp(first / 1e6, UTC), datetime.fromtimestamp(last / 1e6, UTC)

    def arrivals(self) -> Iterator[Arrived]:
        """Every call in the order of arrival; none when the sample is empty."""
        if not self._kept:
            return
        stand_ins = _StandIns(self._kept)
        order = sorted(range(self.calls), key=lambda call: (self._at_us[call], call))
        for call, offset_s in zip(order, _offsets_s([self._at_us[call] for call in order]), strict=True):
            input_tokens = _known(self._input[call])
            own = self._kept.get(self._digests[call])
            yield Arrived(
                offset_s=offset_s,
                prompt_id=(own or stand_ins.nearest(input_tokens)).prompt_id,
                input_tokens=input_tokens,
                output_tokens=_known(self._output[call]),
                stand_in=own is None,
            )

    def _note(self, call: Call, digest: int) -> None:
        self._at_us.append(round(call.at.timestamp() * 1e6))
        self._digests.append(digest)
        self._input.append(_UNKNOWN if call.input_tokens is None else call.input_tokens)
        self._output.append(_UNKNOWN if call.output_tokens is None else call.output_tokens)
        self.ways[call.model_id, call.region, call.api, call.stream] += 1

    def _admit(self, digest: int, messages: tuple[Message, ...], options: Options) -> SampledPrompt | None:
        """A prompt that is new to the sample, or None where its rank is too large."""
        rank = int.from_bytes(blake2b(digest.to_bytes(8, "big"), key=self._key, digest_size=8).digest(), "big")
        if len(self._ranks) < self._sample:
            heappush(self._ranks, (-rank, digest))
        elif rank < -self._ranks[0][0]:
            _, gone = heapreplace(self._ranks, (-rank, digest))
            del self._kept[gone]
        else:
            return None
        return self._kept.setdefault(digest, SampledPrompt(digest=digest, messages=messages, options=options))


def digest_prompt(messages: tuple[Message, ...], options: Options) -> int:
    """64 bits that are the same for the same turns, system prompt and tools, however white space falls. Never 0."""
    turns = [[turn.role, _normal(turn.content)] for turn in messages]
    content = msgspec.json.encode([turns, _normal(options.system or ""), options.tools], order="sorted")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") or 1


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


class _StandIns:
    """The prompts of the sample by their mean input tokens."""

    def __init__(self, kept: Mapping[int, SampledPrompt]) -> None:
        by_size = sorted((each.input_tokens / each.times, each.digest) for each in kept.values())
        self._sizes = [size for size, _ in by_size]
        self._prompts = [kept[digest] for _, digest in by_size]

    def nearest(self, input_tokens: int | None) -> SampledPrompt:
        size = input_tokens or 0
        at = bisect_left(self._sizes, size)
        around = range(max(at - 1, 0), min(at + 1, len(self._sizes)))
        return self._prompts[min(around, key=lambda index: abs(self._sizes[index] - size))]


def _known(count: int) -> int | None:
    return None if count == _UNKNOWN else count


def _offsets_s(sorted_us: list[int]) -> Iterator[float]:
    """Seconds since the first. Bedrock logs whole seconds: the calls of one second are spread evenly over it."""
    whole = all(at % 1_000_000 == 0 for at in sorted_us)
    together = Counter(sorted_us) if whole else Counter[int]()
    nth: Counter[int] = Counter()
    for at in sorted_us:
        within = nth[at] / together[at] if whole else 0.0
        nth[at] += 1
        yield round((at - sorted_us[0]) / 1e6 + within, 6)
