"""Segmentation losses: masks from the logits of their pixels, one value for each example.

The last two axes are height and width unless ``axis`` says otherwise; ``where`` names the pixels
that count.
"""

import math

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxloss.losses.zoo.arrays import Axis, Where, kept_pair, mean, total
from jaxloss.losses.zoo.entry import Parameter, ZooLoss

Maps = Float[Array, "..."]

_PIXELS = (-2, -1)
_WINDOW = 3


def tversky(
    logits: Maps,
    masks: Maps,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    axis: Axis = _PIXELS,
    where: Where = None,
) -> Maps:
    """Computes one minus Tversky's index of σ(logits) and masks of 0 and 1.

    Args:
        logits: of the foreground.
        masks: in the same shape.
        alpha: weight of false positives.
        beta: weight of false negatives.
        smooth: added to both sides of the quotient, so that empty masks are no special case.
        axis: the pixels' axes.
        where: which pixels count.
    """
    logits, masks = kept_pair(logits, masks, where)
    if where is not None:
        # A pixel outside the mask with a probability of 0 adds nothing to any sum.
        logits = jnp.where(where, logits, jnp.finfo(logits.dtype).min)
    # 1 − (TP + s)/(TP + α·FP + β·FN + s), for one class in an axis of its own.
    examples = tuple(_flat(values, axis) for values in (logits, masks))
    values = optax.losses.dice_loss(
        *(values.reshape(-1, values.shape[-1], 1) for values in examples),
        smooth=smooth,
        alpha=alpha,
        beta=beta,
        reduction="sum",
    )
    return values.reshape(examples[0].shape[:-1])


def _flat(values: Maps, axis: Axis) -> Maps:
    """Puts the axes into one, the last."""
    axes = (axis,) if isinstance(axis, int) else axis
    moved = jnp.moveaxis(values, axes, tuple(range(-len(axes), 0)))
    kept = moved.ndim - len(axes)
    return moved.reshape(*moved.shape[:kept], math.prod(moved.shape[kept:]))


def dice(
    logits: Maps,
    masks: Maps,
    smooth: float = 1.0,
    axis: Axis = _PIXELS,
    where: Where = None,
) -> Maps:
    """Computes one minus the Dice coefficient of σ(logits) and masks of 0 and 1.

    ``smooth`` counts once in both sides of TP/(TP + ½FP + ½FN), as in optax.
    """
    return tversky(logits, masks, 0.5, 0.5, smooth, axis, where)


def mask_iou(
    logits: Maps,
    masks: Maps,
    smooth: float = 1.0,
    axis: Axis = _PIXELS,
    where: Where = None,
) -> Maps:
    """Computes one minus the soft Jaccard index of σ(logits) and masks of 0 and 1.

    ``smooth`` is added to both sides of the quotient, intersection over union.
    """
    logits, masks = kept_pair(logits, masks, where)
    probabilities = jax.nn.sigmoid(logits)
    shared = total(probabilities * masks, axis, where)
    union = total(probabilities, axis, where) + total(masks, axis, where) - shared
    return 1.0 - (shared + smooth) / (union + smooth)


def _agreement(logits: Maps, masks: Maps, entropy: float, overlap: float, where: Where) -> Maps:
    """Computes e·(binary cross-entropy) + o·(1 − (2Σpg + 1)/(Σp + Σg + 1)) over the pixels."""
    probabilities = jax.nn.sigmoid(logits)
    shared = 2.0 * total(probabilities * masks, _PIXELS, where) + 1.0
    areas = total(probabilities, _PIXELS, where) + total(masks, _PIXELS, where) + 1.0
    of_pixels = optax.losses.sigmoid_binary_cross_entropy(logits, masks)
    return entropy * mean(of_pixels, _PIXELS, where) + overlap * (1.0 - shared / areas)


