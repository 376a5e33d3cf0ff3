"""What a person wants to be good: the reported metric, built in or their own Python function."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.models.python_names import load_attribute
from jaxloss.tasks import retrieval_scores, saliency_scores, scores

Kind = Literal["classification", "regression", "boxes"]
ScoredKind = Literal["classification", "regression", "boxes", "masks"]
Direction = Literal["lower", "higher"]
MetricFunction = Callable[
    [Float[Array, "examples ..."], Num[Array, "examples ..."]], Float[Array, ""]
]


class Metric(NamedTuple):
    """A score of a whole split; it need not be differentiable.

    Attributes:
        name: how reports call the metric.
        function: ``(predictions, targets) -> value``, pure, can be mapped over the predictions.
            Predictions are class probabilities ``[examples, classes]``, values ``[examples]`` or
            ``[examples, outputs]``, boxes ``[examples, 4]``, or maps ``[examples, height, width]``;
            targets are class numbers, values, boxes or masks. The value is NaN if any prediction is
            not finite.
        higher_is_better: whether a larger value is a better one.
    """

    name: str
    function: MetricFunction
    higher_is_better: bool

    def fitness(self, value: Float[Array, "..."]) -> Float[Array, "..."]:
        """Turns values of the metric into values of which the lower is the better."""
        return -value if self.higher_is_better else value


class _BuiltIn(NamedTuple):
    function: Callable[..., Float[Array, ""]]
    higher_is_better: bool


_BUILT_IN: dict[ScoredKind, dict[str, _BuiltIn]] = {
    "classification": {
        "error_rate": _BuiltIn(scores.error_rate, higher_is_better=False),
        "balanced_error": _BuiltIn(scores.balanced_error, higher_is_better=False),
        "macro_f1": _BuiltIn(scores.macro_f1, higher_is_better=True),
        "auroc": _BuiltIn(scores.auroc, higher_is_better=True),
        "average_precision": _BuiltIn(scores.average_precision, higher_is_better=True),
        "log_loss": _BuiltIn(scores.log_loss, higher_is_better=False),
    },
    "regression": {
        "mse": _BuiltIn(scores.mse, higher_is_better=False),
        "mae": _BuiltIn(scores.mae, higher_is_better=False),
        "r2": _BuiltIn(scores.r2, higher_is_better=True),
        "relative_l2": _BuiltIn(scores.relative_l2, higher_is_better=False),
        "pinball": _BuiltIn(scores.pinball, higher_is_better=False),
    },
    "boxes": {
        "iou_error": _BuiltIn(scores.iou_error, higher_is_better=False),
        "mean_iou": _BuiltIn(scores.mean_iou, higher_is_better=True),
    },
    "masks": {
        "max_f": _BuiltIn(saliency_scores.max_f, higher_is_better=True),
        "mean_f": _BuiltIn(saliency_scores.mean_f, higher_is_better=True),
        "s_measure": _BuiltIn(saliency_scores.s_measure, higher_is_better=True),
        "mask_mae": _BuiltIn(saliency_scores.mask_mae, higher_is_better=False),
    },
}

METRIC_NAMES = {kind: tuple(table) for kind, table in _BUILT_IN.items()}
"""The built-in metrics for each kind of task; any other is written ``module:function``."""

DEFAULT_METRIC: dict[ScoredKind, str] = {
    "classification": "error_rate",
    "regression": "mse",
    "boxes": "iou_error",
    "masks": "max_f",
}
"""The metrics that EvoMAL reports (https://arxiv.org/abs/2209.08907); for boxes the error
of the IoU that CSE-Autoloss's simulation ranks by (https://arxiv.org/abs/2102.04700); for masks the
first that PSG's paper names (https://arxiv.org/abs/2101.02412)."""


def metric_named(
    spec: str, kind: ScoredKind | Literal["retrieval"], direction: Direction | None = None
) -> Metric:
    """Finds a metric by the short text that a person writes for it.

    Args:
        spec: a name from `METRIC_NAMES`; ``"pinball:QUANTILE"`` (``"pinball"`` alone is the
            median's); for retrieval what `jaxloss.tasks.retrieval_scores` knows, ``"recall@K"`` or
            ``"map:two_stage"``; or ``"module:function"``: any Python function
            ``function(predictions, targets) -> number`` of two numpy arrays, called on the host.
        kind: what the task is.
        direction: whether ``"lower"`` (default) or ``"higher"`` values of a ``module:function``
            are better; the built-in metrics know their own.

    Returns:
        The metric; its value is NaN whenever a prediction is not finite.

    Raises:
        InvalidInputError: the name is unknown or for another kind of task, a setting is out of
            range, the function cannot be found, or a direction is given for a built-in metric.
    """
    require(
        direction in (None, "lower", "higher"),
        f"metric direction must be 'lower' or 'higher', got {direction!r}",
    )
    family, colon, setting = spec.partition(":")
    of_retrieval = retrieval_scores.is_retrieval_score(spec)
    if kind == "retrieval" and of_retrieval:
        require_undirected(family, direction)
        score = retrieval_scores.retrieval_score(spec)
        return Metric(spec, guarded(score), higher_is_better=True)
    built_in = any(family in table for table in _BUILT_IN.values())
    if colon and not built_in:
        function = load_attribute(spec, "metric")
        require(callable(function), f"metric {spec!r} is no function of (predictions, targets)")
        return Metric(spec, guarded(_on_host(function)), direction == "higher")
    if kind == "retrieval" or family not in _BUILT_IN[kind]:
        reason = "is not for" if built_in or of_retrieval else "is unknown; for"
        names = retrieval_scores.NAMES if kind == "retrieval" else METRIC_NAMES[kind]
        choices = (*names, "module:function")
        raise InvalidInputError(
            f"metric {spec!r} {reason} {kind}; valid, nearest first: "
            f"{', '.join(nearest_first(family, choices))}"
        )
    require_undirected(family, direction)
    function, higher_is_better = _BUILT_IN[kind][family]
    if family == "pinball":
        quantile = _quantile(spec, setting if colon else "0.5")
        function = functools.partial(function, quantile=quantile)
    else:
        require(not colon, f"metric {family!r} takes no setting, got {spec!r}")
    return Metric(spec, guarded(function), higher_is_better)


def as_metric(
    given: str | Metric | None,
    default: str,
    kind: ScoredKind | Literal["retrieval"],
    direction: Direction | None,
) -> Metric:
    """Makes a `Metric` of what a person names or gives, if anything.

    Args:
        given: a metric, or a text for `metric_named`.
        default: the text where nothing is given.
        kind: what the task is.
        direction: as for `metric_named`.

    Raises:
        InvalidInputError: there is no such metric for the kind, or a direction is given for a
            metric that knows its own.
    """
    if isinstance(given, Metric):
        require_undirected(given.name, direction)
        return given
    return metric_named(given or default, kind, direction)


def require_undirected(name: str, direction: Direction | None) -> None:
    """Refuses a direction beside a metric that knows its own.

    Raises:
        InvalidInputError: names the metric.
    """
    require(direction is None, f"metric {name!r} knows its own direction; give none")


def _quantile(spec: str, text: str) -> float:
    try:
        quantile = float(text)
    except ValueError:
        quantile = 0.0
    require(
        0 < quantile < 1,
        f"metric {spec!r}: the quantile must be a number between 0 and 1, as in 'pinball:0.9'",
    )
    return quantile


def guarded(function: MetricFunction) -> MetricFunction:
    """Makes the value NaN when any prediction is not finite, so that none can look good."""

    def metric(
        predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]
    ) -> Float[Array, ""]:
        finite = jnp.all(jnp.isfinite(predictions))
        # A person's own function never sees what is not finite: many raise an error for it.
        value = function(jnp.where(finite, predictions, 0), targets)
        return jnp.where(finite, value, jnp.nan)

    return metric


def _on_host(function: Callable[..., Any]) -> MetricFunction:
    """Lets a compiled program call a Python function of numpy arrays."""

    def metric(
        predictions: Float[Array, "examples ..."], targets: Num[Array, "examples ..."]
    ) -> Float[Array, ""]:
        def call(predictions: Any, targets: Any) -> np.ndarray:
            value = function(np.asarray(predictions), np.asarray(targets))
            if value is None:
                raise TypeError("it returned None; expected a number")
            return np.asarray(value, dtype=dtype).reshape(())

        dtype = predictions.dtype
        return jax.pure_callback(
            call, jax.ShapeDtypeStruct((), dtype), predictions, targets, vmap_method="sequential"
        )

    return metric
