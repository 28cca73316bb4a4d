"""A log's calls: a sample of the distinct prompts, and the time and size of every call."""

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
    """One call of the log, without its text."""

    at: datetime
    model_id: str
    region: str
    api: Api
    stream: bool
    input_tokens: int | None
    """Cached tokens included."""
    output_tokens: int | None


class TraceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the trace: when which prompt was sent, and its sizes."""

    offset_s: float
    """Since the first call of the log."""
    prompt_id: str
    input_tokens: int | None
    output_tokens: int | None
    stand_in: bool = False
    """True if the call's own prompt is not in the suite, and this one is the nearest in input tokens."""


class SampledPrompt(msgspec.Struct, kw_only=True):
    """A distinct prompt of the sample, as first sent."""

    digest: int
    messages: tuple[Message, ...]
    options: Options
    times: int = 0
    input_tokens: int = 0
    """Sum over all of its calls."""
    models: Counter[str] = msgspec.field(default_factory=Counter)

    @property
    def prompt_id(self) -> str:
        return f"log-{self.digest:016x}"


class Traffic:
    """Takes calls one by one. Needs memory for the sample's texts, and 32 bytes per call.

    The sample is uniform over distinct prompts and independent of their order: the prompts with the smallest keyed
    digests. A prompt in the sample was in it from its first call on, so its count is exact.
    """

    def __init__(self, *, sample: int, seed: int) -> None:
        self._sample = sample
        self._key = str(seed).encode()
        self._sampled: dict[int, SampledPrompt] = {}
        self._ranks: list[tuple[int, int]] = []
        """A heap of (−rank, digest), with the largest rank first."""
        self._at_us, self._digests = array("q"), array("Q")
        self._input, self._output = array("q"), array("q")
        self.ways: Counter[tuple[str, str, Api, bool]] = Counter()
        """(model id, Region, api, streamed) → number of calls."""

    def add(self, call: Call, messages: tuple[Message, ...], options: Options) -> None:
        """Add a call whose prompt can be sent again."""
        digest = digest_prompt(messages, options)
        self._note(call, digest)
        sampled = self._sampled.get(digest) or self._admit(digest, messages, options)
        if sampled is not None:
            sampled.times += 1
            sampled.input_tokens += call.input_tokens or 0
            sampled.models[call.model_id] += 1

    def add_size(self, call: Call) -> None:
        """Add a call whose prompt cannot be sent again; it counts as load only."""
        self._note(call, 0)

    def drop(self, sampled: SampledPrompt) -> None:
        """Remove a prompt from the sample after the last call was added; its calls count as load only."""
        del self._sampled[sampled.digest]

    @property
    def calls(self) -> int:
        return len(self._at_us)

    @property
    def distinct(self) -> int:
        """The number of distinct prompts, in the sample or not."""
        return len(set(self._digests) - {0})

    @property
    def prompts(self) -> list[SampledPrompt]:
        """The sample, most frequent prompt first."""
        return sorted(self._sampled.values(), key=lambda sampled: (-sampled.times, sampled.digest))

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The times of the first and the last call. ValueError: there are no calls."""
        first, last = min(self._at_us), max(self._at_us)
        return datetime.fromtimestamp(first / 1e6, UTC), datetime.fromtimestamp(last / 1e6, UTC)

    def arrivals(self) -> Iterator[TraceEntry]:
        """Every call in order of arrival; none if the sample is empty."""
        if not self._sampled:
            return
        stand_ins = _StandIns(self._sampled)
        order = sorted(range(self.calls), key=lambda call: (self._at_us[call], call))
        for call, offset_s in zip(order, _offsets_s([self._at_us[call] for call in order]), strict=True):
            input_tokens = _known(self._input[call])
            own = self._sampled.get(self._digests[call])
            yield TraceEntry(
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
        """Add a new prompt to the sample; returns None if its rank is too large."""
        rank = int.from_bytes(blake2b(digest.to_bytes(8, "big"), key=self._key, digest_size=8).digest(), "big")
        if len(self._ranks) < self._sample:
            heappush(self._ranks, (-rank, digest))
        elif rank < -self._ranks[0][0]:
            _, gone = heapreplace(self._ranks, (-rank, digest))
            del self._sampled[gone]
        else:
            return None
        return self._sampled.setdefault(digest, SampledPrompt(digest=digest, messages=messages, options=options))


def digest_prompt(messages: tuple[Message, ...], options: Options) -> int:
    """A 64-bit digest of turns, system prompt and tools that ignores differences in white space. Never 0."""
    turns = [[turn.role, _normal(turn.content)] for turn in messages]
    content = msgspec.json.encode([turns, _normal(options.system or ""), options.tools], order="sorted")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big") or 1


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


class _StandIns:
    """The prompts of the sample, by mean input tokens."""

    def __init__(self, sampled: Mapping[int, SampledPrompt]) -> None:
        by_size = sorted((each.input_tokens / each.times, each.digest) for each in sampled.values())
        self._sizes = [size for size, _ in by_size]
        self._prompts = [sampled[digest] for _, digest in by_size]

    def nearest(self, input_tokens: int | None) -> SampledPrompt:
        size = input_tokens or 0
        at = bisect_left(self._sizes, size)
        around = range(max(at - 1, 0), min(at + 1, len(self._sizes)))
        return self._prompts[min(around, key=lambda index: abs(self._sizes[index] - size))]


def _known(count: int) -> int | None:
    return None if count == _UNKNOWN else count


def _offsets_s(sorted_us: list[int]) -> Iterator[float]:
    """Seconds since the first. If the log has whole seconds only, calls of one second are spread evenly over it."""
    whole = all(at % 1_000_000 == 0 for at in sorted_us)
    together = Counter(sorted_us) if whole else Counter[int]()
    nth: Counter[int] = Counter()
    for at in sorted_us:
        within = nth[at] / together[at] if whole else 0.0
        nth[at] += 1
        yield round((at - sorted_us[0]) / 1e6 + within, 6)
