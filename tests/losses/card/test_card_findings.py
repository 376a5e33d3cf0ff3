"""What a card says of losses that are known; values by hand unless a source is named."""

import math
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from card_losses import all_found, formula, found, looked, of_zoo

from jaxloss import (
    AdaptiveForm,
    InvalidInputError,
    LearnedLoss,
    NetworkForm,
    OnlineForm,
    TaylorForm,
    explain,
    zoo,
)
from jaxloss.losses.adaptive import start_parameters
from jaxloss.losses.card.bench import Bench
from jaxloss.losses.card.curves import beliefs
from jaxloss.losses.card.explain import explain_entry, findings
from jaxloss.losses.card.finding import find
from jaxloss.losses.card.lines import main_lines
from jaxloss.losses.card.minimum import Minimum, minima
from jaxloss.losses.card.probe import Probe, Sample
from jaxloss.losses.card.relatives import Compared, relatives, zoo_gradients
from jaxloss.losses.card.simplex import simplex_findings
from jaxloss.losses.card.structured import structured_findings
from jaxloss.losses.card.study import study
from jaxloss.losses.card.subject import entry_subject, learned_subject


def test_cross_entropy_is_proper_and_asks_for_certainty():
    loss = "cross_entropy", "softmax"
    assert found("proper", *loss).holds is True
    assert found("convex", *loss).holds is True
    assert found("noise_tolerant", *loss).holds is False
    assert found("smoothing", *loss).numbers["xi"] == 0.0
    # ∂/∂x = f − y: towards 1 and -1 for a confidently wrong example.
    assert found("bounded_gradient", *loss).numbers["largest"] == pytest.approx(2**0.5)


def test_mae_is_noise_tolerant_and_not_proper():
    loss = "mae", "softmax"
    tolerant = found("noise_tolerant", *loss)
    assert tolerant.holds is True
    # Σ_k Σ_j |f_j − [j = k]| = 2(C − 1), https://arxiv.org/abs/1712.09482.
    assert "always 4:" in tolerant.statement
    assert found("proper", *loss).holds is False
    assert found("calibrated", *loss).holds is True
    assert found("pull", *loss).holds is False


def test_a_sum_over_labels_may_be_0():
    # Σ_k Σ_j f_j (1 − 10 [j = k]) = 10 − 10.
    tolerant = found("noise_tolerant", "f*(1 - 10*y)", "softmax", 10)
    assert tolerant.holds is True
    assert "always 0:" in tolerant.statement


def test_many_classes_take_little_memory():
    sizes = list[int]()

    class Counting(Probe):
        def __call__(self, outputs: np.ndarray, targets: np.ndarray, double: bool = True) -> Sample:
            del targets, double
            sizes.append(outputs.size)
            return Sample(np.zeros(len(outputs)), np.zeros_like(outputs))

    few = looked("mae", "softmax")
    loss, lines = few.subject.loss, main_lines(few.subject, 1000)
    many = replace(few, probe=Counting(loss), lines=lines)
    every = simplex_findings(many, Minimum("point", 0.0, 0.0, 0.0))
    how = "the sum over all 1000 labels at outputs of 0 and 39 random ones"
    assert find(every, "noise_tolerant").how == how
    assert max(sizes) <= 4096 * 1000
    assert sum(size for size in sizes if size >= 1000 * 1000) == 40 * 1000 * 1000


@pytest.mark.parametrize(
    ("text", "xi"), [("label_smoothing", 0.1), ("label_smoothing:xi=0.2", 0.2)]
)
def test_label_smoothing_gives_its_own_smoothing(text: str, xi: float):
    smoothing = found("smoothing", text, "softmax")
    assert smoothing.numbers["xi"] == pytest.approx(xi, abs=1e-6)
    assert smoothing.numbers["probability"] == pytest.approx(1 - xi + xi / 3, abs=1e-6)
    assert found("proper", text, "softmax").holds is False


