import hashlib
import json
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sympy

from jaxloss.errors import InvalidInputError
from jaxloss.losses import LearnedLoss, TreeForm, ZooForm, zoo_form
from jaxloss.symbols import PrimitiveSet, parse

KEY = jax.random.key(0)
LOGITS = 3 * jax.random.normal(KEY, (7, 4))
LABELS = jnp.array([0, 3, 1, 1, 2, 0, 3])
CROSS_ENTROPY = LearnedLoss(ZooForm("cross_entropy", "softmax"), (), "softmax")
TREE = LearnedLoss(
    TreeForm(parse("abs(y*log(f))")), (1.25, 2.0, 1.0, 0.5), "softmax", (("method", "evomal"),)
)
DIFFERENCE = LearnedLoss(TreeForm(parse("f - y")), (1.0, 1.0), "identity")


def gradient(loss: Any, outputs: Any, targets: Any) -> Any:
    return jax.grad(lambda outputs: jnp.mean(loss(outputs, targets)))(outputs)


def assert_same_loss(own: Any, other: Any, outputs: Any, targets: Any, rtol: float = 1e-5) -> None:
    np.testing.assert_allclose(own(outputs, targets), other(outputs, targets), rtol, atol=1e-6)
    np.testing.assert_allclose(
        gradient(own, outputs, targets), gradient(other, outputs, targets), rtol, atol=1e-6
    )


def test_cross_entropy_is_that_of_optax():
    optax_loss = optax.softmax_cross_entropy_with_integer_labels
    assert_same_loss(CROSS_ENTROPY, optax_loss, LOGITS, LABELS)


def test_cross_entropy_is_that_of_optax_at_extreme_logits():
    extreme = jnp.array([[80.0, -80.0], [-80.0, 80.0], [40.0, -40.0], [0.0, 80.0]])
    optax_loss = optax.softmax_cross_entropy_with_integer_labels
    for label in (0, 1):
        assert_same_loss(CROSS_ENTROPY, optax_loss, extreme, jnp.full(4, label))


@pytest.mark.parametrize("scale", [1.0, 80.0])
def test_binary_cross_entropy_is_that_of_optax(scale: float):
    loss = LearnedLoss(ZooForm("binary_cross_entropy", "sigmoid"), (), "sigmoid")
    outputs = scale * jnp.array([[-1.0], [0.0], [1.0], [-1.0], [1.0]])
    targets = jnp.array([0, 1, 1, 1, 0])

    def optax_loss(outputs: Any, targets: Any) -> Any:
        return optax.sigmoid_binary_cross_entropy(outputs[:, 0], targets.astype(jnp.float32))

    assert_same_loss(loss, optax_loss, outputs, targets)


def test_mse_is_the_squared_error():
    loss = LearnedLoss(ZooForm("mse", "identity"), (), "identity")
    outputs, targets = jnp.array([[1.0], [-2.0], [1e4]]), jnp.array([0.5, 1.0, 1e4])
    np.testing.assert_allclose(loss(outputs, targets), [0.25, 9.0, 0.0])
    np.testing.assert_allclose(
        gradient(loss, outputs, targets), [[1.0 / 3], [-6.0 / 3], [0.0]], rtol=1e-6
    )


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, TREE], ids=str)
def test_integer_and_one_hot_labels_agree(loss: LearnedLoss):
    one_hot = jax.nn.one_hot(LABELS, 4)
    np.testing.assert_array_equal(loss(LOGITS, LABELS), loss(LOGITS, one_hot))


