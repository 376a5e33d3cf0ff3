"""What a card looks at: one loss, on the outputs of one kind of task."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import jax.numpy as jnp
from jaxtyping import Array

from jaxloss.errors import require
from jaxloss.losses.card.probe import Loss
from jaxloss.losses.learned import LearnedLoss
from jaxloss.losses.views import per_example, view_named
from jaxloss.losses.zoo import ZooLoss, ZooTaskLoss
from jaxloss.losses.zoo_form import ZooForm

EXPLAINED_VIEWS = ("identity", "softmax", "sigmoid", "logits", "boxes")
"""Views whose losses can be explained, in the order in which a card does."""

CLASS_VIEWS = ("softmax", "sigmoid", "logits")
"""Views in which targets are classes."""

_SCORE_KINDS = ("score", "energies")
_VECTOR_KINDS = ("vectors", "nonnegative_vectors")

_ENTRY_VIEWS = {
    "real": "identity",
    "nonnegative": "identity",
    "nonnegative_vectors": "identity",
    "score": "sigmoid",
    "energies": "softmax",
}
"""How outputs are meant, for the kinds with losses that train no task but have such arguments."""


@dataclass(frozen=True)
class Subject:
    """A loss and what its outputs and targets are.

    Attributes:
        loss: one value for each example.
        view: name of the view, which says how outputs are meant.
        scores: whether outputs are scores, of which no probabilities are made.
        target_score: the score that a right answer should have, where the loss names one.
        vectors: whether the outputs of an example count together.
        positive: whether predictions and targets are numbers of at least 0.
        elementwise: the loss of one prediction and one target, where it is a sum of such.
        entry: what the zoo knows about it.
    """

    loss: Loss
    view: str
    scores: bool = False
    target_score: float | None = None
    vectors: bool = False
    positive: bool = False
    elementwise: Loss | None = None
    entry: ZooLoss | None = None

    @property
    def is_classifier(self) -> bool:
        """Whether targets are classes."""
        return self.view in CLASS_VIEWS


def element_view(loss: LearnedLoss) -> str:
    """Names the view of a loss's elements: of a detector's cells, of the pixels of masks.

    For losses that are no sum or mean over such elements it is their own view.
    """
    view, form = view_named(loss.view).written, loss.form
    by_element = form.entry.inputs.elementwise if isinstance(form, ZooForm) else form.elementwise
    if loss.view == "masks" and not by_element:
        return loss.view
    # The outputs of a task of the softmax view are logits.
    of_zoo = view != loss.view and isinstance(form, ZooForm)
    return "softmax" if of_zoo and view == "logits" else view


def of_one_element(loss: LearnedLoss) -> LearnedLoss:
    """Takes a loss of a detector's cells, or of the pixels of masks, for that of a single one.

    Returns:
        The loss for the view of its elements; losses for other views as they are.

    Raises:
        InvalidInputError: it is a loss of the zoo that takes more than a single element shows.
    """
    view, form = element_view(loss), loss.form
    if view == loss.view:
        return loss
    return replace(
        loss, view=view, form=replace(form, view=view) if isinstance(form, ZooForm) else form
    )


def learned_subject(loss: LearnedLoss) -> Subject:
    """Looks at a loss on the tasks that it is for."""
    entry = loss.form.entry if isinstance(loss.form, ZooForm) else None
    kind = "" if entry is None else entry.kind
    takes_scores = (
        loss.view == "logits"
        or kind in _SCORE_KINDS
        or (kind == "logit" and loss.view == "softmax")
        or (entry is not None and entry.branch == "margin" and kind == "logits_and_classes")
    )
    return Subject(
        loss,
        loss.view,
        scores=takes_scores,
        target_score=1.0 if kind == "score" and loss.view == "sigmoid" else None,
        vectors=kind in _VECTOR_KINDS,
        elementwise=_elementwise(loss),
        entry=entry,
    )


def _elementwise(loss: LearnedLoss) -> Loss | None:
    """Makes the function of one prediction and one target, if the view shows such pairs."""
    if loss.view not in ("identity", "softmax", "sigmoid") or not loss.form.elementwise:
        return None

    def apply(predictions: Array, targets: Array) -> Array:
        parameters = jnp.asarray(loss.parameters, predictions.dtype)
        return per_example(loss.family.apply(parameters, predictions, targets))

    return apply


def has_subject(entry: ZooLoss) -> bool:
    """Says whether a loss that trains no task has predictions and targets all the same."""
    return entry.kind in _ENTRY_VIEWS


def entry_subject(entry: ZooLoss, parameters: Mapping[str, float]) -> Subject:
    """Looks at a loss of the zoo that trains no task, but has predictions and targets.

    Raises:
        InvalidInputError: it has no such arguments, or a parameter is none of its own.
    """
    require(has_subject(entry), f"{entry.name} takes no predictions and targets")
    view, positive = _ENTRY_VIEWS[entry.kind], entry.kind.startswith("nonnegative")
    bound = entry.bind(**parameters)

    def on_predictions(outputs: Array, targets: Array) -> Array:
        return per_example(bound(outputs, targets))

    on_outputs = ZooTaskLoss(entry, view, tuple(entry.values(parameters).items()))
    vectors = entry.kind in _VECTOR_KINDS
    return Subject(
        on_predictions if positive else on_outputs,
        view,
        scores=entry.kind in _SCORE_KINDS,
        target_score=1.0 if entry.kind == "score" else None,
        vectors=vectors,
        positive=positive,
        elementwise=None if vectors or view != "identity" else on_predictions,
        entry=entry,
    )
