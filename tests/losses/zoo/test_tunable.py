import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.learning.compilation import jit_brief
from jaxloss.losses import zoo
from jaxloss.losses.binding import BoundLoss
from jaxloss.losses.tunable import ParameterRange, fixed
from jaxloss.losses.zoo.tunable import KEPT, RANGES, tunable

OUTPUTS = {
    "identity": jnp.array([[0.3], [-2.0], [1.5]]),
    "sigmoid": jnp.array([[0.3], [-2.0], [1.5]]),
    "softmax": jnp.array([[0.3, -1.0, 0.5], [2.0, 0.0, -0.5], [-0.2, 0.1, 1.0]]),
    # Embeddings of two classes, near each other, before two anchors.
    "anchors": jnp.array(
        [
            [[0.1, 0.2], [0.3, 0.0], [0.0, 0.3]],
            [[0.3, 0.1], [0.3, 0.0], [0.0, 0.3]],
            [[0.1, 0.4], [0.3, 0.0], [0.0, 0.3]],
        ]
    ),
    "masks": jnp.array([[[0.3, -1.0], [0.5, 2.0]], [[-0.5, 0.2], [0.1, 1.0]]]),
}
TARGETS = {
    "identity": jnp.array([0.0, 1.0, 1.2]),
    "sigmoid": jnp.array([0, 0, 1]),
    "softmax": jnp.array([0, 0, 1]),
    "anchors": jnp.array([0, 0, 1]),
    "masks": jnp.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 1.0]]]),
}
PAIRS = {
    (name, parameter.name): parameter
    for name in zoo.names()
    for parameter in zoo.get(name).parameters
    if zoo.views_of(zoo.get(name))
}


def test_every_parameter_is_tuned_or_kept_for_a_reason():
    assert set(RANGES) | set(KEPT) == set(PAIRS)
    assert not set(RANGES) & set(KEPT)


@pytest.mark.parametrize("pair", RANGES)
def test_ranges_hold_the_default_and_only_what_is_allowed(pair: tuple[str, str]):
    low, high, log = RANGES[pair]
    allowed = PAIRS[pair]
    assert allowed.low <= low < allowed.default < high <= allowed.high
    assert not log or low > 0


def rows_of(name: str, parameter: str) -> list[dict[str, float]]:
    """The parameter at both ends of its range."""
    entry = zoo.get(name)
    loss = tunable(entry, zoo.views_of(entry)[0])
    usual = {one.name: one.default for one in loss.parameters}
    (own,) = [one for one in loss.parameters if one.name == parameter]
    return [{**usual, parameter: own.at(share)} for share in (0.0, 1.0)]


@pytest.fixture(scope="module")
def slopes() -> dict[str, list[np.ndarray]]:
    """The gradient at both ends of each range, with numbers that are traced and that are not."""

    def slope(loss: BoundLoss, outputs: Array, targets: Array) -> Array:
        return jax.grad(lambda outputs: jnp.sum(loss(outputs, targets)))(outputs)

    def found(rows: dict[str, Array]) -> dict[str, list[Array]]:
        both = {}
        for name, parameter in RANGES:
            entry, key = zoo.get(name), f"{name} {parameter}"
            view = zoo.views_of(entry)[0]
            loss, seen = tunable(entry, view), (3 * OUTPUTS[view], TARGETS[view])
            fixed = [zoo.as_task_loss(entry, view, **row) for row in rows_of(name, parameter)]
            both[key] = [
                jax.vmap(lambda row, loss=loss, seen=seen: slope(loss.bind(row), *seen))(rows[key]),
                jnp.stack([slope(one, *seen) for one in fixed]),
            ]
        return both

    rows = {
        f"{name} {parameter}": np.array(
            [list(row.values()) for row in rows_of(name, parameter)], np.float32
        )
        for name, parameter in RANGES
    }
    return jax.tree.map(np.asarray, jit_brief(found)(rows))


@pytest.mark.parametrize("pair", RANGES)
def test_a_traced_parameter_changes_the_gradient(
    slopes: dict[str, list[np.ndarray]], pair: tuple[str, str]
):
    found, expected = slopes[" ".join(pair)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert np.all(np.isfinite(found))
    assert not np.allclose(found[0], found[1], rtol=1e-2)


def test_given_parameters_are_where_tuning_starts_and_what_is_kept():
    entry = zoo.get("sce")
    loss = tunable(entry, "softmax", alpha=0.5, log_zero=-6.0)
    assert [(one.name, one.default) for one in loss.parameters] == [("alpha", 0.5), ("beta", 1.0)]
    bound = loss.bind(jnp.array([0.5, 1.0]))(OUTPUTS["softmax"], TARGETS["softmax"])
    usual = zoo.as_task_loss(entry, "softmax", alpha=0.5, log_zero=-6.0)
    np.testing.assert_allclose(bound, usual(OUTPUTS["softmax"], TARGETS["softmax"]), rtol=1e-6)
    with pytest.raises(InvalidInputError, match="alpha of symmetric_cross_entropy must be"):
        tunable(entry, "softmax", alpha=-1.0)


@pytest.mark.parametrize(
    "name", ["cross_entropy", "binary_cross_entropy", "mse", "mae", "log_cosh"]
)
def test_plain_losses_have_nothing_to_tune(name: str):
    entry = zoo.get(name)
    view = zoo.views_of(entry)[0]
    loss, usual = tunable(entry, view), zoo.as_task_loss(entry, view)
    assert loss.parameters == ()
    values = loss.bind(jnp.zeros(0))(OUTPUTS[view], TARGETS[view])
    np.testing.assert_array_equal(values, usual(OUTPUTS[view], TARGETS[view]))


def test_what_is_tuned_of_a_loss_with_several_parameters():
    loss = tunable(zoo.get("sce"), "softmax")
    assert [one.name for one in loss.parameters] == ["alpha", "beta"]
    with pytest.raises(InvalidInputError, match="fits tasks of view softmax"):
        tunable(zoo.get("gce"), "identity")


def test_equal_losses_share_their_programs():
    one, other = (tunable(zoo.get("gce"), "softmax") for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one.bind != tunable(zoo.get("sce"), "softmax").bind


def test_shares_of_a_range():
    linear = ParameterRange("a", 1.0, 1.0, 9.0)
    by_ratio = ParameterRange("b", 1.0, 1.0, 9.0, log=True)
    assert [linear.at(share) for share in (0.0, 0.5, 1.0)] == [1.0, 5.0, 9.0]
    assert [by_ratio.at(share) for share in (0.0, 0.5, 1.0)] == [1.0, 3.0, 9.0]
    with pytest.raises(InvalidInputError, match="range of c must rise, got 2 to 1"):
        ParameterRange("c", 1.0, 2.0, 1.0).at(0.5)
    with pytest.raises(InvalidInputError, match="range of d must rise from above 0, got 0 to 1"):
        ParameterRange("d", 1.0, 0.0, 1.0, log=True).at(0.5)


def test_a_fixed_loss_takes_no_parameters():
    usual = zoo.as_task_loss(zoo.get("mse"), "identity")
    loss = fixed(usual)
    assert loss.bind(jnp.zeros(0)) is usual
    assert fixed(usual) == loss
    with pytest.raises(InvalidInputError, match="a fixed loss takes no parameters, got 1"):
        loss.bind(jnp.zeros(1))