def test_a_tree_sees_probabilities_and_sums_over_classes():
    probabilities = np.asarray(jax.nn.softmax(LOGITS))
    # Weights of abs(mul(y, log(f))): mul 1.25, y 2, log 1, f 0.5.
    expected = 2.5 * np.abs(np.log(0.5 * probabilities[np.arange(7), LABELS]))
    np.testing.assert_allclose(TREE(LOGITS, LABELS), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("view", "outputs", "targets", "message"),
    [
        ("softmax", (5, 1), (5,), "two classes or more, got .* use the sigmoid view"),
        ("softmax", (5,), (5,), "two classes or more"),
        ("softmax", (5, 3), (5, 4), "do not fit outputs"),
        ("identity", (5, 1), (4,), "do not fit outputs"),
        ("identity", (5, 2), (2, 5), "do not fit outputs"),
        ("identity", (5, 2, 3), (5, 3, 2), "do not fit outputs"),
        ("sigmoid", (5, 2), (5,), "do not fit outputs"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    view: str, outputs: tuple, targets: tuple, message: str
):
    loss = LearnedLoss(TreeForm(parse("f - y")), (1.0, 1.0), view)
    with pytest.raises(InvalidInputError, match=message):
        loss(jnp.zeros(outputs), jnp.zeros(targets))


@pytest.mark.parametrize("shapes", [((5, 1), (5,)), ((5,), (5, 1)), ((5, 2, 1), (5, 2))], ids=str)
def test_a_trailing_axis_of_one_may_be_there_or_not(shapes: tuple[tuple, tuple]):
    outputs, targets = (jnp.arange(float(np.prod(shape))).reshape(shape) for shape in shapes)
    np.testing.assert_array_equal(DIFFERENCE(outputs, targets), np.zeros(5))


@pytest.mark.parametrize("loss", [TREE, CROSS_ENTROPY, DIFFERENCE], ids=str)
def test_whole_numbers_as_outputs_are_refused(loss: LearnedLoss):
    # They would cut targets to whole numbers.
    with pytest.raises(InvalidInputError, match="expected floating-point numbers"):
        loss(jnp.array([[1, 2], [2, 3]]), jnp.array([[0.5, 0.5], [0.7, 0.3]]))


BOXES = LearnedLoss(
    TreeForm(parse("1 - i/u", PrimitiveSet(variables=("i", "u", "e"))), ("i", "u", "e")),
    (1.0, 1.5, 1.0, -0.25),
    "identity",
)


@pytest.mark.parametrize("loss", [TREE, CROSS_ENTROPY, BOXES], ids=str)
def test_a_loss_reads_back_from_its_text_exactly(loss: LearnedLoss):
    again = LearnedLoss.from_json(loss.to_json())
    assert again == loss
    assert again.to_json() == loss.to_json()


def test_parameters_that_are_no_short_decimals_survive():
    third = float(np.float32(1 / 3))
    loss = LearnedLoss(TreeForm(parse("f - y")), (third, 1e-300), "identity")
    assert LearnedLoss.from_json(loss.to_json()).parameters == (third, 1e-300)


@pytest.mark.parametrize(
    "parameters",
    [
        (1, 2),
        [1.0, 2.0],
        tuple(np.array([1, 2], np.float32)),
        tuple(jnp.array([1.0, 2.0])),
    ],
    ids=["whole", "list", "numpy", "jax"],
)
def test_parameters_of_any_type_make_one_loss(parameters: Any):
    usual = LearnedLoss(TreeForm(parse("f - y")), (1.0, 2.0), "identity")
    loss = LearnedLoss(TreeForm(parse("f - y")), parameters, "identity")
    assert loss == usual
    assert hash(loss) == hash(usual)
    assert loss.to_json() == usual.to_json()


def resigned(**changes: Any) -> str:
    """A file whose content was changed and whose checksum was made to fit."""
    content = json.loads(TREE.to_json()) | changes
    del content["sha256"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(canonical.encode()).hexdigest()})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", "loss"),
        ("version", 2),
        ("view", "sigmoid"),
        ("family", "zoo"),
        ("definition", {"expression": "y*log(f)", "variables": ["f", "y"]}),
        ("parameters", [1.25, 2.0, 1.0, 0.75]),
        ("origin", {"method": "another"}),
        ("sha256", "0" * 64),
    ],
)
def test_a_changed_file_is_refused(field: str, value: Any):
    content = json.loads(TREE.to_json())
    assert content[field] != value
    with pytest.raises(InvalidInputError):
        LearnedLoss.from_json(json.dumps(content | {field: value}))


def test_an_honestly_signed_file_is_read():
    assert LearnedLoss.from_json(resigned()) == TREE
    changed = LearnedLoss.from_json(resigned(parameters=[1, 1, 1, 1]))
    assert changed.parameters == (1.0, 1.0, 1.0, 1.0)


def zoo_data(name: str, view: str = "identity", **values: Any) -> dict[str, Any]:
    return {"name": name, "view": view, "values": values}


