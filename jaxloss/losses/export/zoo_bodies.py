"""Losses of the zoo as source, exactly as their own functions compute them.

Written in the names of `jaxloss.symbols.sources` over what a loss of its kind takes, with the
loss's parameters in braces.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxloss.losses.export.views import view_source
from jaxloss.symbols.sources import Library


class Arguments(NamedTuple):
    """How the arguments of a kind of losses come from a view.

    Attributes:
        whole_view: whether they are made of the view's variables f and y; else of its labels y and
            the raw outputs.
        lines: what makes them.
    """

    whole_view: bool
    lines: str = ""


ARGUMENTS = {
    "real": Arguments(True),
    "probability": Arguments(True),
    "vectors": Arguments(
        True,
        "rows = (f.shape[0], math.prod(f.shape[1:]))\nf, y = f.reshape(rows), y.reshape(rows)",
    ),
    "score": Arguments(False, "s, y = outputs, 2.0 * y - 1.0"),
    "logit": Arguments(False, "x = outputs"),
    "logits": Arguments(False, "x = outputs"),
    "logits_and_classes": Arguments(False, "x, y = outputs, one_hot_of_class(y)"),
    "log_probabilities": Arguments(False, "x = outputs"),
    "log_probabilities_and_classes": Arguments(False, "x, y = outputs, one_hot_of_class(y)"),
    "energies": Arguments(False, "e = -outputs"),
    "boxes": Arguments(False, "boxes = decoded_boxes(outputs)"),
    "mask": Arguments(False, "x = outputs"),
}
"""For each kind that trains supervised tasks, as `jaxloss.losses.zoo.supervised` has them."""

_HINGE = "missing = at_least(1.0 - y * s, 0.0)\n"
_WRONG = "lead = (y * e).sum(-1) - lowest_wrong(e, y)\n"
_RIGHT_AND_WRONG = "right, wrong = (y * e).sum(-1), lowest_wrong(e, y)\n"
_CROSS_ENTROPY = "values = -(y * log_softmax(x)).sum(-1)"
_AREAS = """\
i, u, e = areas(boxes, y)
u, e = at_least(u, 1e-7), at_least(e, 1e-7)
"""

_SUMS = """\
p = sigmoid(x)
shared, predicted, true = sum_of_map(p * y), sum_of_map(p), sum_of_map(y)
"""

BODIES = {
    "mae": "values = abs(f - y)",
    "mse": "values = square(f - y)",
    "rmse": "values = root_mean_square(f - y)",
    "huber": "values = huber(abs(f - y), {delta})",
    "smooth_l1": "values = huber(abs(f - y), {beta}) / {beta}",
    "log_cosh": """\
size = abs(f - y)
values = size + log1p(exp(-2.0 * size)) - math.log(2.0)""",
    "quantile": "values = maximum({tau} * (y - f), ({tau} - 1.0) * (y - f))",
    "reconstruction": "values = 0.5 * square(f - y).sum(-1)",
    "ddpm": "values = square(f - y).mean(-1)",
    "hinge": "values = at_least(1.0 - y * s, 0.0)",
    "squared_hinge": "values = square(at_least(1.0 - y * s, 0.0))",
    "perceptron": "values = at_least(-y * s, 0.0)",
    "smoothed_hinge": _HINGE + "values = huber(missing, 1.0)",
    "quadratically_smoothed_hinge": _HINGE + "values = huber(missing, {gamma}) / {gamma}",
    "modified_huber": _HINGE + "values = 2.0 * huber(missing, 2.0)",
    "ramp": _HINGE + "values = at_most(missing, 1.0)",
    "cosine": """\
# Lengths do not matter, but their squares must not overflow or vanish.
f, y = f / largest_size(f), y / largest_size(y)
values = 1.0 - (unit(f) * unit(y)).sum(-1)""",
    "multiclass_hinge": "values = y.sum(-1) * amax(x + 1.0 - y, -1) - (y * x).sum(-1)",
    "multiclass_perceptron": "values = y.sum(-1) * amax(x, -1) - (y * x).sum(-1)",
    "binary_cross_entropy": "values = -y * log_sigmoid(x) - (1.0 - y) * log_sigmoid(-x)",
    "cross_entropy": _CROSS_ENTROPY,
    "sparse_cross_entropy": _CROSS_ENTROPY,
    "nll": _CROSS_ENTROPY,
    "kl": """\
entropies = y * log(where(y == 0, 1.0, y))
values = (entropies - y * log_softmax(x)).sum(-1)""",
    "focal": """\
log_p, log_q = log_sigmoid(x), log_sigmoid(-x)
cross_entropy = -y * log_p - (1.0 - y) * log_q
# p**gamma for label 0, (1 - p)**gamma for label 1
weights = exp({gamma} * log_of_mixture(log_p, log_q, y))
values = weights * cross_entropy""",
    "poly1": """\
cross_entropy = -(y * log_softmax(x)).sum(-1)
values = cross_entropy + {epsilon} * (y * (1.0 - softmax(x))).sum(-1)""",
    "label_smoothing": """\
smoothed = (1.0 - {xi}) * y + {xi} / y.shape[-1]
values = -(smoothed * log_softmax(x)).sum(-1)""",
    "generalized_cross_entropy": """\
# (1 - f**q) / q of the class
values = -(y * expm1({q} * log_softmax(x))).sum(-1) / {q}""",
    "symmetric_cross_entropy": """\
