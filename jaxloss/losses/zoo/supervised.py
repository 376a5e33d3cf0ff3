"""Losses of the zoo as training losses: on a network's raw outputs, one value for each example."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.losses.views import view_named
from jaxloss.losses.zoo import batches
from jaxloss.losses.zoo.arguments import CLASSIFICATION, OWN_WAYS, WAYS
from jaxloss.losses.zoo.entry import ZooLoss

_VIEWS = ("identity", *CLASSIFICATION, "boxes", *OWN_WAYS)

_REASONS = {
    "nonnegative": "it takes predictions of at least 0, and a network's outputs know no bounds",
    "nonnegative_vectors": "it takes predictions of at least 0, and a network's outputs know no "
    "bounds",
    "detections": "it takes the overlaps of boxes beside the labels",
    "mask": "it takes a logit for each pixel of a mask",
    "list": "it takes lists of items to rank",
}
"""What losses of a kind take that most tasks do not have."""

_USES = {
    "ranking": "it compares scores or embeddings with each other, not with targets",
    "generative": "it belongs to a generative model, not to outputs and targets",
    "retrieval": "it takes embeddings and class anchors",
}
"""The same for the other kinds, by branch."""

_NUMBERED = ("logits_and_classes", "log_probabilities_and_classes")
_NO_DIRECTION = "it compares directions, and one output has none"


@dataclass(frozen=True)
class ZooTaskLoss:
    """A loss of the zoo on raw outputs: ``loss(outputs, targets) -> per-example values``.

    Hashable and equal by value, so it can be a static argument of ``jit``. Made by `as_task_loss`.

    Attributes:
        entry: the loss.
        view: name of the view of the task.
        parameters: the loss's parameters, all of them.
    """

    entry: ZooLoss
    view: str
    parameters: tuple[tuple[str, float], ...]

    def __call__(
        self, outputs: Float[Array, "batch ..."], targets: Num[Array, "batch ..."]
    ) -> Float[Array, " batch"]:
        """Computes one value for each example; the caller takes the mean.

        Raises:
            InvalidInputError: at trace time, if the shapes do not fit the view or the loss.
        """
        kind = self.entry.kind
        own = OWN_WAYS.get(self.view)
        way = own[kind] if own is not None else WAYS[kind][1]
        arguments = way(self.view, outputs, targets)
        require(
            self.entry.name != "cosine" or arguments[0].shape[-1] > 1,
            _refusal(self.entry, self.view, _NO_DIRECTION),
        )
        function = functools.partial(self.entry.function, **dict(self.parameters))
        if kind in _NUMBERED:
            function = _free_without_class(function)
        values = function(*arguments)
        if kind == "embedding_pair":
            return batches.mean_over_others(values)
        if kind == "triplet":
            return batches.where_triplets(values, batches.class_numbers(outputs, targets))
        if kind == "labelled":
            return jnp.broadcast_to(values, outputs.shape[:1])
        return view_named(self.view).per_example(values, outputs, targets)


def _free_without_class(function: Callable[..., Array]) -> Callable[..., Array]:
    """Charges nothing where there is no class, as losses of one-hot labels, then all 0, do."""

    def charged(scores: Array, classes: Array) -> Array:
        known = (classes >= 0) & (classes < scores.shape[-1])
        return jnp.where(known, function(scores, jnp.where(known, classes, 0)), 0.0)

    return charged


def _untrainable(entry: ZooLoss) -> str | None:
    """Says why nothing at all can be trained with a loss, if so."""
    if "flat" in entry.properties:
        return "its gradient is 0, so that nothing can be learned from it; use it as a metric"
    if "unbounded_below" in entry.properties and entry.kind in WAYS:
        return "it has no minimum, so that training would never end"
    return None


def _fits(entry: ZooLoss, view: str) -> bool:
    """Says whether what tasks of a view show is what the loss takes."""
    usual = WAYS[entry.kind][0] if entry.kind in WAYS else ()
    if entry.branch == "generative":
        return view == "identity" and view in usual
    if entry.kind in OWN_WAYS.get(view, ()):
        return True
    return view in usual and (entry.name, view) != ("cosine", "sigmoid")


def views_of(entry: ZooLoss) -> tuple[str, ...]:
    """Names the views of the tasks that a loss can train on; none if it fits no such task."""
    if _untrainable(entry) is not None:
        return ()
    return tuple(view for view in _VIEWS if _fits(entry, view))


def _unfit(entry: ZooLoss, view: str) -> str:
    """Says why a loss does not fit tasks of a view, and which ones it does fit."""
    views = views_of(entry)
    reasons = [f"it fits tasks of view {' or '.join(views)}"] if views else []
    if (entry.name, view) == ("cosine", "sigmoid"):
        reasons.insert(0, _NO_DIRECTION)
    elif entry.kind not in WAYS:
        reasons.insert(0, _REASONS.get(entry.kind) or _USES[entry.branch])
    return "; ".join(reasons)


def _refusal(entry: ZooLoss, view: str, reason: str) -> str:
    return f"{entry.name} cannot train a task of view {view}: {reason}"


def as_task_loss(entry: ZooLoss, view: str, **parameters: float) -> ZooTaskLoss:
    """Makes a loss of the zoo a training loss of supervised tasks.

    Regression losses apply to what the view shows: raw outputs, or probabilities beside labels of 0
    and 1. Margin losses take raw outputs as scores, one-vs-rest if there are several; energy-based
    ones take them as energies with the sign turned round. Box losses take the boxes that outputs
    decode to. Elementwise losses are summed over outputs. Beside class anchors, losses of logits
    take minus the squared distances to the anchors, and losses of pairs and triplets compare the
    embeddings of a batch, as `jaxloss.losses.zoo.batches` says. In detectors they apply to each
    cell, and class losses that look at overlaps are shown those of the predicted boxes. Of masks,
    elementwise losses are averaged over the pixels, and others take a mask as a whole.

    Args:
        entry: the loss.
        view: the view of the task: ``identity`` (regression), ``sigmoid`` (two classes, one
            output), ``softmax`` (classes), ``boxes``, ``anchors`` (embeddings to retrieve),
            ``cell_classes`` or ``cell_boxes`` (a branch of a detector), or ``masks``.
        **parameters: the loss's parameters; the others keep their defaults.

    Returns:
        ``(outputs, targets) -> per-example values``.

    Raises:
        InvalidInputError: the view or a parameter is unknown, or the loss does not fit, and why.
    """
    if view not in _VIEWS:
        raise unknown_name("view", view, _VIEWS)
    reason = _untrainable(entry) or (None if _fits(entry, view) else _unfit(entry, view))
    if reason is not None:
        raise InvalidInputError(_refusal(entry, view, reason))
    return ZooTaskLoss(entry, view, tuple(entry.values(parameters).items()))