@pytest.mark.parametrize(
    ("text", "classes"),
    [("abs(log(1.1*y*f))", 3), ("abs(log(1.1*y*f))", 10), ("absolute_cross_entropy", 3)],
)
def test_absolute_cross_entropy_smooths_labels(text: str, classes: int):
    minimum, smoothing, rest = (
        found(topic, text, "softmax", classes) for topic in ("minimum", "smoothing", "stationary")
    )
    assert minimum.numbers["probability"] == pytest.approx(1 / 1.1, abs=1e-7)
    xi = classes / (classes - 1) * (1 - 1 / 1.1)
    assert smoothing.numbers["xi"] == pytest.approx(xi, abs=1e-6)
    assert "p = 0.9091" in minimum.statement
    # A corner: slopes -(1 - p) and 1 - p by the right class's logit.
    assert rest.holds is False


def test_huber_is_convex_with_a_bounded_gradient():
    loss = "huber:delta=0.5"
    assert found("convex", loss).holds is True
    assert found("smooth", loss).holds is True
    assert found("bounded_gradient", loss).holds is True
    assert found("bounded_gradient", loss).numbers["largest"] == pytest.approx(0.5)
    assert found("growth", loss).holds is True
    assert found("minimum", loss).statement == "At f = y; there it is 0."


def test_a_loss_that_falls_without_end_says_so():
    loss = "y - f"
    assert found("unbounded_below", loss).holds is True
    assert "unbounded below" in found("unbounded_below", loss).statement
    assert found("minimum", loss).statement == "Nowhere: it falls without end."
    assert found("minimum_at_target", loss).holds is False
    # A logarithm has no end either, however slow it is; 1/√(1 + f²) does not go below 0.
    assert found("unbounded_below", "y - log(1 + abs(f))").holds is True
    assert found("unbounded_below", "y / f").holds is False


@pytest.mark.parametrize(
    ("text", "exponent", "robust"),
    [
        ("square(f - y)", 1.0, False),
        ("abs(f - y)", 0.0, True),
        ("sqrt(abs(f - y))", -0.5, True),
        ("square(f - y) * abs(f - y)", 2.0, False),
        ("log(1 + square(f - y))", -1.0, True),
    ],
)
def test_the_growth_of_the_gradient_is_measured(text: str, exponent: float, robust: bool):
    growth = found("growth", text)
    assert growth.numbers["exponent"] == pytest.approx(exponent, abs=1e-3)
    assert growth.holds is robust


@pytest.mark.parametrize(
    ("text", "words", "at_one"),
    [
        ("square(f - y - 0.3)", "At f = y + 0.3.", 1.3),
        ("abs(y - 2*f)", "At f = 0.5 · y.", 0.5),
        ("square(f - 0.7) + 0 * y", "At f = 0.7, whatever the target.", 0.7),
        ("square(square(f - y) - 0.25)", "", 0.5),
        # 0.3 beside it this is 7e-5, and 1e8 far out; the other is 1 to the last bit within 1e-4.
        ("square(square(square(f - y - 0.3)))", "At f = y + 0.3.", 1.3),
        ("1 + square(square(f - y - 0.3))", "At f = y + 0.3.", 1.3),
    ],
)
def test_minima_beside_the_target_are_found(text: str, words: str, at_one: float):
    minimum = found("minimum", text)
    assert minimum.numbers["y = 1"] == pytest.approx(at_one, abs=1e-6)
    assert minimum.statement == words or not words
    at_target = found("minimum_at_target", text)
    assert at_target.holds is False
    assert at_target.counterexample


def test_a_minimum_is_no_stretch_because_the_loss_is_huge_far_out():
    assert {one.kind for one in minima(looked("square(square(square(f - y)))"))} == {"point"}
    # 1e-8 in the middle, and 1e32 far out.
    low = minima(looked("square(square(square(f - y))) + 0.00000001"))
    assert [one.value for one in low] == pytest.approx([1e-8] * len(low))


