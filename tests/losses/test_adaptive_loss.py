from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.losses import AdaptiveForm, LearnedLoss
from jaxloss.losses.adaptive import shape_and_scale, start_parameters

F, Y = np.random.default_rng(0).normal(0.0, 2.0, (2, 5, 3)).astype(np.float32)
APPLY = AdaptiveForm().family().apply


def parameters_of(alpha: float, scale: float) -> tuple[float, float]:
    """Inverts the maps, as written down here a second time."""
    share = (alpha - 0.01) / 2.49
    return float(np.log(share / (1 - share))), float(np.log(np.expm1(scale - 1e-6)))


@pytest.mark.parametrize(("alpha", "scale"), [(0.5, 2.0), (1.0, 1.0), (1.7, 0.3), (2.4, 5.0)])
def test_it_is_the_formula(alpha: float, scale: float):
    values = APPLY(jnp.asarray(parameters_of(alpha, scale)), jnp.asarray(F), jnp.asarray(Y))
    gap, d = abs(alpha - 2), (F.astype(np.float64) - Y) / scale
    expected = gap / alpha * ((d**2 / gap + 1) ** (alpha / 2) - 1)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_it_starts_beside_the_squared_error():
    start = AdaptiveForm().family().init(jax.random.key(0))
    np.testing.assert_allclose(start, start_parameters(), rtol=1e-6)
    found = shape_and_scale(start)
    np.testing.assert_allclose([found.alpha, found.scale], [2.01, np.sqrt(0.5)], rtol=1e-6)
    # d² at α = 2; at 2.01 a factor (d²/0.005)^0.005 or so more.
    values = APPLY(start, jnp.asarray(F), jnp.asarray(Y))
    np.testing.assert_allclose(values, (F - Y) ** 2, rtol=0.06)
    at_two = APPLY(jnp.asarray(parameters_of(2.0, np.sqrt(0.5))), jnp.asarray(F), jnp.asarray(Y))
    np.testing.assert_allclose(at_two, (F - Y) ** 2, rtol=1e-3)


def test_special_shapes_are_known_losses():
    d = F - Y
    near_zero = APPLY(jnp.asarray((-100.0, parameters_of(1.0, 1.0)[1])), F, Y)
    # Cauchy's loss in the limit α → 0, here 0.01.
    np.testing.assert_allclose(near_zero, np.log1p(d**2 / 2), rtol=0.02)
    one = APPLY(jnp.asarray(parameters_of(1.0, 1.0)), F, Y)
    np.testing.assert_allclose(one, np.sqrt(d**2 + 1) - 1, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("raw", [(-1e30, -1e30), (1e30, 1e30), (0.0, 0.0), (-50.0, -200.0)])
def test_shape_and_scale_stay_in_their_ranges(raw: tuple[float, float]):
    alpha, scale = shape_and_scale(jnp.asarray(raw))
    assert 0.01 - 1e-7 <= alpha <= 2.5 + 1e-6
    assert 0 < scale < np.inf
    # The printed numbers come another way.
    words = AdaptiveForm().describe(raw, digits=6)
    assert f"alpha = {float(alpha):.3g}"[:11] in words


HOSTILE = (0.0, 1e-30, 1.0, -1e3, 1e7, -1e9)


@pytest.mark.parametrize("raw", [start_parameters(), (-20.0, 0.0), (20.0, 1.0), (0.0, -5.0)])
def test_derivatives_are_finite_and_nothing_pulls_at_the_target(raw: tuple[float, float]):
    f, y = (part.ravel() for part in jnp.meshgrid(jnp.asarray(HOSTILE), jnp.asarray(HOSTILE)))

    def slopes(numbers: Any) -> Any:
        return jax.grad(lambda f: APPLY(numbers, f, y).sum())(f)

    numbers = jnp.asarray(raw)
    for values in (APPLY(numbers, f, y), slopes(numbers), jax.jacfwd(slopes)(numbers)):
        assert np.all(np.isfinite(values))
    same = f == y
    np.testing.assert_array_equal(APPLY(numbers, f, y)[same], 0.0)
    np.testing.assert_array_equal(slopes(numbers)[same], 0.0)


LOSS = LearnedLoss(AdaptiveForm(), parameters_of(1.25, 0.5), "identity")


def test_it_reads_back_from_its_text_exactly():
    again = LearnedLoss.from_json(LOSS.to_json())
    assert again == LOSS
    np.testing.assert_array_equal(again(F, Y), LOSS(F, Y))


def test_it_names_shape_and_scale():
    words = "Barron's general robust loss of f - y, alpha = 1.25, c = 0.5"
    assert LOSS.formula() == str(LOSS) == words
    assert not LOSS.is_symbolic
    assert LOSS.form.size == 2
    with pytest.raises(InvalidInputError, match="'adaptive' is no formula"):
        LOSS.sympy()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "got nothing"),
        ({"variables": ["f", "y"], "alpha": 1.0}, "described by variables; got alpha, variables"),
        ({"variables": ["f"]}, "a prediction and a target, got the variables f"),
        ({"variables": {"f": 1}}, "a list of variable names"),
    ],
)
def test_data_of_no_adaptive_loss_are_refused(data: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        AdaptiveForm.from_data(data)
