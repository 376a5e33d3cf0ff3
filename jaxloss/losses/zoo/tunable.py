"""Which numbers of the zoo's losses are tuned in a comparison, and between which bounds.

The bounds are narrower than what the registry allows: they hold what trains.
"""

import dataclasses
import functools
from dataclasses import dataclass

from jaxtyping import Array, Float

from jaxloss.losses.binding import BoundLoss
from jaxloss.losses.tunable import ParameterRange, TunableLoss
from jaxloss.losses.zoo.entry import ZooLoss
from jaxloss.losses.zoo.supervised import ZooTaskLoss, as_task_loss

_LINEAR, _LOG = False, True

RANGES: dict[tuple[str, str], tuple[float, float, bool]] = {
    # Up to half of the labels' weight spread out; assumed.
    ("label_smoothing", "xi"): (0.0, 0.5, _LINEAR),
    ("sparse_lsr", "xi"): (0.0, 0.5, _LINEAR),
    # From cross-entropy to best probabilities of a third; assumed.
    ("absolute_cross_entropy", "phi_1"): (1.0, 3.0, _LINEAR),
    # The paper's figures go from 0 to 5 (https://arxiv.org/abs/1708.02002).
    ("focal", "gamma"): (0.0, 5.0, _LINEAR),
    # The paper's range is 0 to 1 (https://arxiv.org/abs/1805.07836), where 0 has no value.
    ("generalized_cross_entropy", "q"): (0.05, 1.0, _LINEAR),
    # A decade or two around the paper's values (https://arxiv.org/abs/1908.06112); assumed.
    ("symmetric_cross_entropy", "alpha"): (0.01, 10.0, _LOG),
    ("symmetric_cross_entropy", "beta"): (0.1, 10.0, _LOG),
    # The default of 2 well inside; assumed.
    ("poly1", "epsilon"): (-1.0, 8.0, _LINEAR),
    # From nearly absolute to squared error for standardised targets; assumed.
    ("huber", "delta"): (0.05, 5.0, _LOG),
    ("smooth_l1", "beta"): (0.05, 5.0, _LOG),
    # From Geman-McClure's loss to squared error (https://arxiv.org/abs/1701.03077).
    ("barron", "alpha"): (-2.0, 2.0, _LINEAR),
    ("barron", "scale"): (0.05, 5.0, _LOG),
    # All but the extreme quantiles; assumed.
    ("quantile", "tau"): (0.05, 0.95, _LINEAR),
    # A decade to both sides of the default of 1 or 2; assumed.
    ("quadratically_smoothed_hinge", "gamma"): (0.1, 10.0, _LOG),
    ("baikal", "w_2"): (0.1, 10.0, _LOG),
    ("xtreme_margin", "lambda_0"): (0.1, 10.0, _LOG),
    ("xtreme_margin", "lambda_1"): (0.1, 10.0, _LOG),
    ("energy_hinge", "margin"): (0.1, 10.0, _LOG),
    ("square_square", "margin"): (0.1, 10.0, _LOG),
    ("square_exponential", "gamma"): (0.1, 10.0, _LOG),
    ("energy_nll", "beta"): (0.1, 10.0, _LOG),
    ("minimum_empirical_error", "beta"): (0.1, 10.0, _LOG),
    # A factor of 4 to both sides of the default: beyond it, anchors that start in their places are
    # pushed so hard that usual learning rates diverge. Narrowed from 0.2 to 20 after a run on
    # digits in which the wider range did worse; assumed.
    ("cam", "margin"): (0.5, 8.0, _LOG),
    # A decade to both sides of the default; assumed.
    ("contrastive", "margin"): (0.1, 10.0, _LOG),
    ("triplet", "margin"): (0.1, 10.0, _LOG),
    # From nearly the nearest alone to nearly all alike; assumed.
    ("nt_xent", "temperature"): (0.01, 1.0, _LOG),
    # The paper tries 0.1 to 0.5 for alpha and 0.5 to 0.9 for beta; wider here; assumed.
    ("tversky", "alpha"): (0.05, 0.95, _LINEAR),
    ("tversky", "beta"): (0.05, 0.95, _LINEAR),
    # A decade to both sides of the paper's 1; assumed.
    ("psg", "alpha"): (0.1, 10.0, _LOG),
}
"""For each parameter that is tuned: the smallest and the largest value, and whether ratios matter.
"""

KEPT = {
    ("symmetric_cross_entropy", "log_zero"): "with one-hot labels it multiplies beta",
    ("absolute_cross_entropy", "phi_0"): "it multiplies the loss, as the learning rate does",
    ("baikal", "w_0"): "it multiplies the loss, once w_2 is tuned",
    ("baikal", "w_1"): "it adds a constant",
    ("dice", "smooth"): "it is there for empty masks, and small beside others",
    ("tversky", "smooth"): "it is there for empty masks, and small beside others",
    ("mask_iou", "smooth"): "it is there for empty masks, and small beside others",
    ("psg", "entropy"): "it says what the base is; a factor of both weights is a learning rate",
    ("psg", "overlap"): "it says what the base is; a factor of both weights is a learning rate",
    ("cam", "radius"): "anchors start longer than it for margins from 0.71 on",
}
"""Parameters of training losses that keep their defaults, and why."""


@dataclass(frozen=True)
class ZooBinding:
    """Binds a loss of the zoo to parameters that may be traced; equal by value.

    Attributes:
        loss: the loss with all its parameters.
        names: the parameters that are given instead, in order.
    """

    loss: ZooTaskLoss
    names: tuple[str, ...]

    def __call__(self, parameters: Float[Array, " parameters"]) -> BoundLoss:
        """Makes ``(outputs, targets) -> per-example values``."""
        kept = tuple(pair for pair in self.loss.parameters if pair[0] not in self.names)

        def loss(outputs: Array, targets: Array) -> Array:
            values = parameters.astype(outputs.dtype)
            given = {name: values[i] for i, name in enumerate(self.names)}
            function = functools.partial(self.loss.entry.function, **given)
            entry = dataclasses.replace(self.loss.entry, function=function)
            return ZooTaskLoss(entry, self.loss.view, kept)(outputs, targets)

        return loss


def tunable(entry: ZooLoss, view: str, **parameters: float) -> TunableLoss:
    """Makes a loss of the zoo a training loss whose parameters can be tuned.

    Args:
        entry: the loss.
        view: the view of the task, as for `as_task_loss`.
        **parameters: where tuning starts, perhaps outside of the range that it then looks through;
            the others start from their defaults.

    Returns:
        The loss and the ranges of what is tuned of it; what is not tuned keeps the parameters given
        or its defaults.

    Raises:
        InvalidInputError: the view or a parameter is unknown, or the loss does not fit, and why.
    """
    loss = as_task_loss(entry, view, **parameters)
    starts = dict(loss.parameters)
    ranges = tuple(
        ParameterRange(name, starts[name], *RANGES[entry.name, name])
        for name in entry.defaults
        if (entry.name, name) in RANGES
    )
    binding = ZooBinding(loss, tuple(one.name for one in ranges))
    return TunableLoss(binding, ranges)
