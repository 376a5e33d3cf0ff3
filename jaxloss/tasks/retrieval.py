"""Retrieval: a network makes embeddings, and what is near a query should be of its class.

Class Anchor Margin (https://arxiv.org/abs/2306.00630): beside the network each class has an anchor,
a point of the embedding space that is trained along. A loss sees how far an embedding is from each.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Num

from jaxloss.errors import require, unknown_name
from jaxloss.losses import zoo
from jaxloss.losses.views import View, view_named
from jaxloss.models.model import Model
from jaxloss.tasks.anchors import anchored_model
from jaxloss.tasks.fitting import fitting_model
from jaxloss.tasks.metrics import Direction, Metric, as_metric
from jaxloss.tasks.options import read_options, usual_loss
from jaxloss.tasks.preparation import standardised
from jaxloss.tasks.retrieval_scores import require_enough
from jaxloss.tasks.settings import TaskSettings
from jaxloss.tasks.supervised import SupervisedTask
from jaxloss.tasks.supervised_registry import load_supervised_task
from jaxloss.tasks.task import Split

FEATURES = 16
"""Numbers of an embedding, where there are no more classes (*assumed*)."""

TASK_LOSS = "cam"
"""The usual loss: class anchor margin."""


@dataclass(frozen=True)
class RetrievalSettings:
    """What is retrieved, beside the data.

    Raises:
        InvalidInputError: a number is out of range, or the test classes have another name.
    """

    features: int | None = None
    """Numbers of an embedding; if not said, 16, or as many as there are classes in training."""
    unseen: int = 0
    """How many classes are kept out of training and validation, drawn by the split seed."""
    test: str | None = None
    """Which classes are tested where some are unseen: ``"unseen"`` (default) or ``"seen"``."""

    def __post_init__(self) -> None:
        require(
            self.features is None or self.features >= 1,
            f"features must be 1 or more, got {self.features}",
        )
        require(self.unseen >= 0, f"unseen must be 0 or more, got {self.unseen}")
        if self.test is not None:
            if self.test not in ("seen", "unseen"):
                raise unknown_name("test", self.test, ("seen", "unseen"))
            require(self.unseen > 0, f"test={self.test} needs unseen classes; give unseen=K too")
        require(
            self.unseen != 1 or self.test == "seen",
            "among examples of one unseen class whatever is found is right; give unseen=2 or more, "
            "or test=seen",
        )


@dataclass(frozen=True, eq=False)
class RetrievalTask:
    """A task of examples with classes to retrieve; fulfils `jaxloss.tasks.task.ReusableTask`.

    Attributes:
        name: how reports call the task.
        model: the network with the anchors; its outputs are ``[batch, 1 + classes, features]``, an
            embedding and after it the anchors.
        train: moves network and anchors.
        valid: steers the meta-gradient and the fitness.
        test: is seen by the final comparison only; perhaps of classes that training lacks.
        view: ``anchors``.
        metric: of the embeddings of a whole split.
        task_loss_name: a loss of the zoo, perhaps with parameters, as `jaxloss.zoo.spelled` writes.
        class_names: the classes in the order of their numbers, those without an anchor last.
        features: numbers of an embedding.
        unseen: how many classes have no anchor.
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
    features: int
    unseen: int

    def with_model(self, model: Any) -> "RetrievalTask":
        """Gives the data to another network; see `retrieval_task` for what it can be.

        Raises:
            InvalidInputError: the network does not fit the data.
        """
        seen = len(self.class_names) - self.unseen
        return replace(self, model=_network(model, self.train, seen, self.features))

    def task_loss(
        self, outputs: Float[Array, "batch rows features"], targets: Num[Array, " batch"]
    ) -> Float[Array, " batch"]:
        """The usual loss, one value for each example; class anchor margin unless another is chosen.

        As that loss has a part for all anchors together, each example's value holds it whole.
        """
        return zoo.read_task_loss(self.task_loss_name, self.view.name)(outputs, targets)

    def predictions(
        self, outputs: Float[Array, "examples rows features"]
    ) -> Float[Array, "examples rows features"]:
        """What the metric takes: embeddings and anchors as they are."""
        return outputs