log_f = log_softmax(x)
log_y = at_least(log(where(y > 0, y, 1.0)), {log_zero})
log_y = where(y > 0, log_y, {log_zero})
reverse = -(exp(log_f) * log_y).sum(-1)
values = -{alpha} * (y * log_f).sum(-1) + {beta} * reverse""",
    "sparse_lsr": """\
classes = y.shape[-1]
wrong = {xi} * (classes - 1) / classes
share = log_one_minus_softmax(x) - math.log(classes - 1)
inner = (1.0 - wrong) * log_softmax(x) + wrong * share
values = -(y * inner).sum(-1)""",
    "absolute_cross_entropy": """\
inner = y * abs(math.log({phi_1}) + log_softmax(x))
values = {phi_0} * inner.sum(-1)""",
    "baikal": """\
log_f = log_softmax(x)
# One over f, which is kept above 1e-7.
inverse = exp(-at_least(log_f, math.log(1e-7)))
logarithm = math.log({w_1}) + log_f
values = ({w_2} * y * inverse - {w_0} * logarithm).mean(-1)""",
    "xtreme_margin": """\
positive = y > 0.5
right = where(positive, f >= 0.5, f < 0.5)
rate = where(positive, {lambda_1}, full_like(f, {lambda_0}))
margin = 1.0 / (1.0 + rate * square(2.0 * f - 1.0))
values = where(right, margin, math.e * abs(f - y))""",
    "generalized_perceptron": "values = (y * e).sum(-1) - amin(e, -1)",
    "energy_hinge": _WRONG + "values = at_least({margin} + lead, 0.0)",
    "energy_log": _WRONG + "values = softplus(lead)",
    "minimum_classification_error": _WRONG + "values = sigmoid(lead)",
    "square_square": _RIGHT_AND_WRONG
    + "values = square(right) + square(at_least({margin} - wrong, 0.0))",
    "square_exponential": _RIGHT_AND_WRONG
    + """\
# exp(-wrong), which goes on along its tangent from 40 on
beyond = at_least(-wrong, 40.0) - 40.0
push = exp(at_most(-wrong, 40.0)) * (1.0 + beyond)
values = square(right) + {gamma} * push""",
    "energy_nll": "values = -(y * log_softmax(-{beta} * e)).sum(-1) / {beta}",
    "minimum_empirical_error": "values = 1.0 - (y * exp(log_softmax(-{beta} * e))).sum(-1)",
    "iou": "values = one_minus_iou(boxes, y)",
    "giou": """\
i, u, e = areas(boxes, y)
values = quotient(u - i, u) + quotient(e - u, e)""",
    "diou": "values = one_minus_diou(boxes, y)",
    "ciou": """\
turn = angle(y) - angle(boxes)
v = 4.0 / math.pi**2 * square(turn)
# A constant in the gradient, as in the authors' code.
alpha = detached(quotient(v, one_minus_iou(boxes, y) + v))
values = one_minus_diou(boxes, y) + alpha * v""",
    "cse_a_box": _AREAS + "values = (1.0 - i / u) + (1.0 - (i + 2.0) / e)",
    "cse_b_box": _AREAS
    + """\
above = 3.0 * e * (u + 4.0) + 3.0 * (i + u + 6.0)
values = above / ((u + 5.0) * (i + u - 3.0 * e))""",
    "dice": _SUMS + "values = 1.0 - (shared + {smooth}) / (0.5 * (predicted + true) + {smooth})",
    "tversky": _SUMS
    + """\
wrong = {alpha} * (predicted - shared) + {beta} * (true - shared)
values = 1.0 - (shared + {smooth}) / (shared + wrong + {smooth})""",
    "mask_iou": _SUMS
    + "values = 1.0 - (shared + {smooth}) / (predicted + true - shared + {smooth})",
    "psg": """\
# What the prediction, grown by one pixel, reaches of the mask.
guide = detached(sigmoid(grown(x))) * y
values = disagreement(x, y, {entropy}, {overlap})
values = values + {alpha} * disagreement(x, guide, {entropy}, {overlap})""",
}
"""The losses by name, one line or a few that compute ``values``. Barron's is among the families."""


_SCORES = "outputs = -square(outputs[:, :1] - outputs[:, 1:]).sum(-1)"
"""Minus the squared distances to class anchors, which losses of logits take in their place."""


def zoo_body(
    name: str, kind: str, view: str, parameters: Mapping[str, float], library: Library
) -> str | None:
    """Writes what a loss of the zoo computes of ``outputs`` and ``targets``.

    Args:
        name: the loss.
        kind: the kind of its inputs.
        view: the view of the task.
        parameters: all of its parameters.
        library: whose labels to write; the rest is in the names of `jaxloss.symbols.sources`.

    Returns:
        The lines, or None for a loss that is not written here.
    """
    if name not in BODIES or kind not in ARGUMENTS:
        return None
    # The outputs of a task of the softmax view are logits.
    source = view_source("softmax" if view == "logits" else view)
    arguments = ARGUMENTS[kind]
    numbers = {key: repr(float(value)) for key, value in parameters.items()}
    lines = [
        source.labels[library],
        _SCORES if view == "anchors" else "",
        source.variables if arguments.whole_view else "",
        arguments.lines,
        BODIES[name].format(**numbers),
    ]
    return "\n".join(line for line in lines if line)
