"""Every view as source: how outputs and targets become the variables of a loss.

A view that is added to `jaxloss.losses.views` needs a row of `VIEW_SOURCES` here, and nothing else
of the export.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxloss.errors import InvalidInputError
from jaxloss.symbols.sources import Library


class ViewSource(NamedTuple):
    """A view as source.

    Attributes:
        outputs: what the outputs are, with their shape.
        targets: what the targets are, with their shape.
        meaning: what the variables are, in words.
        labels: lines that make ``y`` of ``targets``, for each library.
        variables: lines that make the other variables of ``outputs`` and ``y``, in the names of
            `jaxloss.symbols.sources`.
        shape: axes of an exported program's outputs, each a name or a number.
        class_numbers: whether its targets are class numbers; else they have the outputs' shape.
        per_example: whether its variables have one number for each example, so that there is
            nothing to add up.
        averages: whether values are averaged; else they are added up.
        reduced_over: what they are averaged or added up over, in words; empty where a loss mostly
            has one value for each example anyway.
    """

    outputs: str
    targets: str
    meaning: str
    labels: Mapping[Library, str]
    variables: str
    shape: tuple[str, ...]
    class_numbers: bool = False
    per_example: bool = False
    averages: bool = False
    reduced_over: str = ""

    def explained(self, averages: bool = False) -> str:
        """Says in words what the variables are and how values are reduced.

        Args:
            averages: whether the loss averages, whatever the view does.
        """
        if not self.reduced_over:
            return self.meaning
        how = "averaged" if averages or self.averages else "summed"
        return f"{self.meaning}; values are {how} over the {self.reduced_over}"


_MISFIT = 'raise ValueError(f"targets {targets.shape}, outputs {outputs.shape}")'
"""What jaxloss refuses too; ``reshape`` alone would mix numbers up."""
_MISPLACED = "targets.shape not in (outputs.shape, (*outputs.shape, 1))"
"""Targets in another layout than the outputs, but for a last axis of one."""

_SHAPED: dict[Library, str] = {
    "jax": "y = targets.reshape(outputs.shape).astype(outputs.dtype)",
    "torch": "y = targets.reshape(outputs.shape).to(outputs.dtype)",
}


def _shaped_if_not(misfit: str) -> dict[Library, str]:
    return {
        library: f"if {misfit}:\n    {_MISFIT}\n{shaped}" for library, shaped in _SHAPED.items()
    }


_SAME_SHAPE = _shaped_if_not(f"""\
(
    {_MISPLACED}
    and (*targets.shape, 1) != outputs.shape
)""")
_OF_CLASSES = _shaped_if_not(f"""\
(
    outputs.ndim < 2
    or outputs.shape[-1] < 2
    or {_MISPLACED}
)""")
_OF_BOXES = _shaped_if_not(f"""\
(
    outputs.shape[1:] != (4,)
    or {_MISPLACED}
)""")
_OF_MASKS = _shaped_if_not("outputs.ndim != 3 or targets.shape != outputs.shape")

_ONE_HOT: dict[Library, str] = {
    "jax": f"""\
if targets.ndim < outputs.ndim:
    targets = jax.nn.one_hot(targets, outputs.shape[-1])
{_OF_CLASSES["jax"]}""",
    "torch": f"""\
if targets.ndim < outputs.ndim:
    classes = torch.arange(outputs.shape[-1], device=targets.device)
    targets = targets[..., None] == classes
{_OF_CLASSES["torch"]}""",
}

_NO_ANCHORS = f"""\
if outputs.shape[1] < 3 or targets.shape != outputs[:, 1:, 0].shape:
    {_MISFIT}"""

_OF_ANCHORS: dict[Library, str] = {
    "jax": f"""\
if targets.ndim < 2:
    targets = jax.nn.one_hot(targets, outputs.shape[1] - 1)
{_NO_ANCHORS}
y = targets.astype(outputs.dtype)""",
    "torch": f"""\
