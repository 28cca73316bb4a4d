"""Parses YAML with the line of every value. Safe: no tags, no recursion, limits on depth and on aliases.

Scalars follow YAML 1.2: only `true` and `false` are booleans, and dates, `10:30`, `0123` and `yes` remain text. Values
are built from PyYAML's events, as its composers recurse, and the one in C crashes on deep nesting.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec
import yaml

from harness.suite.grammar.mistakes import KeyPath

MAX_DEPTH = 60
MAX_VALUES = 500_000
"""Values in one file. An alias counts with everything that it refers to."""
MAX_REPEATED_CHARS = 100_000_000
"""Characters that aliases may repeat in one file."""

NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")
FLOAT = re.compile(r"^[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")

FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML 1.2 allows only as escapes in double quotes."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlMistake(Exception):
    """The text cannot be read as YAML."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Node(msgspec.Struct, kw_only=True, gc=False):
    """A value with its line. `children` and `key_lines` are empty for scalars. Nodes never form a cycle."""

    line: int
    value: Any
    written: str | None = None
    """A scalar's source text. None for lists and mappings."""
    size: int = 1
    chars: int = 0
    """Of its text, or of all texts in it."""
    children: dict[str | int, Node] = {}
    key_lines: dict[str, int] = {}


_NONE: dict[Any, Any] = {}
"""Shared by all scalars, as a large suite has a million of them."""


class _Open(msgspec.Struct, kw_only=True):
    """A list or mapping that is still open."""

    node: Node
    anchor: str | None
    key: str | None = None
    """The key whose value comes next. None: in a list, or if a key comes next."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.node.value, dict) and self.key is None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A YAML file's content with the line of every value."""

    name: str
    root: Node

    def line_of(self, path: KeyPath) -> int:
        """The line of the value at `path`, or of the nearest value around it."""
        node, line = self.root, self.root.line
        for step in path:
            child = node.children.get(step)
            if child is None:
                return line
            line = node.key_lines[step] if isinstance(step, str) else child.line
            node = child
        return line

    def written(self, path: KeyPath) -> str | None:
        """The source text of the scalar at `path`. None: there is no scalar."""
        node = self._node(path)
        return None if node is None else node.written

    def holds(self, path: KeyPath) -> bool:
        """Whether there is a value at `path`."""
        return self._node(path) is not None

    def _node(self, path: KeyPath) -> Node | None:
        node = self.root
        for step in path:
            if step not in node.children:
                return None
            node = node.children[step]
        return node


def read_yaml(text: str, *, name: str, max_values: int = MAX_VALUES) -> tuple[Document, list[tuple[int, str]]]:
    """Parse a text; returns the document, and (line, message) for each duplicate key, of which the last counts.

    Raises YamlMistake: it cannot be read at all.
    """
    builder = _Builder(max_values)
    if strange := FORBIDDEN.search(text):
        line, code = text.count("\n", 0, strange.start()) + 1, ord(strange[0])
        message = f"not YAML: the character U+{code:04X} is not allowed here"
        raise YamlMistake(line, f'{message}; write "\\u{code:04x}" in double quotes, or remove it')
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlMistake(mark.line + 1 if mark else 1, f"not YAML: {message}") from error
    except yaml.YAMLError as error:
        raise YamlMistake(1, f"not YAML: {error}") from error
    if builder.root is None:
        raise YamlMistake(1, "the file is empty; `harness init NAME` writes a starter suite")
    return Document(name=name, root=builder.root), builder.duplicates


