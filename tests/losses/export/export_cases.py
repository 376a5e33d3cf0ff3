"""Losses of every kind with inputs that ask much of them, and what jaxloss computes there."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxloss import LearnedLoss, TreeForm, parse, zoo
from jaxloss.losses import AdaptiveForm, NetworkForm, OnlineForm, TaylorForm, zoo_form
from jaxloss.losses.export.views import MEANINGS
from jaxloss.losses.views import view_named
from jaxloss.symbols import PrimitiveSet
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES, BOX_PRIMITIVES
from jaxloss.symbols.primitives import PRIMITIVES, Primitive

GROUPS = ("primitives", "trees", "families", "zoo")


class Case(NamedTuple):
    """A loss, what tells it from the others, and on what it is tried."""

    name: str
    loss: LearnedLoss
    labels: str = ""

    @property
    def inputs(self) -> str:
        """Key of `INPUTS`."""
        return f"{self.labels} {self.loss.view}".strip()


class Computed(NamedTuple):
    """Values for each example, and the gradient of their sum by the outputs."""

    values: np.ndarray
    gradient: np.ndarray


def _pairs(values: Sequence[float]) -> np.ndarray:
    return np.array(np.meshgrid(values, values)).reshape(2, -1).T


_GENERATOR = np.random.default_rng(0)

# Zeros, kinks, guards, equal numbers, and numbers whose squares and exponentials are huge; those of
# one size in one example, so that the small do not vanish in the sum.
_HOSTILE = (0.0, 1.0, -1.0, 0.5, 50.0, -1e-7, 1e-30, -1e4, 1e30)
_GRID = np.array(sorted(_pairs(_HOSTILE), key=lambda pair: np.max(np.abs(pair))))
_LOGITS = np.concatenate(
    [
        2.0 * _GENERATOR.normal(size=(18, 3)),
        np.zeros((3, 3)),
        [[1, 0, 0], [1e4, -1e4, 0], [1e4, 1e4, 0], [-1e4, 0, 0], [40, 0, 0], [800, 0, 0]],
    ]
)
_SCORES = np.array([*_pairs((0.0, 1.0, -1.0, 40.0, -1e4)).ravel(), *_GENERATOR.normal(size=31)])
_CORNERS = _GENERATOR.uniform(0, 40, (6, 2))
_TRUE_BOXES = np.concatenate(
    [
        np.concatenate([_CORNERS, _CORNERS + _GENERATOR.uniform(4, 24, (6, 2))], 1),
        # Outputs of 0 decode to 24, 24, 40, 40: the same, half, touching, empty.
        [[24, 24, 40, 40], [32, 24, 48, 40], [40, 24, 56, 40], [24, 24, 24, 24]],
    ]
)
_CLASSES = np.arange(27, dtype=np.int32) % 3

# Of one shape where that can be, so that JAX compiles an operation once for most losses.
INPUTS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "identity": (_GRID[:, 0].reshape(27, 3), _GRID[:, 1].reshape(27, 3)),
    "softmax": (_LOGITS, _CLASSES),
    "logits": (_LOGITS, _CLASSES),
    "sigmoid": (_SCORES.reshape(27, 3), (_GENERATOR.random((27, 3)) < 0.5) * 1.0),
    "soft softmax": (_LOGITS, _GENERATOR.dirichlet(np.ones(3), 27)),
    "one-hot softmax": (_LOGITS, np.eye(3)[_CLASSES]),
    # Numbers beside the classes stand for none.
    "odd softmax": (_LOGITS, _CLASSES * 2 - 1),
    "soft sigmoid": (_SCORES.reshape(27, 3), _GENERATOR.random((27, 3))),
    "boxes": (np.concatenate([_GENERATOR.normal(size=(6, 4)), np.zeros((4, 4))]), _TRUE_BOXES),
    # The first embedding lies on an anchor.
    "anchors": (
        np.concatenate([np.ones((1, 4, 2)), _GENERATOR.normal(size=(26, 4, 2))]),
        _CLASSES,
    ),
    # An empty mask and a whole one among them.
    "masks": (
        _GENERATOR.normal(scale=3.0, size=(6, 3, 4)),
        np.stack([np.tri(3, 4, last) for last in (-3, -2, -1, 0, 1, 3)]),
    ),
}
"""Outputs and targets for each view, and for some with other labels."""


def _weighted(tree: Any, variables: tuple[str, ...], view: str, seed: int | None) -> LearnedLoss:
    form = TreeForm(tree, variables)
    weights = np.ones(form.parameter_count)
    if seed is not None:
        weights = np.random.default_rng(seed).uniform(-1.5, 1.5, form.parameter_count)
    return LearnedLoss(form, tuple(weights.tolist()), view)


def _of_one_primitive(primitive: Primitive, seed: int | None) -> LearnedLoss:
    view = "identity" if primitive.elementwise else "logits"
    variables = view_named(view).variables
    alphabet = PrimitiveSet(ALL_PRIMITIVES, variables)
    # Both variables and a number, so that each argument meets each hostile number.
    arguments = variables if primitive.arity == 2 else variables[:1]
    call = f"{primitive.name}({', '.join(arguments)})"
    number = f"{primitive.name}({', '.join(['0.25', *variables][: primitive.arity])})"
    text = f"add({call}, mul({number}, {variables[0]}))"
    return _weighted(parse(text, alphabet), variables, view, seed)


def random_tree(seed: int, view: str, primitives: Sequence[Primitive], height: int) -> LearnedLoss:
    """Draws a tree of the view's variables; every second seed weighs its edges."""
    generator, variables = np.random.default_rng(seed), view_named(view).variables
    leaves = [*variables, *variables, "1", "-1", "0.5"]

    def grow(left: int) -> str:
        if left == 0 or (left < height and generator.random() < 0.2):
            return leaves[int(generator.integers(len(leaves)))]
        primitive = primitives[int(generator.integers(len(primitives)))]
        return f"{primitive.name}({', '.join(grow(left - 1) for _ in range(primitive.arity))})"

    tree = parse(grow(height), PrimitiveSet(ALL_PRIMITIVES, variables))
    return _weighted(tree, variables, view, seed if seed % 2 else None)