if targets.ndim < 2:
    classes = torch.arange(outputs.shape[1] - 1, device=targets.device)
    targets = targets[..., None] == classes
{_NO_ANCHORS}
y = targets.to(outputs.dtype)""",
}

_CLASSES = (
    "logits, [batch, classes]",
    "class numbers, [batch], or one-hot or soft labels, [batch, classes]",
)

_IN_CELLS = "in each cell of a detector, "


class Meaning(NamedTuple):
    """What a view without source shows.

    Attributes:
        variables: what they are.
        reduced: how the values of an example become one.
        averaged: the same for a loss that averages, whatever the view does.
    """

    variables: str
    reduced: str
    averaged: str


MEANINGS = {
    "cell_classes": Meaning(
        f"{_IN_CELLS}x is the logit of a class or of the background and y is 1 for the right one "
        "and 0 for the others",
        "summed and divided by the number of cells with a box",
        "averaged over the classes of all cells",
    ),
    "cell_boxes": Meaning(
        f"{_IN_CELLS}i is the area that the predicted and the true box share, u the area of both "
        "together and e that of the smallest box around both",
        *2 * ("averaged over the cells with a box",),
    ),
}
"""What the variables are of views that have no source: a detector's outputs are laid out in its own
way, so there is nothing to paste."""

VIEW_SOURCES = {
    "identity": ViewSource(
        "predicted values, [batch, ...]",
        "one value for each output, [batch, ...]",
        "f is the prediction and y the target",
        _SAME_SHAPE,
        "f = outputs",
        ("batch", "outputs"),
    ),
    "softmax": ViewSource(
        *_CLASSES,
        "f is the predicted probability of a class and y is 1 for the right class and 0 for the "
        "others",
        _ONE_HOT,
        "f = softmax(outputs)",
        ("batch", "classes"),
        class_numbers=True,
        reduced_over="classes",
    ),
    "sigmoid": ViewSource(
        "logits, [batch, ...]",
        "0 or 1 for each output, [batch, ...]",
        "f is the predicted probability and y is 1 or 0",
        _SAME_SHAPE,
        "f = sigmoid(outputs)",
        ("batch", "outputs"),
    ),
    "logits": ViewSource(
        *_CLASSES,
        "x is the logit of a class and y is 1 for the right class and 0 for the others",
        _ONE_HOT,
        "x = outputs",
        ("batch", "classes"),
        class_numbers=True,
        reduced_over="classes",
    ),
    "boxes": ViewSource(
        "four raw numbers for each box, [batch, 4]",
        "boxes as x1, y1, x2, y2 in pixels, [batch, 4]",
        "i is the area that the predicted and the true box share, u the area of both together and "
        "e that of the smallest box around both",
        _OF_BOXES,
        "i, u, e = areas(decoded_boxes(outputs), y)",
        ("batch", "4"),
        per_example=True,
    ),
    "anchors": ViewSource(
        "an embedding and after it the class anchors, parameters of yours, [batch, 1 + classes, "
        "features]",
        "class numbers, [batch], or one-hot or soft labels, [batch, classes]",
        "d is the distance of an embedding to the anchor of a class and y is 1 for its own class "
        "and 0 for the others",
        _OF_ANCHORS,
        "d = safe_sqrt(square(outputs[:, :1] - outputs[:, 1:]).sum(-1))",
        ("batch", "rows", "features"),
        class_numbers=True,
        reduced_over="classes",
    ),
    "masks": ViewSource(
        "logits of the foreground, [batch, height, width]",
        "masks of 0 and 1, [batch, height, width]",
        "f is the predicted probability that a pixel belongs to the foreground and y is 1 or 0",
        _OF_MASKS,
        "f = sigmoid(outputs)",
        ("batch", "height", "width"),
        averages=True,
        reduced_over="pixels",
    ),
}
"""Every view by its name. The labels are called y; for boxes, y are the true boxes."""


def view_meaning(name: str, averages: bool = False) -> str:
    """Says in words what the variables of a view are and how values are reduced.

    Args:
        name: of the view.
        averages: whether the loss averages, whatever the view does.
    """
    if name not in MEANINGS:
        return view_source(name).explained(averages)
    meaning = MEANINGS[name]
    how = meaning.averaged if averages else meaning.reduced
    return f"{meaning.variables}; values are {how}"


def view_source(name: str) -> ViewSource:
    """Finds the source of a view.

    Raises:
        InvalidInputError: there is none.
    """
    if name not in VIEW_SOURCES:
        raise InvalidInputError(f"the view {name} has no source for other libraries")
    return VIEW_SOURCES[name]
