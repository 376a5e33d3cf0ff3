"""What a person may say of a task, besides naming it."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from jaxloss.errors import require, unknown_name
from jaxloss.tasks.metrics import Direction, Kind
from jaxloss.tasks.splitting import SplitSettings

NoiseKind = Literal["symmetric", "pair_flip"]
SpoiltSplits = Literal["train", "train,valid"]


@dataclass(frozen=True)
class TaskSettings:
    """What a loss is judged on, besides the data themselves.

    Raises:
        InvalidInputError: a fraction, rate, ratio, scale or seed is out of range, or a kind or
            choice of splits is unknown.
    """

    target: str | None = None
    """Column (or array) to predict, for files."""

    model: str = "mlp:50-50"
    """Network to train: linear, mlp:WIDTH-WIDTH-..., lenet5, a larger one for images (alexnet, vgg,
    allcnn_c, resnet, preresnet, wide_resnet, squeezenet, pyramidnet), fcn (for saliency), detector
    (for detection), or module:factory for your own; several joined by commas where several tasks
    are taken. The default stands for each family's own network, even if it is written out: fcn for
    saliency, detector for detection."""

    metric: str | None = None
    """What should get better; a name such as macro_f1, or module:function for your own. Without
    one, the task's own (error_rate for classes, mse for values, iou_error for boxes, ...)."""

    metric_direction: Direction | None = None
    """Whether lower or higher values of your own metric are better; lower if not said."""

    task_loss: str | None = None
    """The usual loss, which a learned one is to beat and which drives meta-gradients: a name of the
    zoo, perhaps with parameters, huber:delta=0.5. Without one, the task's own (cross_entropy for
    classes, mse for values, giou for boxes, ...)."""

    kind: Kind | None = None
    """Whether to predict classes, values or boxes; if not said, as the data suggest."""

    train_fraction: float = 0.6
    """Fraction of rows that trains the network."""

    valid_fraction: float = 0.2
    """Fraction of rows that steers the search."""

    test_fraction: float = 0.2
    """Fraction of rows that only the final comparison sees."""

    split_seed: int = 0
    """Seed of the division into splits, of the imbalance and of the noise."""

    data_dir: str | None = None
    """Folder of prepared tensorflow-datasets, if not ~/tensorflow_datasets."""

    outliers: float = 0.0
    """Fraction of targets to spoil with outliers (regression)."""

    outlier_scale: float = 10.0
    """Size of outliers, in standard deviations of the training targets; of an equation's known
    values, all kinds together."""

    outlier_splits: SpoiltSplits = "train,valid"
    """Where outliers are: train, or train,valid; test always stays clean."""

    imbalance: float = 1.0
    """Size of the largest to the smallest class of train and valid, where classes are of one size
    to begin with; 1 leaves them as they are (classification)."""

    label_noise: float = 0.0
    """Probability that a label is changed to another class (classification)."""

    label_noise_kind: NoiseKind = "symmetric"
    """Whether a changed label becomes any other class, or always the next one."""

    noise_splits: SpoiltSplits = "train,valid"
    """Where labels are changed: train, or train,valid; test always stays clean."""

    def __post_init__(self) -> None:
        self.split_settings()
        require(
            0 <= self.outliers < 1, f"outliers must be at least 0 and below 1, got {self.outliers}"
        )
        require(
            0 <= self.label_noise <= 1,
            f"label_noise must be at least 0 and at most 1, got {self.label_noise}",
        )
        require(self.outlier_scale > 0, f"outlier_scale must be above 0, got {self.outlier_scale}")
        require(
            math.isfinite(self.imbalance) and self.imbalance >= 1,
            f"imbalance must be 1 or more, got {self.imbalance}",
        )
        for name, choices in (
            ("outlier_splits", get_args(SpoiltSplits)),
            ("noise_splits", get_args(SpoiltSplits)),
            ("label_noise_kind", get_args(NoiseKind)),
        ):
            if getattr(self, name) not in choices:
                raise unknown_name(name, getattr(self, name), choices)

    def split_settings(self) -> SplitSettings:
        """How the rows are divided."""
        return SplitSettings(
            self.train_fraction, self.valid_fraction, self.test_fraction, self.split_seed
        )

    def network(self, own: str) -> str:
        """Names the network of a task that has one of its own, for which the default stands."""
        return own if self.model == type(self).model else self.model