def tree_data(expression: Any, *variables: Any) -> dict[str, Any]:
    return {"expression": expression, "variables": list(variables or ("f", "y"))}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view": "softmin"}, "unknown view 'softmin'; valid, nearest first: softmax"),
        ({"view": 3}, "wrong type"),
        ({"family": "trees"}, "unknown loss family 'trees'; .*: tree"),
        ({"family": "zoo"}, "described by name, values, view"),
        (
            {"family": "zoo", "definition": zoo_data("mea")},
            "unknown loss 'mea'; .* first: mbe, mae",
        ),
        ({"family": "zoo", "definition": zoo_data("mae") | {"name": ["mae"]}}, "by its name"),
        ({"family": "zoo", "definition": zoo_data("mae") | {"values": {"view": 1}}}, "got 'view'"),
        ({"family": "zoo", "definition": zoo_data("huber", entry=1.0)}, "parameter of huber 'ent"),
        ({"family": "zoo", "definition": zoo_data("mae", "x")}, "unknown view 'x'"),
        ({"family": "zoo", "definition": zoo_data("giou")}, "fits tasks of view boxes"),
        ({"family": "zoo", "definition": zoo_data("mae", d=1.0)}, "mae has no parameters"),
        ({"family": "zoo", "definition": zoo_data("huber", delta="1")}, "delta of huber must be"),
        ({"definition": "f - y"}, "wrong type"),
        ({"definition": {"expression": "f"}}, "by expression, variables; got expression"),
        ({"definition": tree_data(5)}, "described by an expression, got 5"),
        ({"definition": tree_data("f - y", 1, 2)}, r"a list of variable names, got \[1, 2\]"),
        ({"definition": tree_data("__import__('os').system('true')")}, "at position 12"),
        ({"definition": tree_data("open(f)")}, "at position 1 .* a known name"),
        ({"definition": tree_data("abs(f*log(y))", "f")}, "at position 11"),
        ({"definition": tree_data("f - y")}, "needs 2 parameters, got 4"),
        ({"parameters": [1.0, 1.0]}, "needs 4 parameters, got 2"),
        ({"parameters": [1.0, 1.0, 1.0, "1"]}, "wrong type"),
        ({"parameters": [1.0, 1.0, 1.0, True]}, "wrong type"),
        ({"parameters": [1.0, 1.0, 1.0, math.nan]}, "finite parameters"),
        ({"parameters": [1.0, 1.0, 1.0, math.inf]}, "finite parameters"),
        ({"parameters": [1.0, 1.0, 1.0, 10**400]}, "finite parameters"),
        ({"parameters": None}, "wrong type"),
        ({"origin": {"method": 1}}, "wrong type"),
        ({"origin": []}, "wrong type"),
        ({"extra": 1}, "exactly the keys"),
        ({"definition": tree_data("f" + " + 1" * 5000)}, "at position"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_file_with_a_fitting_checksum_is_still_checked(changes: dict[str, Any], message: str):
    with pytest.raises(InvalidInputError, match=message):
        LearnedLoss.from_json(resigned(**changes))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"text"', "{}", "[" * 100_000, "9" * 5000], ids=len
)
def test_what_is_no_learned_loss_is_refused(text: str):
    with pytest.raises(InvalidInputError, match="not a learned loss"):
        LearnedLoss.from_json(text)


def test_reading_executes_nothing(monkeypatch: pytest.MonkeyPatch):
    def executed(*_: Any, **__: Any) -> None:
        raise AssertionError("text of the file was executed")

    text = resigned(definition=tree_data("abs(y*log(f))"))
    for name in ("eval", "exec", "compile"):
        monkeypatch.setattr(f"builtins.{name}", executed)
    assert LearnedLoss.from_json(text) == TREE


def test_it_prints_itself():
    loss = LearnedLoss(TreeForm(parse("abs(y*log(f))")), (1.23456, 1.0, 2.0, 1.0), "softmax")
    assert loss.formula() == "abs(1.23 * (y * (2 * log(f))))"
    assert loss.formula(digits=5) == "abs(1.2346 * (y * (2 * log(f))))"
    assert str(loss) == loss.formula()
    f, y = sympy.symbols("f y", real=True)
    shown = loss.sympy(digits=3).subs({f: 0.5, y: 1.0})
    np.testing.assert_allclose(float(shown), 1.23 * 2 * np.log(2), rtol=1e-3)
    assert loss.latex() == r"2.46 \left|{y \log{\left(\left|{f}\right| \right)}}\right|"
    assert CROSS_ENTROPY.formula() == "-1 * y * log(f)"


