"""Judges and check files as a suite file writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from harness.catalog.target import Api
from harness.suite.grammar.fields import Count, Entry, Name, Region, Share, Text
from harness.suite.grammar.units import END


class GraderIdsEntry(Entry, frozen=True, kw_only=True):
    """Ids as the catalog gave them. Written by a run into its frozen suite."""

    base_model: Text
    model_id: Text


class LabelEntry(Entry, frozen=True, kw_only=True):
    """An answer that a person has graded."""

    prompt_id: Name
    answer: str
    passed: bool


class JudgeEntry(Entry, frozen=True, kw_only=True):
    """A model that grades answers by a rubric. It may not be one of the models that are compared."""

    model: Annotated[Text, Meta(description="As of a target.", examples=["claude-opus-4-5"])]
    routing: Annotated[Text | None, Meta(description="As of a target.")] = None
    api: Annotated[Api | None, Meta(description="As of a target.")] = None
    client: Annotated[Text | None, Meta(description="As of a target.")] = None
    region: Annotated[Region | None, Meta(description="As of a target.")] = None
    max_tokens: Annotated[Count | None, Meta(description="Most tokens a judgement may have. Default: 1024.")] = None
    temperature: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    thinking: Annotated[
        Annotated[int, Meta(ge=1024)] | Literal["adaptive"] | None, Meta(description="As of a target.")
    ] = None
    calibration: Annotated[
        Text | list[LabelEntry] | None,
        Meta(
            description="Answers that people have graded, a .csv beside the suite: prompt_id, answer, passed. The "
            "judge grades them too, and Cohen's kappa tells how well it agrees.",
            examples=["labels.csv"],
        ),
    ] = None
    resolved: Annotated[GraderIdsEntry | None, Meta(description="Written by a run; leave it out.")] = None


Judges = Annotated[
    dict[Name, JudgeEntry],
    Meta(description="Models that grade, by a name of your own: the checks `judge` and `pairwise` ask them."),
]


class CheckFileEntry(Entry, frozen=True, kw_only=True):
    """A file of check functions by digest. Written by a run into its frozen suite."""

    name: Name
    digest: Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
    functions: tuple[Text, ...]
    path: Name | None = None
    """Never looked at: earlier versions wrote where the file was."""
