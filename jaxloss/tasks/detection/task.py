"""Detection: a network finds objects in images, by a class and a box for each cell of a grid.

The two branches are trained by two losses. One is what a search learns or a comparison compares;
the other, of the zoo, goes along with it whatever it is: the companion of the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from jaxloss.errors import require, unknown_name
from jaxloss.losses import zoo
from jaxloss.losses.cells import side_distances
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model
from jaxloss.tasks.detection.cells import Annotations, as_targets, cell_centres
from jaxloss.tasks.detection.coco_scores import on_host
from jaxloss.tasks.detection.network import fitting_detector
from jaxloss.tasks.detection.scores import SCORES
from jaxloss.tasks.detection.soundness import require_examples, require_fitting, require_sound
from jaxloss.tasks.metrics import (
    METRIC_NAMES,
    Direction,
    Metric,
    guarded,
    metric_named,
    require_undirected,
)
from jaxloss.tasks.options import usual_loss
from jaxloss.tasks.preparation import require_finite, standardised
from jaxloss.tasks.task import Split

Branch = Literal["box", "class"]

VIEW_OF: dict[Branch, str] = {"box": "cell_boxes", "class": "cell_classes"}
"""What the loss of each branch sees."""

METRIC = "ap"
"""COCO's own (https://arxiv.org/abs/1405.0312)."""

HOST = "pycocotools"
"""Ends the name of a metric that pycocotools itself computes."""


@dataclass(frozen=True)
class DetectionSettings:
    """What is trained, beside the data.

    Raises:
        InvalidInputError: a number is out of range, or a branch or loss is unknown or does not fit.
    """

    side: int = 32
    """Pixels of the square images (*assumed*)."""
    stride: int = 8
    """Pixels of a cell's side (*assumed*)."""
    branch: Branch = "box"
    """Which branch's loss is learned and compared."""
    class_loss: str = "focal"
    """The usual loss of the classes; focal in FCOS (https://arxiv.org/abs/1904.01355)."""
    box_loss: str = "giou"
    """The usual loss of the boxes; giou in later versions of FCOS."""

    def __post_init__(self) -> None:
        require(2 <= self.stride <= 32, f"stride must be 2 to 32 pixels, got {self.stride}")
        require(
            2 * self.stride <= self.side <= 160 and self.side % self.stride == 0,
            f"side must be a multiple of the stride {self.stride} from {2 * self.stride} to 160 "
            f"pixels, got {self.side}",
        )
        if self.branch not in get_args(Branch):
            raise unknown_name("branch", self.branch, get_args(Branch))
        for branch, view in VIEW_OF.items():
            zoo.read_task_loss(self.loss_of(branch), view)

    def loss_of(self, branch: Branch) -> str:
        """Names the usual loss of a branch."""
        return self.box_loss if branch == "box" else self.class_loss

    @property
    def companion(self) -> zoo.ZooTaskLoss:
        """The loss of the branch that is not learned."""
        other: Branch = "class" if self.branch == "box" else "box"
        return zoo.read_task_loss(self.loss_of(other), VIEW_OF[other])


@dataclass(frozen=True, eq=False)
class DetectionTask:
    """A task of images with boxes and classes; fulfils `jaxloss.tasks.task.ReusableTask`.

    Attributes:
        name: how reports call the task.
        model: the detector, with the other branch's loss as its companion; outputs and targets are
            as `jaxloss.losses.cells` says, with a row for each object after those of the cells.
        train: moves the detector.
        valid: steers the meta-gradient and the fitness.
        test: is seen by the final comparison only.
        view: ``cell_boxes`` or ``cell_classes``.
        metric: COCO's average precision.
        task_loss_name: the usual loss of the learned branch, as `jaxloss.zoo.spelled` writes.
        class_names: the classes in the order of their numbers.
        settings: side, stride and branch.
    """

    name: str
    model: Model
    train: Split
    valid: Split
    test: Split
    view: View
    metric: Metric
    task_loss_name: str
    class_names: tuple[str, ...]
    settings: DetectionSettings

    def with_model(self, model: Any) -> "DetectionTask":
        """Gives the data to another network; see `detection_task` for what it can be.

        Raises:
            InvalidInputError: the network does not fit the data.
        """
        network = _network(model, self.train, len(self.class_names), self.settings)
        return replace(self, model=network)

    def task_loss(
        self, outputs: Float[Array, "batch cells numbers"], targets: Num[Array, "batch rows 5"]
    ) -> Float[Array, " batch"]:
        """The usual loss of the learned branch; the other's is the companion of the model."""
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(
        self, outputs: Float[Array, "examples cells numbers"]
    ) -> Float[Array, "examples cells found"]:
        """What the metric takes: for each cell the probabilities of the classes, and a box.

        Probabilities are a softmax over the classes and the background, which is then left out;
        boxes are ``x1, y1, x2, y2`` in pixels, cut off at the edges of the image.
        """
        side = self.settings.side
        probabilities = jax.nn.softmax(outputs[..., :-4], -1)[..., :-1]
        centres = jnp.asarray(cell_centres(side, self.settings.stride), outputs.dtype)[None]
        distances = side_distances(outputs)
        low, high = centres - distances[..., :2], centres + distances[..., 2:]
        boxes = jnp.clip(jnp.concatenate([low, high], -1), 0.0, float(side))
        return jnp.concatenate([probabilities, boxes], -1)


