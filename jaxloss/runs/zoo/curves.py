"""Value and slope of losses of the zoo along a line, and their picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxloss.learning.compilation import jit_brief
from jaxloss.losses.zoo import ZooLoss
from jaxloss.runs.plots import LEARNED_COLOUR, TASK_COLOUR, draw
from jaxloss.runs.zoo.lines import Line, lines_of


class Curve(NamedTuple):
    """A loss along a line.

    Attributes:
        line: the line.
        places: along the axis.
        values: of the loss.
        slopes: its derivative by what moves.
    """

    line: Line
    places: Float[np.ndarray, " places"]
    values: Float[np.ndarray, " places"]
    slopes: Float[np.ndarray, " places"]


def curves(entry: ZooLoss, parameters: Mapping[str, float], count: int) -> list[Curve]:
    """Computes a loss along all its lines, in single precision.

    Args:
        entry: the loss.
        parameters: those that differ from their defaults.
        count: how many places on each line.
    """
    function = entry.bind(**parameters)
    found: list[Curve] = []
    for line in lines_of(entry):

        def value(t: Array, line: Line = line) -> Array:
            return jnp.sum(function(*line.arguments(t)))

        places = np.linspace(*line.ends, count)
        moved = jnp.asarray(line.moved(places), jnp.float32)
        values, slopes = jit_brief(jax.vmap(jax.value_and_grad(value)))(moved)
        found.append(Curve(line, places, np.asarray(values, float), np.asarray(slopes, float)))
    return found


def curve_picture(path: Path, title: str, drawn: list[Curve]) -> None:
    """Draws value and slope of each curve side by side."""

    def paint(*axes: Any) -> None:
        for place, curve in enumerate(drawn):
            by = f" by {curve.line.by}" if curve.line.by else ""
            for one, values, name, colour in (
                (axes[2 * place], curve.values, title, TASK_COLOUR),
                (axes[2 * place + 1], curve.slopes, f"gradient{by}", LEARNED_COLOUR),
            ):
                one.plot(curve.places, values, color=colour, linewidth=2)
                one.set_xlabel(curve.line.label, wrap=True)
                one.set_title(name)

    draw(path, 4.8 * 2 * len(drawn), 3.6, 2 * len(drawn), paint)
