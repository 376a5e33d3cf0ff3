"""Finds what a person names as ``module:attribute``: their own network or metric."""

import importlib
import os
import sys
from typing import Any

from jaxloss.errors import InvalidInputError, nearest_first


def load_attribute(spec: str, kind: str) -> Any:
    """Imports the attribute that ``module:attribute`` names.

    The current folder is put last on the import path and stays there, so that a file beside the
    person can be named, cannot hide an installed package, and can import its neighbours later.

    Args:
        spec: ``"module:attribute"``, for instance ``"my_networks:make"``.
        kind: what the attribute is to be, for the error messages.

    Returns:
        The attribute, whatever it is.

    Raises:
        InvalidInputError: the spec is incomplete, the module cannot be imported, or it has no such
            attribute.
    """
    module_name, _, attribute = spec.partition(":")
    if module_name.endswith(".py"):
        suggestion = module_name.removesuffix(".py").replace("/", ".").lstrip(".")
        raise InvalidInputError(
            f"{kind} {spec!r} names a file; write the module: '{suggestion}:{attribute}'"
        )
    if not module_name or not attribute or module_name.startswith("."):
        raise InvalidInputError(f"{kind} {spec!r} is incomplete; expected 'module:attribute'")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    # A person's module can fail in any way at all while it is imported.
    except Exception as error:
        raise InvalidInputError(
            f"{kind} {spec!r}: module {module_name!r} cannot be imported "
            f"({type(error).__name__}: {error}); looked in the installed packages and in {here}"
        ) from error
    if not hasattr(module, attribute):
        public = [name for name in vars(module) if not name.startswith("_")]
        nearest = ", ".join(nearest_first(attribute, public)[:5]) or "(nothing public)"
        raise InvalidInputError(
            f"{kind} {spec!r}: module {module_name!r} has no {attribute!r}; "
            f"it has, nearest first: {nearest}"
        )
    return getattr(module, attribute)