def detection_task(
    name: str,
    images: Sequence[Float[np.ndarray, "images side side 3"]],
    annotations: Sequence[Annotations],
    class_names: Sequence[str],
    *,
    settings: DetectionSettings | None = None,
    model: Any = "detector",
    metric: str | Metric | None = None,
    direction: Direction | None = None,
    task_loss: str | None = None,
) -> DetectionTask:
    """Makes a task of images with known objects: checks them and says what each cell is to find.

    Args:
        name: how reports call the task.
        images: those of train, valid and test, all square and of one size.
        annotations: their objects.
        class_names: names of the classes 0, 1, ...
        settings: sizes, branch and usual losses.
        model: ``detector``, ``detector:WIDTH``, or what `jaxloss.models.adapt` takes, or
            ``module:factory`` of such, with outputs ``[batch, cells, classes + 1 + 4]``.
        metric: ``ap`` (default), ``ap50`` or ``ap75``, either with ``:pycocotools``; or a `Metric`
            or ``module:function`` of ``(predictions, targets)``.
        direction: which values of a metric ``module:function`` are better.
        task_loss: the usual loss of the learned branch, in the place of that in the settings.

    Raises:
        InvalidInputError: the annotations do not fit the images, a number is not finite, a class
            has no example in a split, or the model, metric or usual loss does not fit.
    """
    settings = settings or DetectionSettings()
    side, stride = settings.side, settings.stride
    for split, own, objects in zip(("train", "valid", "test"), images, annotations, strict=True):
        require(
            own.ndim == 4 and own.shape[1:] == (side, side, 3),
            f"{split}: expected images [images, {side}, {side}, 3], got shape {own.shape}",
        )
        require_finite(own, f"{split} images")
        require_fitting(split, objects, len(own), len(class_names))
        require_sound(split, objects, side)
        require_examples(split, objects, class_names)
    precision = np.dtype(jnp.result_type(float))
    rows = [as_targets(objects, side, stride, len(class_names)) for objects in annotations]
    train, valid, test = (
        Split(jnp.asarray(own), jnp.asarray(targets.astype(precision)))
        for own, targets in zip(standardised(*images), rows, strict=True)
    )
    view = VIEW_OF[settings.branch]
    return DetectionTask(
        name,
        _network(model, train, len(class_names), settings),
        train,
        valid,
        test,
        view_named(view),
        detection_metric(metric or METRIC, direction),
        usual_loss(task_loss or settings.loss_of(settings.branch), view),
        tuple(class_names),
        settings,
    )


def detection_metric(spec: str | Metric, direction: Direction | None = None) -> Metric:
    """Finds a score of detections by name, or a person's own function; takes a metric as it is.

    Raises:
        InvalidInputError: there is no such score, or a direction is given for a metric that knows
            its own.
    """
    if isinstance(spec, Metric):
        require_undirected(spec.name, direction)
        return spec
    name, colon, end = spec.partition(":")
    if name not in SCORES:
        of_others = any(name in names for names in METRIC_NAMES.values())
        if not colon or of_others:
            raise unknown_name("metric of detection", spec, (*SCORES, "module:function"))
        return metric_named(spec, "regression", direction)
    require_undirected(name, direction)
    require(
        not colon or end == HOST,
        f"metric {spec!r}: expected {name!r} or '{name}:{HOST}'",
    )
    return Metric(spec, guarded(on_host(name) if colon else SCORES[name]), True)


def _network(model: Any, train: Split, classes: int, settings: DetectionSettings) -> Model:
    made = fitting_detector(model, train.inputs, settings.stride, classes)
    return made._replace(companion=settings.companion)
