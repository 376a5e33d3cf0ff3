"""Puts values that a person wrote, in a file or in flags, into frozen dataclasses of settings."""

import dataclasses
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, TypeVar, Union

from jaxloss.errors import InvalidInputError, require, unknown_name

_Settings = TypeVar("_Settings")

_WORDS: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a finite number",
    str: "text",
    type(None): "none",
}

_UNUSABLE = object()


def with_values(
    base: _Settings, values: Mapping[str, Any], where: str, left_out: Collection[str] = ()
) -> _Settings:
    """Replaces fields of settings, at any depth.

    Args:
        base: a dataclass; what ``values`` do not name stays as it is there.
        values: by field name, nested (``{"fitness": {"steps": 100}}``) or dotted
            (``{"fitness.steps": 100}``). Numbers, truth values and none may be written as text.
        where: what messages call the settings.
        left_out: fields of ``base`` that cannot be set here.

    Raises:
        InvalidInputError: there is no such field, a value has another type or is refused by the
            settings themselves, or a field is given twice.
    """
    hints = typing.get_type_hints(type(base))
    names = [
        field.name
        for field in dataclasses.fields(_instance(base))
        if field.init and field.name not in left_out
    ]
    changes: dict[str, Any] = {}
    for name, value in _nested(values, where).items():
        if name not in names:
            raise unknown_name(f"setting of {where}", name, names)
        changes[name] = converted(value, hints[name], f"{where}.{name}", getattr(base, name))
    try:
        return dataclasses.replace(_instance(base), **changes)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from error


def _instance(settings: Any) -> Any:
    require(
        dataclasses.is_dataclass(settings) and not isinstance(settings, type),
        f"expected settings in a dataclass, got {settings!r}",
    )
    return settings


def _nested(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Turns dotted names of the first level into mappings, and refuses what is given twice."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        require(isinstance(name, str), f"names of settings of {where} must be text, got {name!r}")
        first, dot, rest = name.partition(".")
        if not dot:
            require(first not in nested, f"{where}.{first} is given twice")
            nested[first] = dict(value) if isinstance(value, Mapping) else value
            continue
        inner = nested.setdefault(first, {})
        require(
            isinstance(inner, dict) and rest not in inner,
            f"{where}.{first} is given twice: once as {name!r}",
        )
        inner[rest] = value
    return nested


def converted(value: Any, annotation: Any, where: str, base: Any = None) -> Any:
    """Gives a value the type that a field is annotated with.

    Args:
        value: as the file or flag has it.
        annotation: scalars, literals, tuples, dataclasses, and unions of them.
        where: what messages call the field.
        base: the field's value so far; where a mapping is given, it changes this.

    Raises:
        InvalidInputError: says what was expected.
    """
    members = _members(annotation)
    nothing = value is None or (_is_text(value, "none", "null") and str not in members)
    if nothing and type(None) in members:
        return None
    if isinstance(value, Mapping):
        for member in members:
            if dataclasses.is_dataclass(member) and isinstance(member, type):
                start = base if isinstance(base, member) else member()
                return with_values(start, value, where)
    for member in members:
        found = _as_member(value, member, where)
        if found is not _UNUSABLE:
            return found
    choices = [choice for member in members for choice in _choices(member)]
    if isinstance(value, str) and choices:
        raise unknown_name(where, value, map(str, choices))
    raise InvalidInputError(
        f"{where} must be {' or '.join(map(_expected, members))}, got {value!r}"
    )


def _members(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return [inner for part in typing.get_args(annotation) for inner in _members(part)]
    return [annotation]


def _choices(member: Any) -> tuple[Any, ...]:
    return typing.get_args(member) if typing.get_origin(member) is Literal else ()


def _is_text(value: Any, *words: str) -> bool:
    return isinstance(value, str) and value.strip().lower() in words


def _as_member(value: Any, member: Any, where: str) -> Any:
    """Gives the value in the type ``member``, or `_UNUSABLE`."""
    if member is bool:
        if _is_text(value, "true", "false"):
            return value.strip().lower() == "true"
        return value if isinstance(value, bool) else _UNUSABLE
    if member in (int, float):
        number = _number(value)
        if number is None or (member is int and not number.is_integer()):
            return _UNUSABLE
        # By way of a float, whole numbers above 2**53 would change.
        exact = int(value) if isinstance(value, str) and _is_whole(value) else value
        return member(number if isinstance(exact, str) else exact)
    if member is str:
        return value if isinstance(value, str) else _UNUSABLE
    if _choices(member):
        return value if value in _choices(member) else _UNUSABLE
    if typing.get_origin(member) is tuple and isinstance(value, list | tuple):
        return _as_tuple(value, typing.get_args(member), where)
    return _UNUSABLE


def _number(value: Any) -> float | None:
    # YAML reads 1e-3, which has no point, as text.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()


def _as_tuple(values: Iterable[Any], members: tuple[Any, ...], where: str) -> Any:
    items = list(values)
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(items)
    require(
        len(items) == len(members),
        f"{where} must be a list of {len(members)}, got {len(items)}: {items!r}",
    )
    return tuple(
        converted(item, member, f"{where}[{place}]")
        for place, (item, member) in enumerate(zip(items, members, strict=True))
    )


def _expected(member: Any) -> str:
    if _choices(member):
        return "one of " + ", ".join(map(repr, _choices(member)))
    if typing.get_origin(member) is tuple:
        return "a list"
    if dataclasses.is_dataclass(member):
        return "a mapping of settings"
    return _WORDS.get(member, "something that only Python code can give")
