import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
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
}
TARGETS = {
    "identity": jnp.array([0.0, 1.0, 1.2]),
    "sigmoid": jnp.array([0, 0, 1]),
    "softmax": jnp.array([0, 0, 1]),
    "anchors": jnp.array([0, 0, 1]),
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


@pytest.mark.parametrize("pair", RANGES)
def test_a_traced_parameter_changes_the_gradient(pair: tuple[str, str]):
    name, parameter = pair
    entry = zoo.get(name)
    view = zoo.views_of(entry)[0]
    loss, outputs = tunable(entry, view), 3 * OUTPUTS[view]
    (own,) = [one for one in loss.parameters if one.name == parameter]
    usual = {one.name: one.default for one in loss.parameters}
    values = [{**usual, parameter: own.at(share)} for share in (0.0, 1.0)] + [usual]

    def slope(loss: BoundLoss) -> jax.Array:
        return jax.grad(lambda outputs: jnp.sum(loss(outputs, TARGETS[view])))(outputs)

    rows = jnp.array([list(one.values()) for one in values], jnp.float32)
    found = jax.vmap(lambda row: slope(loss.bind(row)))(rows)
    expected = [slope(zoo.as_task_loss(entry, view, **one)) for one in values]
    np.testing.assert_allclose(found, np.stack(expected), rtol=1e-4, atol=1e-6)
    assert np.all(np.isfinite(found))
    assert not np.allclose(found[0], found[1], rtol=1e-2)


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
