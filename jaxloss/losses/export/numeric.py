"""Losses that are numbers in a fixed formula, as source: polynomials, Barron's loss, networks."""

import math
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

from jaxloss.errors import require
from jaxloss.losses.export.statements import WIDTH
from jaxloss.losses.network import NetworkForm
from jaxloss.losses.network_parts import layers
from jaxloss.losses.taylor import TaylorForm
from jaxloss.losses.zoo.adaptive import LEAST_GAP
from jaxloss.symbols.sources import Library

_STEP = "    "


def taylor_lines(form: TaylorForm, parameters: tuple[float, ...], variables: Sequence[str]) -> str:
    """Writes a polynomial, a line for each term that is not 0."""
    parameters = tuple(map(float, parameters))
    shifts = [
        f"{name} = {name} {'-' if centre > 0 else '+'} {abs(centre)!r}"
        for name, centre in zip(variables, parameters[:2], strict=True)
        if centre != 0
    ]
    terms = [
        (factor, _term(abs(factor), zip(variables, exponents, strict=True)))
        for factor, exponents in zip(parameters[2:], form.exponents, strict=True)
        if factor != 0
    ]
    if not terms:
        return "\n".join([*shifts, f"values = 0.0 * {variables[0]}"])
    (factor, first), *others = terms
    first = f"-{first}" if factor < 0 else first
    if not others:
        return "\n".join([*shifts, f"values = {first}"])
    rest = [f"{_STEP}{'+' if factor > 0 else '-'} {term}" for factor, term in others]
    return "\n".join([*shifts, "values = (", f"{_STEP}{first}", *rest, ")"])


def _term(factor: float, powers: Iterable[tuple[str, int]]) -> str:
    texts = [f"{name}**{power}" if power > 1 else name for name, power in powers if power]
    return " * ".join([repr(factor), *texts])


def barron_lines(alpha: float, scale: float, variables: Sequence[str]) -> str:
    """Writes Barron's general robust loss; https://arxiv.org/abs/1701.03077, Eq. (8)."""
    gap = max(abs(alpha - 2.0), LEAST_GAP)
    f, y = variables
    # As 1/√gap and c can be far from 1, the residual is divided before it is squared.
    lines = [f"residual = ({f} - {y}) / {scale * math.sqrt(gap)!r}"]
    if alpha == 0:
        lines.append(f"values = {0.5 * gap!r} * log1p_square(residual)")
    else:
        lines.append(f"inner = {alpha / 2!r} * log1p_square(residual)")
        lines.append(f"values = {gap / alpha!r} * expm1(inner)")
    return "\n".join(lines)


_CONSTANT: dict[Library, str] = {
    "jax": "{name} = np.array(\n{rows}\n)",
    "torch": "{name} = torch.tensor(\n{rows},\n    dtype=torch.float64,\n)",
}
_FITTED: dict[Library, str] = {
    "jax": "jnp.asarray({name}, signal.dtype)",
    "torch": "{name}.to(signal)",
}


def network_lines(
    form: NetworkForm, parameters: tuple[float, ...], variables: Sequence[str], library: Library
) -> tuple[str, str]:
    """Writes a network.

    Returns:
        Its weights and biases as named arrays, and the lines that compute it.

    Raises:
        InvalidInputError: the parameters are not as many as the network has.
    """
    require(
        len(parameters) == form.parameter_count,
        f"the network has {form.parameter_count} parameters, got {len(parameters)}",
    )
    constants = list[str]()
    lines = [f"signal = stack([{', '.join(variables)}], -1)"]
    # In double precision, which JAX would have to be asked for.
    parts = list(layers(np.asarray(parameters, np.float64), form.all_widths, form.biases))
    for place, layer in enumerate(parts, 1):
        arrays = {"WEIGHTS": layer.weights, "BIASES": layer.biases}
        for name, array in arrays.items():
            if array is not None:
                rows = _rows(array)
                constants.append(_CONSTANT[library].format(name=f"{name}_{place}", rows=rows))
        signal = f"signal @ {_FITTED[library].format(name=f'WEIGHTS_{place}')}"
        lines.append(f"signal = {signal}")
        if layer.biases is not None:
            lines.append(f"signal = signal + {_FITTED[library].format(name=f'BIASES_{place}')}")
        if place < len(parts):
            lines.append(f"signal = {form.activation}(signal)")
    last = "signal[..., 0]"
    lines.append(f"values = {last if form.output == 'identity' else f'{form.output}({last})'}")
    return "\n".join(constants), "\n".join(lines)


def _rows(array: np.ndarray) -> str:
    """Lays out numbers, the rows of a matrix one below the other."""
    if array.ndim == 1:
        return _row(array, _STEP)
    rows = ",\n".join(_row(row, 2 * _STEP) for row in array)
    return f"{_STEP}[\n{rows},\n{_STEP}]"


def _row(numbers: np.ndarray, indent: str) -> str:
    return textwrap.fill(
        str(numbers.tolist()),
        WIDTH - 1,
        initial_indent=indent,
        subsequent_indent=f"{indent} ",
        break_on_hyphens=False,
        break_long_words=False,
    )
