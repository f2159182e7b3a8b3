"""Generates the dashboard's TypeScript types from the event structs, so that they have one source.

`python -m server.typescript` writes `dashboard/src/types/events.gen.ts`; `--check` only compares.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import msgspec.inspect as inspect_types

from conversation import events
from reports.rollup import Measure
from reports.trends import BehaviourTotal, Trend, TrendPoint
from server import call_view, wall
from server.aside import RuleTrial, Trial
from server.own_data import OwnData
from server.replay import Example
from server.store.erasure_requests import ErasureRequest
from server.store.retention import RetentionSettings
from server.trend_routes import Scope

TARGET = Path(__file__).resolve().parent.parent / "dashboard" / "src" / "types" / "events.gen.ts"
"""The generated file, in a source checkout."""

_HEADER = "// Generated from the Python structs by `python -m server.typescript`. Do not edit.\n\n"

_PRIMITIVES: dict[type[inspect_types.Type], str] = {
    inspect_types.IntType: "number",
    inspect_types.FloatType: "number",
    inspect_types.StrType: "string",
    inspect_types.BoolType: "boolean",
    inspect_types.NoneType: "null",
    inspect_types.AnyType: "unknown",
}


_VIEWS: tuple[type[msgspec.Struct], ...] = (
    call_view.Bar,
    call_view.RaisedBar,
    call_view.OverlapMark,
    call_view.Line,
    call_view.Alert,
    call_view.Pledge,
    call_view.Notice,
    call_view.Doubt,
    call_view.CallView,
    wall.Reason,
    wall.Card,
    Measure,
    TrendPoint,
    BehaviourTotal,
    Trend,
    Scope,
    Example,
    RuleTrial,
    Trial,
    RetentionSettings,
    ErasureRequest,
    OwnData,
)


class UnsupportedTypeError(TypeError):
    """A field of an event has a type that the generator cannot express."""

    code = "typescript.unsupported_type"


def type_text(kind: inspect_types.Type) -> str:
    """Return the TypeScript spelling of one msgspec type.

    Raises:
        UnsupportedTypeError: the type has no spelling here.
    """
    primitive = _PRIMITIVES.get(type(kind))
    if primitive is not None:
        return primitive
    if isinstance(kind, inspect_types.UnionType):
        return " | ".join(type_text(member) for member in kind.types)
    if isinstance(kind, (inspect_types.StructType, inspect_types.EnumType)):
        return kind.cls.__name__
    if isinstance(kind, inspect_types.DictType):
        return f"Record<string, {type_text(kind.value_type)}>"
    if isinstance(kind, (inspect_types.VarTupleType, inspect_types.ListType)):
        return f"readonly ({type_text(kind.item_type)})[]"
    raise UnsupportedTypeError(
        f"The event type {type(kind).__name__} has no TypeScript spelling; add it to type_text()."
    )


def _doc(text: str | None, indent: str = "") -> str:
    first = (text or "").strip().split("\n")[0]
    return f"{indent}/** {first} */\n" if first else ""


def _struct(cls: type[msgspec.Struct]) -> str:
    info = inspect_types.type_info(cls)
    if not isinstance(info, inspect_types.StructType):
        raise UnsupportedTypeError(f"{cls.__name__} is not a msgspec struct; make it one.")
    lines = []
    if info.tag_field is not None:
        lines.append(f'  readonly {info.tag_field}: "{info.tag}";\n')
    lines += [f"  readonly {f.encode_name}: {type_text(f.type)};\n" for f in info.fields]
    return f"{_doc(cls.__doc__)}export interface {cls.__name__} {{\n{''.join(lines)}}}\n"


def render() -> str:
    """Return the whole TypeScript module as text; the same text for the same structs."""
    parts = [_HEADER, f"export const SCHEMA_VERSION = {events.SCHEMA_VERSION};\n"]
    for enum in (events.Channel, events.OverlapClass, events.FloorState):
        union = " | ".join(f'"{member.value}"' for member in enum)
        parts.append(f"\n{_doc(enum.__doc__)}export type {enum.__name__} = {union};\n")
    observations, derived = get_args(events.Observation), get_args(events.Derived)
    for cls in (events.Word, events.Evidence, *observations, *derived):
        parts.append("\n" + _struct(cls))
    for name, members in (("Observation", observations), ("Derived", derived)):
        union = " | ".join(cls.__name__ for cls in members)
        parts.append(f"\nexport type {name} = {union};\n")
    parts.append("\nexport type CallEvent = Observation | Derived;\n")
    parts += ["\n" + _struct(cls) for cls in _VIEWS]
    return "".join(parts)


def main(arguments: Sequence[str] | None = None, target: Path = TARGET) -> int:
    """Write the types, or with `--check` compare them; return the exit status."""
    parser = argparse.ArgumentParser(description="Generate the dashboard's event types.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    options = parser.parse_args(arguments)
    text = render()
    if not options.check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return 0
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{target.name} is stale: run `python -m server.typescript`.\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
