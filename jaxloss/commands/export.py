"""The command ``jaxloss export``."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxloss.commands.options import CONFIG
from jaxloss.errors import require, unknown_name
from jaxloss.losses.export import (
    TARGETS,
    Export,
    as_text,
    entry_as_text,
    exported,
    exported_entry,
)
from jaxloss.runs.folder import require_other_file, write_atomically
from jaxloss.runs.given import GivenLoss, given_loss

_BINARY = "stablehlo"

_LOADING = """\
to load it, with JAX alone:
  from jax import export
  program = export.deserialize(bytearray(open("{path}", "rb").read()))
  values = program.call(outputs, targets)
JAX promises to read it for some months only: keep the loss itself too (--to json)"""


@dataclass(frozen=True)
class ExportArguments:
    """Write a loss for where it is used: the code goes to the terminal, remarks beside it.

    optax and torch: a module with one function, outputs and targets in, one value for each example
    out, that needs nothing of jaxloss. sympy and latex: for display, guards not shown. stablehlo: a
    compiled program with two derivatives for any number of examples. json: the loss itself.
    """

    loss: Annotated[str, tyro.conf.Positional]
    """A loss.json, a name of the zoo (huber:delta=0.5), or a formula of f and y."""
    to: str
    """optax, torch, sympy, latex, stablehlo or json."""
    view: str | None = None
    """What the loss sees: identity (raw outputs), softmax, sigmoid, logits (formulas alone), boxes,
    anchors, masks, cell_classes or cell_boxes; by default what it is usually used with."""
    out: str | None = None
    """A file to write instead of the terminal."""
    force: bool = False
    """Whether to replace the file if there is one."""
    text: bool = False
    """With stablehlo: the program as text to read (MLIR), not to load."""


def export_command(words: list[str]) -> None:
    """Runs ``jaxloss export``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: the loss, the target or the file cannot be used; nothing is written.
        SystemExit: an option cannot be read; tyro has said which.
    """
    given = tyro.cli(ExportArguments, args=words, prog="jaxloss export", config=CONFIG)
    _check(given)
    loss = given_loss(given.loss, given.view)
    export = _export(loss, given)
    for note in export.notes:
        _remark(f"differs: {note}")
    if len(loss.losses) > 1:
        first, *others = loss.losses
        _remark(f"for tasks of the view {first}; --view {' or '.join(others)} is for others")
    if given.out is None:
        print(export.content, end="")
        return
    write_atomically(Path(given.out), export.content)
    _remark(f"wrote {given.out}")
    if isinstance(export.content, bytes):
        _remark(_LOADING.format(path=given.out))


def _check(given: ExportArguments) -> None:
    """Refuses what can be refused before any work; the file above all."""
    if given.to not in TARGETS:
        raise unknown_name("export target", given.to, TARGETS)
    require(
        given.to == _BINARY or not given.text,
        f"--text is for {_BINARY} alone: {given.to} is text anyway",
    )
    if given.out is None:
        require(
            given.to != _BINARY or given.text,
            "a program is no text: name a file for it with --out, or read it with --text",
        )
        return
    path = Path(given.out)
    require_other_file(path, (given.loss,))
    require(path.parent.is_dir(), f"{path} cannot be written: there is no folder {path.parent}")
    require(
        given.force or not path.exists(),
        f"{path} exists; name another file, or replace it with --force",
    )


def _export(given: GivenLoss, asked: ExportArguments) -> Export:
    if given.losses:
        loss = given.first
        return as_text(loss) if asked.text else exported(loss, asked.to)
    # Only losses of the zoo are for no task.
    entry = given.entry
    if entry is None:
        return exported(given.first, asked.to)
    if asked.text:
        return Export(entry_as_text(entry, given.parameters))
    return exported_entry(entry, given.parameters, asked.to)


def _remark(text: str) -> None:
    print(text, file=sys.stderr)