def progressive_self_guided(
    logits: Maps,
    masks: Maps,
    alpha: float = 1.0,
    entropy: float = 1.0,
    overlap: float = 1.0,
    where: Where = None,
) -> Maps:
    """Computes the progressive self-guided loss of logits and masks of 0 and 1.

    The prediction also has to fit the part of the mask that it reaches itself when grown by one
    pixel; as it grows, so does that part, which counts as a constant in the gradient.

    Args:
        logits: of the foreground.
        masks: in the same shape.
        alpha: weight of the guided part; with 0 only the base is left.
        entropy: weight of binary cross-entropy in the base; with 0 the base is Dice.
        overlap: weight of Dice in the base; with 0 the base is binary cross-entropy.
        where: which pixels count.
    """
    logits, masks = kept_pair(logits, masks, where)
    leading = (1,) * (logits.ndim - 2)
    hidden = jnp.finfo(logits.dtype).min
    grown = jax.lax.reduce_window(
        jax.lax.stop_gradient(logits if where is None else jnp.where(where, logits, hidden)),
        -jnp.inf,
        jax.lax.max,
        (*leading, _WINDOW, _WINDOW),
        (1,) * logits.ndim,
        "SAME",
    )
    guide = jax.nn.sigmoid(grown) * masks
    base = _agreement(logits, masks, entropy, overlap, where)
    return base + alpha * _agreement(logits, guide, entropy, overlap, where)


_SMOOTH = Parameter("smooth", 1.0, 1e-6, 1e6, "pixels added to both sides", "optax")
_OVERLAP = frozenset({"nonnegative", "bounded", "bounded_gradient", "smooth"})

LOSSES = (
    ZooLoss(
        "dice",
        "segmentation",
        dice,
        "mask",
        r"1 - \frac{\sum p g + s}{\tfrac{1}{2} \left(\sum p + \sum g\right) + s}, \quad"
        r" p = \sigma(x)",
        "https://arxiv.org/abs/1606.04797",
        "0 in the limit p = g",
        aliases=("dice_loss", "soft_dice", "f1"),
        optax="binary_dice_loss",
        parameters=(_SMOOTH,),
        properties=_OVERLAP,
    ),
    ZooLoss(
        "tversky",
        "segmentation",
        tversky,
        "mask",
        r"1 - \frac{\sum p g + s}{\sum p g + \alpha \sum p (1 - g) + \beta \sum (1 - p) g + s},"
        r" \quad p = \sigma(x)",
        "https://arxiv.org/abs/1706.05721",
        "0 in the limit p = g",
        aliases=("tversky_loss",),
        optax="dice_loss",
        parameters=(
            Parameter("alpha", 0.3, 0.0, 10.0, "weight of false positives", "the paper's best"),
            Parameter("beta", 0.7, 0.0, 10.0, "weight of false negatives", "the paper's best"),
            _SMOOTH,
        ),
        properties=_OVERLAP,
    ),
    ZooLoss(
        "mask_iou",
        "segmentation",
        mask_iou,
        "mask",
        r"1 - \frac{\sum p g + s}{\sum p + \sum g - \sum p g + s}, \quad p = \sigma(x)",
        "https://doi.org/10.1007/978-3-319-50835-1_22",
        "0 in the limit p = g",
        aliases=("soft_iou", "soft_jaccard"),
        parameters=(_SMOOTH._replace(source="assumed, as for dice"),),
        properties=_OVERLAP,
    ),
    ZooLoss(
        "psg",
        "segmentation",
        progressive_self_guided,
        "mask",
        r"\ell(p, g) + \alpha\, \ell(p, g'), \quad g' = \sigma(\mathrm{maxpool}_{3 \times 3}(x))"
        r"\, g, \quad \ell = e\, \mathrm{BCE} + o \left(1 - \frac{2 \sum p g + 1}"
        r"{\sum p + \sum g + 1}\right)",
        "https://arxiv.org/abs/2101.02412",
        "0 in the limit p = g",
        aliases=("progressive_self_guided",),
        parameters=(
            Parameter("alpha", 1.0, 0.0, 100.0, "weight of the guided part", "the paper"),
            Parameter("entropy", 1.0, 0.0, 100.0, "e, weight of cross-entropy", "the paper"),
            Parameter("overlap", 1.0, 0.0, 100.0, "o, weight of Dice", "the paper"),
        ),
        properties=frozenset({"nonnegative", "bounded_gradient"}),
    ),
)
