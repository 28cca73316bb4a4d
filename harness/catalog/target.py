"""A target: model × routing × api × client × Region × options, resolved to the id that goes on the wire."""

from __future__ import annotations

from typing import Literal

import msgspec

Api = Literal["invoke", "converse"]
"""The dialect on the wire: InvokeModel or Converse."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent along with a prompt. None: the key is not sent. A prompt's own value wins over a target's."""

    max_tokens: int | None = None
    system: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared. `name` is unique in a suite."""

    name: str
    model: str
    """The catalog's short name, `claude-sonnet-4-5`."""
    base_model: str
    """The foundation model's id, `anthropic.claude-sonnet-4-5-20250929-v1:0`."""
    model_id: str
    """What goes into the URL: a profile id, a bare base id or an ARN."""
    routing: str
    """`global`, `us`, `eu`, …, `in-region`."""
    api: Api
    client: str
    region: str
    stream: bool = True
    options: Options = Options()