@pytest.mark.parametrize(
    ("form", "weights", "formula"),
    [
        (zoo_form("barron:scale=0.3", "identity"), (), "sqrt(1 + square(3.33 * (f - y))) - 1"),
        (ZooForm("gce", "logits"), (), "1.43 * y * (1 - exp(0.7 * log(softmax(x))))"),
        (TreeForm(parse("3*f - y")), (1.0, 0.1, 1.0, 1.0), "0.3 * f - y"),
        (TreeForm(parse("f - 0.123456*y")), (1.0, 1.0, 1.0004, 1.0), "f - 0.123 * y"),
        (TreeForm(parse("2025*f - y")), (1.0, 1.0, 1.0, 0.12345), "2025 * f - 0.123 * y"),
    ],
    ids=str,
)
def test_all_numbers_of_a_formula_are_rounded(form: Any, weights: Any, formula: str):
    loss = LearnedLoss(form, weights, form.view if isinstance(form, ZooForm) else "identity")
    assert loss.formula() == formula


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("cross_entropy", "softmax"),
        ("binary_cross_entropy", "sigmoid"),
        ("mse", "identity"),
        ("mse", "softmax"),
        ("huber", "identity"),
    ],
)
def test_a_loss_of_the_zoo_computes_what_it_prints(name: str, view: str):
    f, y = jnp.array([0.2, 0.9, 0.5]), jnp.array([0.0, 1.0, 1.0])
    form = ZooForm(name, view)
    shown = TreeForm(form.expression(())).family()
    weights = jnp.ones(form.expression(()).size - 1)
    np.testing.assert_allclose(
        form.family().apply(jnp.zeros(0), f, y), shown.apply(weights, f, y), rtol=1e-6
    )


def test_it_is_a_static_argument_that_compiles_once_for_equal_losses():
    traces = []

    def mean(loss: LearnedLoss, outputs: Any, targets: Any) -> Any:
        traces.append(loss)
        return jnp.mean(loss(outputs, targets))

    compiled = jax.jit(mean, static_argnums=0)
    first = compiled(TREE, LOGITS, LABELS)
    again = compiled(LearnedLoss.from_json(TREE.to_json()), LOGITS, LABELS)
    assert float(first) == float(again)
    assert len(traces) == 1
    assert float(compiled(CROSS_ENTROPY, LOGITS, LABELS)) != float(first)
    assert len(traces) == 2


@pytest.mark.parametrize("loss", [TREE, CROSS_ENTROPY], ids=str)
def test_it_drops_into_an_optax_loop(loss: LearnedLoss):
    inputs = jax.random.normal(KEY, (60, 3))
    targets = jnp.argmax(inputs @ jnp.array([[1.0, -1.0], [0.5, 1.0], [-2.0, 0.0]]), axis=1)
    optimizer = optax.adam(0.1)

    def mean(weights: Any) -> Any:
        return jnp.mean(loss(inputs @ weights, targets))

    @jax.jit
    def step(weights: Any, state: Any) -> Any:
        value, slopes = jax.value_and_grad(mean)(weights)
        updates, state = optimizer.update(slopes, state)
        return optax.apply_updates(weights, updates), state, value

    weights = jnp.zeros((3, 2))
    state, values = optimizer.init(weights), []
    for _ in range(20):
        weights, state, value = step(weights, state)
        values.append(float(value))
    assert mean(weights) < 0.7 * values[0]
    assert np.mean(jnp.argmax(inputs @ weights, axis=1) == targets) > 0.9


@pytest.mark.parametrize(
    ("form", "parameters", "view", "message"),
    [
        (TreeForm(parse("f - y")), (1.0,), "identity", "needs 2 parameters, got 1"),
        (TreeForm(parse("f - y")), (1.0, math.nan), "identity", "finite parameters"),
        (TreeForm(parse("f - y")), (1.0, 1.0), "linear", "unknown view 'linear'"),
        (ZooForm("mse", "identity"), (1.0,), "identity", "needs 0 parameters, got 1"),
    ],
)
def test_a_loss_that_cannot_be_is_refused(form: Any, parameters: Any, view: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        LearnedLoss(form, parameters, view)