def test_what_a_loss_is_near_its_minimum_is_seen_though_it_is_huge_far_out():
    # e⁸ + |e|: a corner at e = 0, beside slopes of 1e16 far out.
    assert found("smooth", "square(square(square(f - y))) + abs(f - y)").holds is False
    # e¹² + 3 tanh(2e²): at e = 0.7 the second derivative is about -6.
    dented = "square(square(square(f - y)))*square(square(f - y)) + 3*tanh(2*square(f - y))"
    assert found("convex", dented).holds is False
    # 12·e² and up: convex and smooth, however huge.
    for text in ("square(square(f - y))", "square(square(square(f - y)))"):
        assert found("convex", text).holds is True
        assert found("smooth", text).holds is True


def test_both_wells_of_a_double_well_are_named():
    assert "f = 0.5 and 1.5 for y = 1" in found("minimum", "square(square(f - y) - 0.25)").statement
    # From f = 0.5 the loss rises to 1/16 at f = y and falls again.
    monotone = found("monotone", "square(square(f - y) - 0.25)")
    assert monotone.holds is False
    assert monotone.counterexample is not None
    assert "0.0625 at f = " in monotone.counterexample


def test_a_corner_and_a_slope_at_the_target_are_told_apart():
    corner = found("stationary", "quantile:tau=0.3")
    assert corner.holds is False
    # max(τ(y − f), (τ − 1)(y − f)): -τ below, 1 − τ above.
    assert "from -0.3 to 0.7" in corner.statement
    assert found("symmetric", "quantile:tau=0.3").holds is False
    assert found("smooth", "quantile:tau=0.3").holds is False
    assert found("stationary", "square(f - y)").holds is True
    moves_on = found("stationary", "square(f - y - 0.3)")
    assert moves_on.holds is False
    assert "-0.6" in moves_on.statement


def test_a_counterexample_to_convexity_is_one():
    convex = found("convex", "tanh(square(f - y))")
    assert convex.holds is False
    words = str(convex.counterexample)
    # "M in the middle of A and B: output m between a and b, y = t"
    middle, ends = words.split(" in the middle of ")
    left, right = ends.split(":")[0].split(" and ")
    assert float(middle) > (float(left) + float(right)) / 2
    places, target = words.split("output ")[1].split(", y = ")
    centre, between = places.split(" between ")
    a, b = map(float, between.split(" and "))
    assert float(centre) == pytest.approx((a + b) / 2)
    assert float(middle) == pytest.approx(math.tanh((float(centre) - float(target)) ** 2), rel=1e-3)


def test_a_loss_of_more_than_the_error_says_so():
    assert found("error_alone", "square(f - y)").holds is True
    assert found("error_alone", "square(f) - 2*f*y").holds is False


def test_a_loss_that_is_undefined_in_part_gets_a_card():
    every = findings(study(entry_subject(zoo.get("msle"), {})))
    defined = find(every, "defined")
    assert defined.holds is False
    # ln(1 + f) is no number for f < -1 and infinite at -1.
    assert "for f up to -1 " in defined.statement
    assert find(every, "minimum_at_target").holds is True
    assert find(every, "smooth").holds is True


def test_guards_are_seen_where_they_act():
    loss = "log(f)"
    assert found("defined", loss).holds is True
    bounded = found("bounded_gradient", loss)
    assert bounded.holds is False
    # The slope 1/f where the guard sets in, at 1e-7.
    assert bounded.numbers["largest"] == pytest.approx(1e7)


def test_infinity_is_no_bound():
    power = "square(" * 7 + "f - y" + ")" * 7
    assert found("bounded", power).holds is False
    entry = zoo.get("wgan_generator")
    endless = replace(entry, function=lambda scores: jnp.exp(jnp.square(scores)))
    assert find(structured_findings(Bench(endless, {})), "bounded").holds is False