def _drawn(form: Any, view: str, low: float = -0.6, high: float = 1.0) -> LearnedLoss:
    numbers = np.random.default_rng(3).uniform(low, high, form.parameter_count)
    return LearnedLoss(form, tuple(numbers.tolist()), view)


def _families() -> list[Case]:
    small = NetworkForm((3,), biases=True, activation="smooth_leaky_relu")
    losses = [
        _drawn(TaylorForm(), "identity"),
        _drawn(TaylorForm(4), "softmax"),
        # A single term, with factor -1; and none.
        LearnedLoss(TaylorForm(), (0.0, 0.5, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0), "sigmoid"),
        LearnedLoss(TaylorForm(), (0.0,) * 8, "identity"),
        _drawn(NetworkForm((3, 3)), "identity"),
        _drawn(small, "softmax"),
        _drawn(NetworkForm((3,), output="relu", variables=("x", "y")), "logits"),
        _drawn(NetworkForm((3,), output="identity"), "sigmoid"),
        _drawn(NetworkForm((3,), averages=True), "softmax"),
        _drawn(AdaptiveForm(), "identity"),
        _drawn(AdaptiveForm(), "softmax", -9.0, 3.0),
        _drawn(OnlineForm(small), "sigmoid"),
        # Its own names for the variables.
        _weighted(parse("p*log(t)", PrimitiveSet(variables=("p", "t"))), ("p", "t"), "softmax", 1),
    ]
    return [Case(f"{loss.form.kind} {place}", loss) for place, loss in enumerate(losses)]


OF_A_BATCH = ("anchored", "embedding_pair", "labelled", "triplet")
"""Kinds that compare the examples of a batch, or anchors, with each other: not written as source.
"""


