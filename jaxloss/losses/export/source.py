"""A loss as source for a library: one function and what it needs, to be pasted or imported."""

import re
import textwrap

from jaxloss.losses.export.display import DIGITS, notes_on
from jaxloss.losses.export.families import Body, body
from jaxloss.losses.export.helpers import HELPERS
from jaxloss.losses.export.statements import WIDTH
from jaxloss.losses.export.target import Export, function_name
from jaxloss.losses.export.views import view_source
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo_form import ZooForm
from jaxloss.symbols.sources import Library, needed, spelled

_TARGETS: dict[Library, str] = {"jax": "optax", "torch": "torch"}
_IMPORTS = {
    "math": "import math",
    "jax": "import jax",
    "jnp": "import jax.numpy as jnp",
    "np": "import numpy as np",
    "torch": "import torch",
}
_PEOPLE: dict[Library, str] = {"jax": "JAX and optax", "torch": "PyTorch"}
_INDENT = "    "
_SCALED = "Learned on targets of mean 0 and standard deviation 1: scale yours alike."
_SCALED_FAMILY = "tfds"
"""The one family of tasks, ``FAMILY:NAME``, whose targets are standardised as those of tables are.
"""


def source_for(loss: LearnedLoss, library: Library) -> Export:
    """Writes a module with one function ``(outputs, targets) -> per-example values``.

    Raises:
        InvalidInputError: the loss cannot be written for other libraries.
    """
    written = body(loss, library)
    notes = (*notes_on(written.primitives, _TARGETS[library]), *written.notes)
    function = _function(loss, spelled(written.lines, library), written.averages)
    helpers = needed(function, HELPERS[library], library)
    code = "\n".join([written.constants, *helpers, function])
    paragraphs = [_comment(loss, library, written, notes), *_imports(code), written.constants]
    head = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    module = "\n\n\n".join(part.rstrip() for part in (head, *helpers, function))
    return Export(module + "\n", notes)


def _function(loss: LearnedLoss, lines: str, averages: bool) -> str:
    source = view_source(loss.view)
    how = "mean" if averages or source.averages else "sum"
    # One more axis, as PyTorch takes no axes for all; a shape of -1 would not do for 0 examples.
    reduced = f"values[..., None].{how}(tuple(range(1, values.ndim + 1)))"
    returned = "values" if source.per_example else reduced
    docstring = [
        '"""Computes the loss of each example; train on the mean.',
        "",
        "Args:",
        *_filled(f"outputs: {source.outputs}.", _INDENT),
        *_filled(f"targets: {source.targets}.", _INDENT),
        "",
        "Returns:",
        f"{_INDENT}One value for each example, [batch].",
        '"""',
    ]
    inner = "\n".join([*docstring, lines, f"return {returned}"])
    return f"def {function_name(loss)}(outputs, targets):\n{textwrap.indent(inner, _INDENT)}"


def _filled(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH - len(_INDENT),
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
    )


def _imports(code: str) -> list[str]:
    """Writes the imports that source needs, the standard library's in a paragraph of their own."""
    used = [name for name in _IMPORTS if re.search(rf"(?<![\w.]){name}\.", code)]
    groups = [[name for name in used if (name == "math") is standard] for standard in (True, False)]
    return ["\n".join(_IMPORTS[name] for name in group) for group in groups if group]


def _comment(loss: LearnedLoss, library: Library, written: Body, notes: tuple[str, ...]) -> str:
    """Says in comments what the loss is, where it is from and where the source differs."""
    form = loss.form
    explained = {
        "div": "a / b stands for a / sqrt(1 + b**2).",
        "ratio": "ratio(a, b) is the plain a / b.",
    }
    words = [words for name, words in explained.items() if name in written.primitives]
    shown = view_named(loss.view).variables
    own = getattr(form, "variables", shown)
    words += [] if own == shown else [f"{', '.join(own)} stand for {', '.join(shown)}."]
    left = f"loss({', '.join(own)}) = " if loss.is_symbolic else ""
    blocks = [f"{_INDENT}{left}{loss.formula(DIGITS)}"]
    if isinstance(form, ZooForm):
        blocks.insert(0, f"The loss {form.name} for {_PEOPLE[library]}.")
        blocks += [f"In LaTeX: {form.entry.formula}", f"Source: {form.entry.source}"]
    else:
        by_hand = ("method", "by hand") in loss.origin
        maker = "written by hand" if by_hand else "learned by jaxloss"
        origin = "" if by_hand else ", ".join(f"{key} {value}" for key, value in loss.origin)
        blocks.insert(0, f"A loss {maker}, for {_PEOPLE[library]}.")
        meaning = view_source(loss.view).explained(written.averages)
        blocks += [f"Here {meaning}.", *words]
        blocks += [f"Origin: {origin}."] if origin else []
        blocks += [_SCALED] if origin and _is_scaled(loss) else []
    blocks += [f"differs: {note}" for note in notes]
    return "\n#\n".join(_commented(block) for block in blocks)


def _is_scaled(loss: LearnedLoss) -> bool:
    """Says whether a loss was learned on values that are standardised before training."""
    tasks = dict(loss.origin).get("task", "").split(",")
    families = {task.partition(":")[0].strip() for task in tasks if ":" in task}
    return loss.view == "identity" and families <= {_SCALED_FAMILY}


def _commented(text: str) -> str:
    indent = "# " + " " * (len(text) - len(text.lstrip()))
    # Words only: no line break in a saved loss's texts gets out of the comment.
    words = " ".join(text.split())
    return textwrap.fill(
        words,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
