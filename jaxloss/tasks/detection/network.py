"""The detector that a person names or gives, refused if it does not fit the images."""

from typing import Any

from jaxtyping import Array, Float

from jaxloss.errors import InvalidInputError, require
from jaxloss.models.adapters import from_linen
from jaxloss.models.detector import WIDTH, Detector
from jaxloss.models.model import Model
from jaxloss.models.registry import as_model
from jaxloss.tasks.fitting import output_shape


def fitting_detector(
    thing: Any, images: Float[Array, "images side side 3"], stride: int, classes: int
) -> Model:
    """Makes a network that gives each cell of an image its classes, the background and a box.

    Args:
        thing: ``detector``, ``detector:WIDTH``, ``module:factory``, or what `jaxloss.models.adapt`
            takes.
        images: that it is to take.
        stride: pixels of a cell's side.
        classes: how many there are beside the background.

    Raises:
        InvalidInputError: it cannot be made, does not take such images or gives other outputs.
    """
    outputs, cells = classes + 5, (images.shape[1] // stride) ** 2
    is_text = isinstance(thing, str)
    model = _named(thing, outputs, stride) if is_text else as_model(thing, outputs)
    made = output_shape(model, images)
    require(
        made == (2, cells, outputs),
        f"model {model.name!r} gives outputs of shape {made} for a batch of 2; expected "
        f"{(2, cells, outputs)}: for each cell the classes, the background and four sides",
    )
    return model


def _named(text: str, outputs: int, stride: int) -> Model:
    family, colon, width = text.partition(":")
    if family != "detector":
        if not colon or family in ("mlp", "linear"):
            raise InvalidInputError(
                f"model {text!r} is no detector; expected detector, detector:WIDTH or "
                "module:factory"
            )
        return as_model(text, outputs)
    require(
        not colon or (width.isascii() and width.isdigit() and int(width) > 0),
        f"model {text!r}: the width must be a positive whole number, as in 'detector:{WIDTH}'",
    )
    return from_linen(Detector(outputs, stride, int(width) if colon else WIDTH), text)