def _of_the_zoo() -> list[Case]:
    plain = [
        (name, view)
        for name, entry in zoo.ZOO.items()
        if entry.kind not in (*OF_A_BATCH, "detections")
        for view in sorted({*zoo.views_of(entry)} - {"sigmoid"} - MEANINGS.keys())
        or set(zoo.views_of(entry)) - MEANINGS.keys()
    ]
    # Tasks of the softmax view, whose formula is one of logits.
    plain += [
        (name, "logits")
        for name, entry in zoo.ZOO.items()
        if "logits" in entry.written_views and "softmax" in zoo.views_of(entry)
    ]
    shaped = [
        ("huber:delta=0.3", "identity"),
        ("barron:alpha=0:scale=2", "identity"),
        ("barron:alpha=-2:scale=0.3", "identity"),
        ("barron:alpha=2", "identity"),
        ("quantile:tau=0.1", "identity"),
        ("focal:gamma=0.5", "softmax"),
        ("squared_hinge", "sigmoid"),
        ("label_smoothing:xi=0.3", "softmax"),
        ("poly1:epsilon=-1", "softmax"),
        ("symmetric_cross_entropy:alpha=1:beta=0.3:log_zero=-7", "softmax"),
        ("absolute_cross_entropy:phi_0=2:phi_1=0.4", "softmax"),
        ("baikal:w_0=0.3:w_1=2:w_2=0.7", "softmax"),
        ("energy_nll:beta=0.3", "softmax"),
        ("xtreme_margin:lambda_0=0.3:lambda_1=0.7", "sigmoid"),
        ("tversky:alpha=0.6:beta=0.2:smooth=0.5", "masks"),
        ("psg:alpha=0.5:entropy=0.3:overlap=2", "masks"),
        ("psg:alpha=0:entropy=0", "masks"),
    ]
    labelled = [
        ("focal", "sigmoid", "soft"),
        ("binary_cross_entropy", "sigmoid", "soft"),
        *((name, "softmax", "soft") for name in ("kl", "nll", "symmetric_cross_entropy", "poly1")),
        *((name, "softmax", "one-hot") for name in ("multiclass_hinge", "energy_hinge", "mae")),
        *(
            (name, "softmax", "odd")
            for name in ("multiclass_hinge", "multiclass_perceptron", "nll")
        ),
    ]
    every = [*((*pair, "") for pair in (*plain, *shaped)), *labelled]
    return [
        Case(f"{name}, {view} {labels}", LearnedLoss(zoo_form(name, view), (), view), labels)
        for name, view, labels in every
    ]


_WHOLE = (
    "softmax(1)*y",
    "dot(1, 2) + x",
    "softmax(sqrt(2)) - dot(x, 3)",
    "-y*log(softmax(x)) - -0.5*x",
    "neg(neg(x)) - neg(y)*neg(x - y)",
    "mul(dot(serf(x), sgdf(y)), add(salf(x), ratio(y, softplus(neg(x)))))",
    "sub(relu(cos(sin(x))), sigmoid(exp(mul(x, dot(softmax(x), y)))))",
    "abs(log(x - y)) * abs(log(x - y)) - max(1, x) + min(y, -1) - (1 - (1 - x))",
    "log(2)",
)
"""Numbers as arguments, signs, the same call twice, functions along an axis."""


def _trees() -> list[Case]:
    logits = PrimitiveSet(ALL_PRIMITIVES, ("x", "y"))
    cases = [
        Case(text, _weighted(parse(text, logits), ("x", "y"), "logits", None)) for text in _WHOLE
    ]
    for seed, view, primitives, height in (
        *((seed, "identity", PRIMITIVES, 5) for seed in range(5)),
        *((seed, "softmax", PRIMITIVES, 4) for seed in range(4)),
        *((seed, "logits", ALL_PRIMITIVES, 4) for seed in range(5)),
        *((seed, "boxes", BOX_PRIMITIVES.primitives, 4) for seed in range(2)),
        *((seed, "anchors", PRIMITIVES, 4) for seed in range(2)),
        *((seed, "masks", PRIMITIVES, 4) for seed in range(2)),
    ):
        loss = random_tree(seed, view, primitives, height)
        cases.append(Case(f"{view} {seed}: {loss.formula()}", loss))
    return cases


def all_cases() -> dict[str, list[Case]]:
    """Makes every case, by group."""
    primitives = [
        Case(f"{primitive.name}{'' if seed is None else ', weighted'}", loss)
        for primitive in ALL_PRIMITIVES
        for seed in (None, 2)
        for loss in (_of_one_primitive(primitive, seed),)
    ]
    return {
        "primitives": primitives,
        "trees": _trees(),
        "families": _families(),
        "zoo": _of_the_zoo(),
    }


def computed(loss: Callable[[Any, Any], Any], outputs: np.ndarray, targets: np.ndarray) -> Computed:
    """Computes values and gradient with JAX, operation by operation."""

    def summed(outputs: Any) -> Any:
        values = loss(outputs, jnp.asarray(targets))
        return jnp.sum(values), values

    (_, values), gradient = jax.value_and_grad(summed, has_aux=True)(jnp.asarray(outputs))
    return Computed(np.asarray(values), np.asarray(gradient))


def disagreement(found: Computed, own: Computed) -> str | None:
    """Says where two computations differ by more than 1e-6, wherever jaxloss's is finite."""
    for what, other, expected in zip(("value", "slope"), found, own, strict=True):
        finite = np.isfinite(expected)
        close = np.isclose(other, expected, rtol=1e-6, atol=1e-12)
        wrong = np.argwhere(finite & ~close)
        if len(wrong):
            place = tuple(wrong[0])
            return f"{what} at {place}: {other[place]}, in jaxloss {expected[place]}"
    return None