def retrieval_task(
    source: SupervisedTask,
    *,
    model: Any = "mlp:50-50",
    settings: RetrievalSettings | None = None,
    metric: str | Metric | None = None,
    direction: Direction | None = None,
    task_loss: str | None = None,
    seed: int = 0,
) -> RetrievalTask:
    """Makes a task of retrieval from one of classification.

    Args:
        source: gives the splits, their classes and the name; its network and metric are not used.
        model: a spec for `jaxloss.models.create_model`, whose outputs are the embedding, or
            anything `jaxloss.models.adapt` takes.
        settings: size of the embedding and unseen classes.
        metric: ``map`` (default), ``recall@K``, either with ``:two_stage``; or a `Metric` or
            ``module:function`` of ``(predictions, targets)``, where predictions are embeddings
            followed by the anchors, ``[examples, 1 + classes, features]``.
        direction: which values of a metric ``module:function`` are better.
        task_loss: the usual loss; by default class anchor margin.
        seed: draws the unseen classes.

    Raises:
        InvalidInputError: the source has no classes, too few are left, a class has fewer than two
            examples in a split, the embedding has fewer numbers than there are anchors, or the
            model, metric or usual loss does not fit.
    """
    settings = settings or RetrievalSettings()
    require(
        source.kind == "classification",
        f"retrieval needs classes, and {source.name!r} is a task of {source.kind}",
    )
    names = source.class_names
    seen = len(names) - settings.unseen
    require(
        seen >= 2,
        f"{source.name!r} has {len(names)} classes; with {settings.unseen} unseen, {seen} are left "
        "to train with, and two or more are needed",
    )
    order = np.arange(len(names))
    if settings.unseen:
        order = np.random.default_rng(seed).permutation(len(names))
    names = tuple(names[number] for number in order)
    tested = "unseen" if settings.unseen and settings.test != "seen" else "seen"
    parts = _parts(source, np.argsort(order), seen, tested)
    for split, (_, classes) in parts.items():
        kept = range(seen, len(names)) if (split, tested) == ("test", "unseen") else range(seen)
        _require_pairs(split, classes, {number: names[number] for number in kept})
    inputs = standardised(*(inputs for inputs, _ in parts.values()))
    train, valid, test = (
        Split(jnp.asarray(rows), jnp.asarray(classes, jnp.int32))
        for rows, (_, classes) in zip(inputs, parts.values(), strict=True)
    )
    features = settings.features or max(FEATURES, seen)
    require(
        seen <= features,
        f"anchors on basis vectors need an embedding with a number for each of the {seen} classes "
        f"of training, got features={features}",
    )
    network = _network(model, train, seen, features)
    is_own = isinstance(metric, Metric)
    metric = as_metric(metric, "map", "retrieval", direction)
    if not is_own:
        for split, rows in {"train": train, "valid": valid, "test": test}.items():
            require_enough(metric.name, len(rows.targets) - 1, split)
    view = view_named("anchors")
    usual = usual_loss(task_loss or TASK_LOSS, view.name)
    return RetrievalTask(
        *(f"retrieval:{source.name}", network, train, valid, test, view, metric, usual, names),
        features=features,
        unseen=settings.unseen,
    )


def _network(model: Any, train: Split, seen: int, features: int) -> Model:
    return anchored_model(fitting_model(model, train.inputs, features), seen, features)


def _parts(
    source: SupervisedTask, numbers: Int[np.ndarray, " classes"], seen: int, tested: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Divides the rows: none of an unseen class in train and valid, all of them in test."""
    rows = {
        split: (np.asarray(held.inputs), numbers[np.asarray(held.targets)])
        for split, held in {
            "train": source.train,
            "valid": source.valid,
            "test": source.test,
        }.items()
    }
    kept = {
        split: (inputs[classes < seen], classes[classes < seen])
        for split, (inputs, classes) in rows.items()
    }
    if tested == "unseen":
        inputs, classes = (np.concatenate(part) for part in zip(*rows.values(), strict=True))
        kept["test"] = inputs[classes >= seen], classes[classes >= seen]
    return kept


def _require_pairs(split: str, classes: Int[np.ndarray, " rows"], names: dict[int, str]) -> None:
    for number, name in names.items():
        count = int(np.sum(classes == number))
        require(count > 0, f"class {name!r} is empty in the {split} split: nothing to retrieve")
        require(
            count > 1,
            f"class {name!r} has one example in the {split} split; retrieval needs two or more, a "
            "query and something to find: add rows, remove the class, or change the fractions",
        )


_NUMBERS = ("features", "unseen")
_OPTIONS = (*_NUMBERS, "test")


def load_retrieval_task(name: str, settings: TaskSettings) -> RetrievalTask:
    """Makes the task that is called ``retrieval:NAME``.

    Args:
        name: data with classes, as `jaxloss.load_task` takes them, perhaps with options:
            ``digits``, ``digits:unseen=3``, ``digits:unseen=3:test=seen:features=32``.
        settings: network, metric, usual loss, splits, imbalance and noise.

    Raises:
        InvalidInputError: the data cannot be loaded or have no classes, an option is unknown, no
            number, or does not fit them, or classes are unseen beside imbalance or noise.
    """
    data, options = _read(name)
    require(
        options.get("unseen", 0) == 0 or (settings.label_noise == 0 and settings.imbalance == 1),
        f"retrieval:{data}: with unseen classes neither label_noise nor imbalance can be asked "
        "for: they work on the splits of the data, and unseen classes are taken out of these "
        "afterwards, so wrong labels would reach the test; leave out unseen or them",
    )
    plain = replace(settings, model="linear", metric=None, metric_direction=None, task_loss=None)
    task = retrieval_task(
        load_supervised_task(data, plain),
        model=settings.model,
        settings=RetrievalSettings(**options),
        metric=settings.metric,
        direction=settings.metric_direction,
        task_loss=settings.task_loss,
        seed=settings.split_seed,
    )
    written = "".join(f":{key}={value}" for key, value in options.items())
    return replace(task, name=task.name + written)


def _read(name: str) -> tuple[str, dict[str, Any]]:
    parts = name.split(":")
    first = next((i for i, part in enumerate(parts) if "=" in part), len(parts))
    data = ":".join(parts[:first])
    require(bool(data), "'retrieval' names no data; write for instance retrieval:digits")
    return data, read_options(f"retrieval:{data}", parts[first:], _OPTIONS, _NUMBERS)