def test_overflow_in_single_precision_is_found():
    sixteenth = "square(square(square(square(f - y))))"
    single = found("single_precision", sixteenth)
    assert single.holds is False
    # 3.4e38^(1/16) = 254 lies between 100 and 10^2.5.
    assert single.numbers["smallest"] == pytest.approx(10**2.5)
    far = found("single_precision", "square(f - y)")
    # √3.4e38 = 1.8e19 lies between 10^19 and 10^19.5.
    assert far.numbers["smallest"] == pytest.approx(10**19.5)
    assert far.holds is True


def test_a_loss_without_a_gradient_says_so():
    assert [finding.topic for finding in all_found("y - f", "softmax")] == ["flat"]
    assert found("flat", "y - f", "softmax").holds is True
    with pytest.raises(InvalidInputError, match="flat"):
        found("proper", "y - f", "softmax")


def test_margin_losses_are_read_over_the_score():
    assert found("minimum", "hinge", "sigmoid").numbers["satisfied"] == pytest.approx(1.0)
    assert found("calibrated", "hinge", "sigmoid").holds is True
    with pytest.raises(InvalidInputError):
        found("proper", "hinge", "sigmoid")
    # Crammer and Singer's hinge is least at a tie unless one class has more than half,
    # https://www.jmlr.org/papers/v8/tewari07a.html.
    several = found("calibrated", "multiclass_hinge", "softmax")
    assert several.holds is False
    assert several.counterexample == "for true probabilities (0.4, 0.3, 0.3)"


def test_boxes_apart_get_no_gradient_from_iou_but_from_giou():
    assert found("pull", "iou", "boxes").holds is False
    assert found("pull", "giou", "boxes").holds is True
    assert found("minimum_at_target", "iou", "boxes").holds is True


def test_a_loss_that_is_content_from_some_certainty_on_says_so():
    # Beyond f = y/1.05 the right class costs 1.05 f more, and the wrong ones 1.05 f less.
    scaled_mae = "abs(1.05*f - y)", "softmax"
    minimum = found("minimum", *scaled_mae)
    assert minimum.numbers["satisfied_probability"] == pytest.approx(1 / 1.05, abs=1e-5)
    assert "Wherever p is at least 0.9524" in minimum.statement
    # Summed over labels: 2·1.05 + Σ|1.05 f − 1|; 2.1 + 3 − 1.05 unless an f exceeds 1/1.05.
    tolerant = found("noise_tolerant", *scaled_mae)
    assert tolerant.holds is False
    assert 0 < tolerant.numbers["variation"] < 0.06
    assert "from 4.05 to 4.1" in tolerant.statement


def test_beliefs_show_what_is_learned_of_probabilities():
    honest, winner, smooth = (
        beliefs(looked(text, "softmax"))
        for text in ("cross_entropy", "mae", "label_smoothing:xi=0.2")
    )
    assert honest is not None
    assert winner is not None
    assert smooth is not None
    np.testing.assert_allclose(honest.predicted, honest.truth, atol=4e-3)
    # MAE names the likeliest, of the class and two others that share the rest.
    clear = np.abs(winner.truth - 1 / 3) > 0.02
    np.testing.assert_allclose(winner.predicted[clear], winner.truth[clear] > 1 / 3, atol=1e-3)
    # Label smoothing predicts (1 − ξ)q + ξ/C.
    np.testing.assert_allclose(smooth.predicted, 0.8 * smooth.truth + 0.2 / 3, atol=4e-3)
    assert beliefs(looked("hinge", "sigmoid")) is None


