"""Reads the one file that a comparison can be written in: YAML or TOML."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from jaxloss.errors import InvalidInputError, require

SUFFIXES = (".yaml", ".yml", ".toml")
"""How the names of such files end."""


def read_grid_file(path: str | Path) -> Mapping[str, Any]:
    """Reads a file of settings for `grid_settings`.

    Raises:
        InvalidInputError: it cannot be read, is neither YAML nor TOML by its name, does not keep
            to the format, gives a key twice, or holds no mapping.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    require(
        suffix in SUFFIXES,
        f"{path} must end in one of {', '.join(SUFFIXES)}, which says how to read it",
    )
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InvalidInputError(f"{path} cannot be read: {reason}") from error
    try:
        data = tomllib.loads(text) if suffix == ".toml" else _from_yaml(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, InvalidInputError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be understood: {error}") from error
    except RecursionError as error:
        raise InvalidInputError(f"{path} is nested too deeply") from error
    require(
        isinstance(data, Mapping) and bool(data),
        f"{path} must hold names with values, such as 'methods: [evomal]', got {data!r}",
    )
    return data


def _from_yaml(text: str) -> Any:
    _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), set())
    return yaml.safe_load(text)


def _refuse_repeated_keys(node: yaml.Node | None, visited: set[int]) -> None:
    """YAML's reader would keep the last of equal keys and say nothing.

    Raises:
        InvalidInputError: names the key and its line.
    """
    # A node can be referred to from many places, even from within itself.
    if node is None or id(node) in visited:
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, visited)
    elif isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                require(key.value not in keys, f"line {line} gives {key.value!r} a second time")
                keys.add(key.value)
            _refuse_repeated_keys(value, visited)
