"""What the service says of itself: a parameter's values, a job's kinds of result; XML or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from seqforge.domains.genome.similarity.ebi.failures import Unreadable
from seqforge.domains.genome.similarity.ebi.markup import parse_json, parse_xml, said

_VALUES = 10_000


@dataclass(frozen=True)
class Value:
    """One value that a parameter may have."""

    value: str
    """What is sent, letter for letter."""
    label: str
    default: bool = False
    contexts: tuple[str, ...] = ()
    """What it is for: nucleotide, protein, vector; empty where the service does not say."""


@dataclass(frozen=True)
class ParameterDetails:
    """A parameter as the service describes it."""

    name: str
    description: str
    type: str
    values: tuple[Value, ...]
    """Empty where anything may be given."""


def read_details(body: bytes) -> ParameterDetails:
    """What ``/parameterdetails`` answered.

    Raises:
        Unreadable: If it is neither its JSON nor its XML.
    """
    data = _document(body)
    if not isinstance(data, dict) or "name" not in data:
        raise Unreadable(f"this describes no parameter: {said(body)}")
    found = _inside(data, "values")
    if len(found) > _VALUES:
        raise Unreadable(f"this parameter has {len(found):,} values, more than any has")
    values = tuple(_value(value) for value in found if value.get("value"))
    kind, description = str(data.get("type") or ""), str(data.get("description") or "")
    return ParameterDetails(str(data["name"]), description, kind, values)


def read_types(body: bytes) -> list[str]:
    """The identifiers that ``/resulttypes`` answered, in its order.

    Raises:
        Unreadable: If it is neither its JSON nor its XML.
    """
    found = [
        str(each["identifier"])
        for each in _mappings(_document(body))
        if isinstance(each.get("identifier"), str)
    ]
    if not found:
        raise Unreadable(f"this names no kind of result: {said(body)}")
    return found


def _document(body: bytes) -> Any:
    """JSON as it is; XML as the JSON that the service would have given."""
    if body.lstrip()[:1] == b"<":
        try:
            return _converted(parse_xml(body))
        except RecursionError as error:
            raise Unreadable("the reply is nested too deeply") from error
    return parse_json(body)


def _converted(element: Element) -> Any:
    """Leaves as text, the rest as dictionaries; children that share a name become a list."""
    children = list(element)
    if not children:
        return (element.text or "").strip()
    names = [child.tag for child in children]
    if element.tag in {"values", "properties", "types"} or len(set(names)) < len(names):
        return {names[0]: [_converted(child) for child in children]}
    return {child.tag: _converted(child) for child in children}


def _value(data: dict[str, Any]) -> Value:
    properties = {
        str(each.get("key")): str(each.get("value")) for each in _inside(data, "properties")
    }
    contexts = tuple(part.strip() for part in properties.get("contexts", "").split(","))
    value = str(data["value"])
    return Value(
        value,
        str(data.get("label") or value),
        str(data.get("defaultValue")).lower() == "true",
        tuple(filter(None, contexts)),
    )


def _inside(data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The list that stands in ``data[name]``, which JSON wraps once more, by name."""
    inner = data.get(name)
    while isinstance(inner, dict):
        inner = next((value for value in inner.values() if isinstance(value, list | dict)), None)
    return [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []


def _mappings(data: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a document, however deep, in its order."""
    left = [data]
    while left:
        data = left.pop()
        if isinstance(data, dict):
            yield data
            left.extend(reversed(data.values()))
        elif isinstance(data, list):
            left.extend(reversed(data))