def test_a_taylor_loss_gets_a_card():
    # ½f² − f·y, least at f = y: θ20 = ½, θ11 = −1.
    loss = LearnedLoss(TaylorForm(), (0.0, 0.0, 0.0, 0.5, 0.0, -1.0, 0.0, 0.0), "identity")
    explanation = explain(loss)
    assert explanation.finding("minimum").statement == (
        "At f = y; its value there depends on the target."
    )
    assert explanation.finding("growth").numbers["exponent"] == pytest.approx(1.0, abs=1e-3)
    assert explanation.relatives[0].name in ("mse", "reconstruction", "ddpm")
    assert explanation.relatives[0].distance == pytest.approx(0.0, abs=1e-6)
    surface, curve = explanation.surface, explanation.curves.curves[0]
    assert surface is not None
    f, y = np.meshgrid(surface.predictions, surface.targets)
    np.testing.assert_allclose(surface.values, f**2 / 2 - f * y, atol=1e-12)
    np.testing.assert_allclose(surface.slopes, f - y, atol=1e-12)
    # The first curve is drawn for y = -1.
    np.testing.assert_allclose(curve.slopes, curve.places + 1, atol=1e-12)


def test_barrons_loss_gets_a_card():
    loss = LearnedLoss(AdaptiveForm(), start_parameters(), "identity")
    growth = find(findings(study(learned_subject(loss))), "growth")
    # α = 2.01: the gradient grows like d^(α − 1).
    assert growth.numbers["exponent"] == pytest.approx(1.01, abs=2e-3)


def test_networks_get_cards_adapting_or_not():
    form = NetworkForm(widths=(4,), biases=True)
    numbers = tuple(np.random.default_rng(0).normal(size=form.parameter_count).tolist())
    fixed, online = (
        findings(study(learned_subject(LearnedLoss(one, numbers, "softmax")), 3))
        for one in (form, OnlineForm(form))
    )
    # A softplus is above 0.
    assert find(fixed, "nonnegative").holds is True
    assert find(fixed, "symmetric").holds is True
    assert [one.statement for one in fixed] == [one.statement for one in online]


def test_relatives_do_not_mind_factors_constants_or_signs():
    huber = "5 + 3*(square(min(abs(f - y), 1)) + 2*max(abs(f - y) - 1, 0))"
    nearest = relatives(looked(huber))[0]
    assert nearest.name in ("huber", "smooth_l1")
    assert nearest.distance == pytest.approx(0.0, abs=1e-6)
    furthest = relatives(looked("0 - square(f - y)"))[-3:]
    assert {one.name for one in furthest} == {"mse", "reconstruction", "ddpm"}
    assert furthest[-1].distance == pytest.approx(2.0, abs=1e-6)
    assert "mae" not in {one.name for one in relatives(looked("abs(f - y)"), own="mae")}


def test_relatives_of_values_and_of_vectors_are_computed_once(monkeypatch: pytest.MonkeyPatch):
    asked = set[tuple[str, int]]()

    def recorded(view: str, width: int) -> Compared:
        asked.add((view, width))
        return zoo_gradients(view, width)

    monkeypatch.setattr("jaxloss.losses.card.relatives.zoo_gradients", recorded)
    for loss in ("abs(f - y)", "cosine"):
        assert relatives(looked(loss))
    assert len(asked) == 1


def test_numbers_of_classes_that_cannot_be_are_refused():
    with pytest.raises(InvalidInputError, match="classes must be from 2 to 1000, got 1"):
        explain(of_zoo("cross_entropy", "softmax"), classes=1)
    with pytest.raises(InvalidInputError, match="classes must be from 2 to 1000, got 1001"):
        explain_entry(zoo.get("triplet"), {}, classes=1001)


def test_every_statement_says_how_it_was_checked():
    for every in (all_found("mae", "softmax"), all_found("y - f"), all_found("iou", "boxes")):
        for finding in every:
            assert finding.how
            assert finding.statement.endswith(".")
            assert finding.holds is False or finding.counterexample is None


def test_precision_does_not_depend_on_the_settings():
    # The tests run in single precision, in which the minimum of a parabola is off by about 1e-4.
    loss = formula("square(f - y - 0.3)")
    assert explain(loss).finding("minimum").numbers["y = 2"] == pytest.approx(2.3, abs=1e-6)
