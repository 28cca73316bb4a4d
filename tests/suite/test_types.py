"""What msgspec cannot bear of the suite file's types."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import inspect

from harness.suite.grammar.file import SuiteFile


def unions_of(kind: object, seen: set[object]) -> Iterator[inspect.UnionType]:
    """Every union in a type, those of its structs' fields included."""
    if isinstance(kind, inspect.UnionType):
        yield kind
    if isinstance(kind, inspect.StructType):
        if kind.cls in seen:
            return
        seen.add(kind.cls)
    if isinstance(kind, msgspec.Struct):
        inner = [getattr(kind, name) for name in kind.__struct_fields__]
        for each in inner:
            for one in each if isinstance(each, tuple) else (each,):
                yield from unions_of(one, seen)


def bare(kind: inspect.Type) -> inspect.Type:
    """A type without the notes on it."""
    return bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def is_pattern(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.StrType) and kind.pattern is not None


def is_list_of_structs(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.ListType | inspect.VarTupleType) and isinstance(
        bare(kind.item_type), inspect.StructType
    )


def test_no_text_with_a_pattern_stands_beside_a_list_of_structs() -> None:
    """msgspec 0.22 crashes the interpreter at its end (in about one of four) once it has decoded such a union."""
    unions = [list(map(bare, each.types)) for each in unions_of(inspect.type_info(SuiteFile), set())]
    assert len(unions) > 20
    assert [] == [each for each in unions if any(map(is_pattern, each)) and any(map(is_list_of_structs, each))]
