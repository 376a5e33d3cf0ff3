"""Salient objects: a network says for each pixel of an image whether it belongs to an object.

A loss sees pixels, or masks as a whole, as Dice and the progressive self-guided loss do
(https://arxiv.org/abs/2101.02412).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxloss.errors import require
from jaxloss.losses import zoo
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model
from jaxloss.models.registry import as_model
from jaxloss.tasks.fitting import output_shape
from jaxloss.tasks.metrics import DEFAULT_METRIC, Direction, Metric, as_metric
from jaxloss.tasks.options import usual_loss
from jaxloss.tasks.preparation import require_finite, standardised
from jaxloss.tasks.task import Split

MODEL = "fcn"
"""The network where none is named."""

TASK_LOSS = "binary_cross_entropy"
"""The usual loss: most networks for masks start from it. It is a formula of single pixels, like the
losses that are learned; Dice and its kin are no formulas of a pixel."""

FEWEST = 2
"""Images that each split needs."""


@dataclass(frozen=True, eq=False)
class SaliencyTask:
    """A task of images with masks; fulfils `jaxloss.tasks.task.ReusableTask`.

    Attributes:
        name: how reports call the task.
        model: the network; its outputs are logits ``[batch, height, width]``.
        train: moves the network.
        valid: steers the meta-gradient and the fitness.
        test: is seen by the final comparison only.
        view: ``masks``.
        metric: of the maps of a whole split.
        task_loss_name: a loss of the zoo, perhaps with parameters, as `jaxloss.zoo.spelled` writes.
    """

    name: str
    model: Model
    train: Split
    valid: Split
    test: Split
    view: View
    metric: Metric
    task_loss_name: str

    def with_model(self, model: Any) -> "SaliencyTask":
        """Gives the data to another network; see `saliency_task` for what it can be.

        Raises:
            InvalidInputError: the network does not fit the data.
        """
        return replace(self, model=_network(model, self.train))

    def task_loss(
        self, outputs: Float[Array, "batch height width"], targets: Num[Array, "batch height width"]
    ) -> Float[Array, " batch"]:
        """The usual loss, one value for each image; binary cross-entropy unless another is chosen.

        In nats, its mean over the pixels.
        """
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(
        self, outputs: Float[Array, "examples height width"]
    ) -> Float[Array, "examples height width"]:
        """What the metric takes: the probability of each pixel."""
        return jax.nn.sigmoid(outputs)


def saliency_task(
    name: str,
    images: Sequence[Float[np.ndarray, "images height width 3"]],
    masks: Sequence[Num[np.ndarray, "images height width"]],
    *,
    model: Any = MODEL,
    metric: str | Metric | None = None,
    direction: Direction | None = None,
    task_loss: str | None = None,
) -> SaliencyTask:
    """Makes a task of images with masks, checked and standardised.

    Args:
        name: how reports call the task.
        images: those of train, valid and test, all of one size.
        masks: 1 where an object is, else 0.
        model: ``fcn``, ``fcn:WIDTH-WIDTH-...``, or anything `jaxloss.models.adapt` takes, or
            ``module:factory`` of such, with outputs ``[batch, height, width]``.
        metric: ``max_f`` (default), ``mean_f``, ``s_measure`` or ``mask_mae``; or a `Metric` or
            ``module:function`` of ``(predictions, targets)``, maps and masks.
        direction: which values of a metric ``module:function`` are better.
        task_loss: the usual loss; by default binary cross-entropy.

    Raises:
        InvalidInputError: images and masks do not fit each other, hold other numbers than they
            should, or are too few; a split shows no object; or the model, metric or usual loss does
            not fit.
    """
    splits = dict(zip(("train", "valid", "test"), zip(images, masks, strict=True), strict=True))
    for split, (pictures, true) in splits.items():
        _require_sound(split, pictures, true, images[0].shape[1:])
    inputs = standardised(*images)
    precision = inputs[0].dtype
    train, valid, test = (
        Split(jnp.asarray(pictures), jnp.asarray(true.astype(precision)))
        for pictures, true in zip(inputs, masks, strict=True)
    )
    network = _network(model, train)
    view = view_named("masks")
    metric = as_metric(metric, DEFAULT_METRIC["masks"], "masks", direction)
    usual = usual_loss(task_loss or TASK_LOSS, view.name)
    return SaliencyTask(name, network, train, valid, test, view, metric, usual)


def _require_sound(
    split: str, images: np.ndarray, masks: np.ndarray, shape: tuple[int, ...]
) -> None:
    require(
        images.ndim == 4 and images.shape[1:] == shape and shape[-1] == 3,
        f"{split}: expected images [images, height, width, 3] of one size, got shape "
        f"{images.shape}",
    )
    require(
        masks.shape == images.shape[:3],
        f"{split}: masks of shape {masks.shape} do not fit images of shape {images.shape}",
    )
    require(
        len(images) >= FEWEST,
        f"the {split} split has {len(images)} image(s); at least {FEWEST} are needed",
    )
    require_finite(images, f"{split} images")
    require(
        bool(np.all((masks == 0) | (masks == 1))), f"{split}: masks must hold 0 and 1 and no more"
    )
    require(
        bool(np.any(masks)),
        f"all masks of the {split} split are empty: there is no object to be found",
    )


def _network(model: Any, train: Split) -> Model:
    network = as_model(model, 1)
    made, expected = output_shape(network, train.inputs), (2, *train.targets.shape[1:])
    require(
        made == expected,
        f"model {network.name!r} gives outputs of shape {made} for a batch of 2; expected "
        f"{expected}, a logit for each pixel: use fcn, fcn:WIDTH-WIDTH-... or module:factory",
    )
    return network
