"""Losses that leave the house: source for other libraries, text for people, compiled programs.

Each target is a module. A loss of another family than those here needs its lines in `families`, a
view its row in `views`, a primitive its ``code`` and, if that is no name of NumPy's, a helper in
`jaxloss.symbols.sources`.
"""

from collections.abc import Callable, Mapping
from functools import partial

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.losses.export.target import Export, function_name
from jaxloss.losses.export.to_json import to_json
from jaxloss.losses.export.to_latex import entry_as_latex, to_latex
from jaxloss.losses.export.to_optax import to_optax
from jaxloss.losses.export.to_stablehlo import (
    as_text,
    entry_as_stablehlo,
    entry_as_text,
    program_of,
    to_stablehlo,
)
from jaxloss.losses.export.to_sympy import to_sympy
from jaxloss.losses.export.to_torch import to_torch
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.zoo.entry import ZooLoss

TARGETS: dict[str, Callable[[LearnedLoss], Export]] = {
    "optax": to_optax,
    "torch": to_torch,
    "sympy": to_sympy,
    "latex": to_latex,
    "stablehlo": to_stablehlo,
    "json": to_json,
}
"""Every target by its name."""

_ENTRY_TARGETS: dict[str, Callable[[ZooLoss, Mapping[str, float]], Export]] = {
    "latex": entry_as_latex,
    "stablehlo": entry_as_stablehlo,
}
"""Those for losses of the zoo that take something else than outputs and targets."""


def exported(loss: LearnedLoss, to: str) -> Export:
    """Writes a loss for a target.

    Args:
        loss: any loss.
        to: name of the target: ``optax``, ``torch``, ``sympy``, ``latex``, ``stablehlo``, ``json``.

    Returns:
        The text, or the bytes of a program, and how it differs from the loss.

    Raises:
        InvalidInputError: there is no such target, or the loss cannot be written for it; says which
            targets work.
    """
    if to not in TARGETS:
        raise unknown_name("export target", to, TARGETS)
    try:
        return TARGETS[to](loss)
    except InvalidInputError as error:
        others = {name: partial(write, loss) for name, write in TARGETS.items() if name != to}
        raise InvalidInputError(f"no export to {to}: {error}; {_working(others)}") from error


def exported_entry(entry: ZooLoss, parameters: Mapping[str, float], to: str) -> Export:
    """Writes a loss of the zoo that trains no task of outputs and targets.

    Args:
        entry: the loss.
        parameters: those that differ from the defaults.
        to: name of the target: ``latex`` or ``stablehlo``.

    Raises:
        InvalidInputError: there is no such target or parameter, or the target takes losses of
            outputs and targets alone.
    """
    if to not in TARGETS:
        raise unknown_name("export target", to, TARGETS)
    if to not in _ENTRY_TARGETS:
        others = {name: partial(write, entry, {}) for name, write in _ENTRY_TARGETS.items()}
        raise InvalidInputError(
            f"no export to {to}: {entry.name} takes "
            f"{', '.join(argument.name for argument in entry.inputs.arguments)}, not a task's "
            f"outputs and targets; {_working(others)}"
        )
    return _ENTRY_TARGETS[to](entry, parameters)


def export_code(loss: LearnedLoss, to: str = "optax") -> str:
    """Writes a loss as text that runs, or reads, without jaxloss.

    Args:
        loss: any loss.
        to: ``optax`` or ``torch``: a module with one function ``(outputs, targets) -> per-example
            values`` that takes what optax's losses take; ``sympy`` or ``latex``: for display,
            guards not shown; ``json``: the loss itself, which `LearnedLoss.from_json` reads;
            ``stablehlo``: the program of `export_program` as text, to be read only.

    Returns:
        The text. Where source for optax, torch or SymPy is not the loss exactly, it says so in
        comments; the notes of `exported` say it for the others.

    Raises:
        InvalidInputError: there is no such target, or the loss cannot be written for it; says which
            targets work.
    """
    if to == "stablehlo":
        return str(as_text(loss).content)
    return str(exported(loss, to).content)


def export_program(loss: LearnedLoss) -> bytes:
    """Compiles a loss to StableHLO with its derivatives, for any number of examples.

    Read it back with JAX alone, on any platform::

        from jax import export

        program = export.deserialize(bytearray(content))
        values = program.call(outputs, targets)

    Gradients, and gradients of gradients, work through ``call``: `jax.grad` of `jax.grad`, but not
    forward mode. Its precision is JAX's default; losses of classes take class numbers, int32. A
    program is no way to keep a loss: later versions of JAX may not read it.
    """
    return program_of(loss)


def _working(targets: Mapping[str, Callable[[], Export]]) -> str:
    """Says which targets work, by trying them."""
    names = [name for name, write in targets.items() if _works(write)]
    return f"these targets work: {', '.join(names) or 'none'}"


def _works(write: Callable[[], Export]) -> bool:
    try:
        write()
    except InvalidInputError:
        return False
    return True


__all__ = [
    "TARGETS",
    "Export",
    "as_text",
    "entry_as_text",
    "export_code",
    "export_program",
    "exported",
    "exported_entry",
    "function_name",
]