class _Builder:
    """Builds values from events, with a stack instead of recursion."""

    def __init__(self, max_values: int) -> None:
        self.root: Node | None = None
        self.duplicates: list[tuple[int, str]] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._size = 0
        self._repeated_chars = 0
        self._max_values = max_values

    def take(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event, line)
            self._place(_scalar(event, line), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._known(event.anchor or "", line), None, alias_line=line)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            self._refuse_tag(event, line)
            self._open(event, line)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            done = self._stack.pop()
            self._place(done.node, done.anchor)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise YamlMistake(line, "a second document starts here; a suite must be a single document")

    def _open(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise YamlMistake(line, f"nested more than {MAX_DEPTH} deep")
        if self._stack and self._stack[-1].wants_key:
            raise YamlMistake(line, "a key must be plain text, not a list or mapping")
        value: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._stack.append(_Open(node=Node(line=line, value=value), anchor=event.anchor))
        if event.anchor:
            self._anchors[event.anchor] = None

    def _place(self, node: Node, anchor: str | None, *, alias_line: int | None = None) -> None:
        """Add a complete value to the open list or mapping, or make it the root."""
        line = alias_line or node.line
        if anchor:
            self._anchors[anchor] = node
        self._size += node.size if alias_line else 1
        if self._size > self._max_values:
            raise YamlMistake(line, f"more than {self._max_values:,} values; move the prompts to a dataset (.jsonl)")
        self._repeated_chars += node.chars if alias_line else 0
        if self._repeated_chars > MAX_REPEATED_CHARS:
            megabytes = f"{MAX_REPEATED_CHARS / 1e6:.0f} MB"
            raise YamlMistake(
                line, f"the aliases up to here repeat more than {megabytes} of text; use fewer, or less text"
            )
        if not self._stack:
            self.root = node
        elif self._stack[-1].wants_key:
            self._take_key(node, line)
        else:
            self._fill(self._stack[-1], node)

    def _take_key(self, node: Node, line: int) -> None:
        if node.written is None:
            raise YamlMistake(line, "a key must be plain text, not a list or mapping")
        top = self._stack[-1]
        if node.written in top.node.children:
            first = top.node.key_lines[node.written]
            self.duplicates.append((line, f"key {node.written!r} is already on line {first}; drop one"))
        top.node.key_lines[node.written] = line
        top.key = node.written

    def _fill(self, top: _Open, node: Node) -> None:
        parent = top.node
        parent.size += node.size
        parent.chars += node.chars
        if top.key is None:
            parent.children[len(parent.value)] = node
            parent.value.append(node.value)
        else:
            parent.children[top.key] = node
            parent.value[top.key] = node.value
            top.key = None

    def _known(self, anchor: str, line: int) -> Node:
        if anchor not in self._anchors:
            raise YamlMistake(line, f"*{anchor} refers to nothing; there is no &{anchor} before it")
        node = self._anchors[anchor]
        if node is None:
            raise YamlMistake(line, f"*{anchor} is inside &{anchor}, so it would never end")
        return node

    def _refuse_tag(self, event: yaml.NodeEvent, line: int) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise YamlMistake(
                line, f"the tag {tag.replace('tag:yaml.org,2002:', '!!')} is not allowed; write plain values"
            )


def _scalar(event: yaml.ScalarEvent, line: int) -> Node:
    try:
        event.value.encode()
    except UnicodeEncodeError:
        raise YamlMistake(line, "half of a surrogate pair (\\ud800 … \\udfff) is not text") from None
    value = _meaning(event.value, line) if event.implicit[0] else event.value
    written = event.value
    return Node(line=line, value=value, written=written, chars=len(written), children=_NONE, key_lines=_NONE)


def _meaning(text: str, line: int) -> str | int | float | bool | None:
    """The value of a plain scalar in YAML 1.2's core schema, without hexadecimal, octal, infinity and NaN."""
    if NULL.match(text):
        return None
    if BOOLEAN.match(text):
        return text.lower() == "true"
    if INTEGER.match(text) and len(text) <= 20 and -(2**63) <= int(text) < 2**63:
        return int(text)
    if FLOAT.match(text):
        number = float(text)
        if not math.isfinite(number):
            raise YamlMistake(line, f"the number {text[:40]} is too large")
        return number
    return text
