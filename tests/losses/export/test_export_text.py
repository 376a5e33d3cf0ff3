"""What exported text looks like, what it says of itself, and what is refused."""

import ast
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from export_cases import OF_A_BATCH, all_cases

from jaxloss import LearnedLoss, TreeForm, export_code, parse, zoo
from jaxloss.errors import InvalidInputError
from jaxloss.losses import AdaptiveForm, NetworkForm, OnlineForm, TaylorForm, zoo_form
from jaxloss.losses.export import TARGETS, exported, exported_entry, function_name, zoo_bodies
from jaxloss.losses.export.helpers import HELPERS
from jaxloss.losses.export.views import MEANINGS, VIEW_SOURCES, view_meaning
from jaxloss.losses.network_parts import ACTIVATIONS, OUTPUTS
from jaxloss.losses.views import VIEWS
from jaxloss.symbols import PrimitiveSet
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES
from jaxloss.symbols.sources import DIFFERENCES, NAMES

CASES = [case for cases in all_cases().values() for case in cases]


def by_hand(text: str, view: str = "identity") -> LearnedLoss:
    variables = VIEWS[view].variables
    form = TreeForm(parse(text, PrimitiveSet(ALL_PRIMITIVES, variables)), variables)
    return LearnedLoss(form, (1.0,) * form.parameter_count, view, (("method", "by hand"),))


def library_of(target: str) -> Any:
    """Imports what an exported source takes arrays of."""
    if target == "optax":
        return jnp
    return pytest.importorskip("torch", reason="torch is no dependency")


def of_zoo(name: str, view: str) -> LearnedLoss:
    return LearnedLoss(zoo_form(name, view), (), view)


def test_every_view_primitive_and_activation_is_written():
    assert set(VIEW_SOURCES) | set(MEANINGS) == set(VIEWS)
    for library, names in NAMES.items():
        known = {*names, *HELPERS[library], "+", "-", "*", "identity"}
        assert {primitive.code for primitive in ALL_PRIMITIVES} <= known
        assert {*ACTIVATIONS, *OUTPUTS} <= known
    assert set(DIFFERENCES) <= {primitive.name for primitive in ALL_PRIMITIVES}
    assert {target for notes in DIFFERENCES.values() for target in notes} <= set(TARGETS)


def test_words_say_how_a_detector_reduces_values():
    assert view_meaning("cell_classes").endswith("divided by the number of cells with a box")
    assert view_meaning("cell_classes", averages=True).endswith("over the classes of all cells")
    assert view_meaning("cell_boxes") == view_meaning("cell_boxes", averages=True)


def test_every_loss_of_the_zoo_that_trains_a_task_is_written():
    trained = {name: entry for name, entry in zoo.ZOO.items() if zoo.views_of(entry)}
    unwritten = (*OF_A_BATCH, "detections")
    written = {name for name, entry in trained.items() if entry.kind not in unwritten}
    assert written == {*zoo_bodies.BODIES, "barron"}
    for name in trained.keys() - written:
        view = zoo.views_of(zoo.get(name))[0]
        loss = LearnedLoss(zoo_form(name, view), (), view)
        with pytest.raises(InvalidInputError, match=r"no export to torch: .* targets work"):
            export_code(loss, "torch")


def test_source_keeps_to_pep_8(tmp_path: Path):
    for number, case in enumerate(CASES):
        for target in ("optax", "torch"):
            source = export_code(case.loss, target)
            (tmp_path / f"{target}_{number}.py").write_text(source)
            assert max(map(len, source.splitlines())) <= 79, case.name
    # A loss need not use all that its view shows.
    rules = ("--isolated", "--line-length=79", "--select=E,W,F,I,N,B,PIE", "--ignore=F841")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


EXAMPLE = '''\
# A loss written by hand, for PyTorch.
#
#     loss(f, y) = abs(f - y) / 2 - log(y) * -0.5
#
# Here f is the prediction and y the target.
#
# a / b stands for a / sqrt(1 + b**2).

import torch


def absolute(a):
    # |a| with slope 1 at 0, as in JAX; torch.abs has slope 0.
    return torch.where(a < 0, -a, a)


def at_least(a, bound):
    # At the bound half of the slope passes, as in JAX; not so in torch.clamp.
    return torch.maximum(a, torch.full_like(a, bound))


def guarded_log(a):
    # The logarithm of |a|, which is kept above 1e-7.
    return torch.log(at_least(absolute(a), 1e-7))


def detached(a):
    return a.detach()


def analytic_quotient(a, b):
    # a / sqrt(1 + b**2), without squaring a large b.
    scale = detached(at_least(absolute(b), 1.0))
    inner = torch.square(1.0 / scale) + torch.square(b / scale)
    return a / (scale * torch.sqrt(inner))


def learned_loss(outputs, targets):
    """Computes the loss of each example; train on the mean.

    Args:
        outputs: predicted values, [batch, ...].
        targets: one value for each output, [batch, ...].

    Returns:
        One value for each example, [batch].
    """
    if (
        targets.shape not in (outputs.shape, (*outputs.shape, 1))
        and (*targets.shape, 1) != outputs.shape
    ):
        raise ValueError(f"targets {targets.shape}, outputs {outputs.shape}")
    y = targets.reshape(outputs.shape).to(outputs.dtype)
    f = outputs
    part_1 = analytic_quotient(absolute(f - y), torch.full_like(f, 2))
    values = part_1 - guarded_log(y) * -0.5
    return values[..., None].sum(tuple(range(1, values.ndim + 1)))
'''


def test_source_reads_like_this():
    assert export_code(by_hand("abs(f - y) / 2 - log(y)*-0.5"), "torch") == EXAMPLE


def test_source_names_what_the_loss_is_and_where_it_is_from():
    form = TreeForm(parse("f - y"))
    origin = (("method", "evomal"), ("task", "digits\nimport os  # out of the comment"))
    source = export_code(LearnedLoss(form, (2.0, 1.0), "identity", origin), "optax")
    assert "#     loss(f, y) = 2 * f - y\n" in source
    assert "# Origin: method evomal, task digits import os # out of the comment.\n" in source
    assert "# Learned on targets of mean 0 and standard deviation 1: scale yours alike.\n" in source
    imported = [node for node in ast.parse(source).body if isinstance(node, ast.Import)]
    assert "os" not in {name.name for node in imported for name in node.names}
    huber = export_code(of_zoo("huber:delta=0.5", "identity"), "optax")
    assert "# The loss huber for JAX and optax.\n" in huber
    assert "# Source: https://doi.org/10.1214/aoms/1177703732\n" in huber
    assert "values = huber(jnp.abs(f - y), 0.5)\n" in huber


@pytest.mark.parametrize(
    ("task", "is_scaled"),
    [
        *(("diabetes", True), ("mine.csv, diabetes", True), ("tfds:wine_quality", True)),
        *(("pde:burgers", False), ("rl:cartpole", False), ("diabetes, pde:heat", False)),
    ],
)
def test_source_says_that_targets_were_standardised_where_they_were(task: str, is_scaled: bool):
    loss = LearnedLoss(TreeForm(parse("f - y")), (1.0, 1.0), "identity", (("task", task),))
    assert ("standard deviation" in export_code(loss, "torch")) == is_scaled


def test_variables_take_the_names_of_the_view():
    form = TreeForm(parse("p - t", PrimitiveSet(variables=("p", "t"))), ("p", "t"))
    source = export_code(LearnedLoss(form, (2.0, 1.0), "softmax"), "optax")
    assert "#     loss(p, t) = 2 * p - t\n" in source
    assert "# p, t stand for f, y.\n" in source
    assert "    values = 2 * f - y\n" in source


def test_the_code_of_a_loss_is_its_export():
    loss = of_zoo("focal", "softmax")
    assert (loss.code(), loss.code("torch")) == (
        export_code(loss, "optax"),
        export_code(loss, "torch"),
    )
    assert function_name(loss) == "focal_loss"


@pytest.mark.parametrize("target", ["optax", "torch"])
@pytest.mark.parametrize(
    ("view", "outputs", "targets"),
    [
        *(("identity", (4,), (4,)), ("identity", (4, 1), (4,)), ("identity", (4,), (4, 1))),
        *(("identity", (0, 3), (0, 3)), ("identity", (0,), (0,)), ("sigmoid", (0, 1), (0,))),
        *(("softmax", (0, 3), (0,)), ("logits", (2, 3), (2, 3, 1))),
        ("masks", (0, 3, 4), (0, 3, 4)),
    ],
)
def test_source_takes_shapes_that_jaxloss_takes(
    target: str, view: str, outputs: tuple[int, ...], targets: tuple[int, ...]
):
    arrays = library_of(target)
    first = VIEWS[view].variables[0]
    loss, names = by_hand(f"square({first} - y)", view), dict[str, Any]()
    exec(export_code(loss, target), names)
    predictions = np.linspace(-1, 1, math.prod(outputs), dtype=np.float32).reshape(outputs)
    labels: Any = np.zeros(targets, int if view == "softmax" else np.float32)
    found = names["learned_loss"](arrays.asarray(predictions), arrays.asarray(labels))
    expected = loss(jnp.asarray(predictions), jnp.asarray(labels))
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


@pytest.mark.parametrize("target", ["optax", "torch"])
@pytest.mark.parametrize(
    ("view", "outputs", "targets"),
    [
        ("identity", (4, 6), (6, 4)),
        ("identity", (4, 6), (4, 3, 2)),
        ("identity", (4, 6), (4, 6, 2)),
        ("sigmoid", (4, 1), (2, 2)),
        ("sigmoid", (4, 2, 3), (4, 3, 2)),
        ("softmax", (4, 6), (6, 4)),
        ("softmax", (4, 6), (4, 3, 2)),
        ("softmax", (4, 3), (4, 1)),
        ("softmax", (4, 1), (4, 1)),
        ("softmax", (4, 1), (4,)),
        ("softmax", (4,), (4,)),
        ("logits", (6, 4), (4, 6)),
        ("boxes", (4, 6), (4, 6)),
        ("boxes", (4, 4), (4, 2, 2)),
        ("boxes", (4,), (4,)),
        ("anchors", (4, 4, 2), (4, 1)),
        ("anchors", (4, 2, 2), (4,)),
        ("masks", (3, 4, 5), (3, 5, 4)),
    ],
)
def test_source_refuses_shapes_that_jaxloss_refuses(
    target: str, view: str, outputs: tuple[int, ...], targets: tuple[int, ...]
):
    arrays = library_of(target)
    first = VIEWS[view].variables[0]
    loss, names = by_hand(f"square({first})", view), dict[str, Any]()
    exec(export_code(loss, target), names)
    labels: Any = np.zeros(targets, int if len(targets) == 1 else np.float32)
    with pytest.raises(ValueError, match=r"^targets .*, outputs "):
        names["learned_loss"](arrays.zeros(outputs), arrays.asarray(labels))
    with pytest.raises(InvalidInputError):
        loss(jnp.zeros(outputs), jnp.asarray(labels))


def test_a_network_lays_out_its_weights():
    form = NetworkForm((2,), biases=True)
    loss = LearnedLoss(form, (0.5, -1.0, 1e-9, 2.0, 0.25, 0.0, 1.0, 3.0, -0.125), "identity")
    source = export_code(loss, "torch")
    assert (
        """\
WEIGHTS_1 = torch.tensor(
    [
        [0.5, -1.0],
        [1e-09, 2.0],
    ],
    dtype=torch.float64,
)
"""
        in source
    )
    assert "    signal = signal @ WEIGHTS_1.to(signal)\n" in source


def test_a_polynomial_has_a_line_for_each_term():
    numbers = (0.5, -0.25, 1.0, 0.0, -2.0, 0.0, 0.125, 0.0)
    source = export_code(LearnedLoss(TaylorForm(), numbers, "identity"), "optax")
    assert (
        """\
    f = f - 0.5
    y = y + 0.25
    values = (
        1.0 * f
        - 2.0 * f**3
        + 0.125 * f**2 * y
    )
"""
        in source
    )


def test_differences_are_named_by_primitive():
    tree = by_hand("sign(f)/y + log(f)")
    assert exported(tree, "optax").notes == ()
    assert exported(tree, "torch").notes == ("sign: of NaN it is 0, in jaxloss NaN",)
    assert exported(tree, "latex").notes == ("log: the guard, |a| kept above 1e-7, is not shown",)
    online = OnlineForm(NetworkForm((2,)))
    loss = LearnedLoss(online, (0.5,) * 6, "identity")
    for target in ("optax", "torch", "stablehlo"):
        (note,) = exported(loss, target).notes
        assert note.startswith("online: this is the loss as a training starts with it")
    assert exported(by_hand("tanh(f - y)*max(f, y)"), "torch").notes == ()


def test_the_named_difference_is_real():
    torch = pytest.importorskip("torch", reason="torch is no dependency")
    loss, names = by_hand("sign(f)"), dict[str, Any]()
    exec(export_code(loss, "torch"), names)
    assert names["learned_loss"](torch.tensor([np.nan]), torch.tensor([1.0])).tolist() == [0.0]
    assert np.isnan(loss(jnp.array([np.nan]), jnp.array([1.0]))).all()


def test_division_in_torch_does_not_square_huge_divisors():
    torch = pytest.importorskip("torch", reason="torch is no dependency")
    loss, names = by_hand("y/f"), dict[str, Any]()
    exec(export_code(loss, "torch"), names)
    values = names["learned_loss"](torch.tensor([1e30, -1e30]), torch.tensor([1e30, 2.0]))
    np.testing.assert_allclose(values.numpy(), [1.0, 2e-30], rtol=1e-6)
    expected = loss(jnp.array([1e30, -1e30]), jnp.array([1e30, 2.0]))
    np.testing.assert_allclose(values.numpy(), expected, rtol=1e-6)


def test_a_loss_without_lines_of_its_own_is_written_in_primitives(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delitem(zoo_bodies.BODIES, "cross_entropy")
    loss = of_zoo("cross_entropy", "softmax")
    export = exported(loss, "torch")
    words = "cross_entropy: written in primitives; it differs where one of their guards acts"
    assert export.notes == (words,)
    assert "guarded_log(f)" in str(export.content)


@pytest.mark.parametrize("text", ["y*log(f) - 0.125*sqrt(abs(f - y))", "f/y + max(f, 2)", "f"])
def test_sympy_source_is_the_expression(text: str):
    loss, names = by_hand(text), dict[str, Any]()
    source = export_code(loss, "sympy")
    exec(source, names)
    # Numbers written out are of another precision to SymPy.
    assert str(names["loss"]) == str(loss.sympy(6))
    assert names["loss"].free_symbols == loss.sympy(6).free_symbols
    assert source.startswith("# For display: numbers are rounded and guards are not shown.\n")


def test_sympy_source_names_functions_that_it_does_not_have():
    names = dict[str, Any]()
    exec(export_code(by_hand("dot(y, log(softmax(x)))", "logits"), "sympy"), names)
    x, y = sympy.symbols("x y", real=True)
    softmax, dot = sympy.Function("softmax"), sympy.Function("dot")
    assert names["loss"] == dot(y, sympy.log(sympy.Abs(softmax(x))))


def test_sympy_source_of_barrons_loss_computes_it():
    loss, names = LearnedLoss(AdaptiveForm(), (0.3, -0.2), "identity"), dict[str, Any]()
    exec(export_code(loss, "sympy"), names)
    value = float(names["loss"].subs({names["f"]: 1.5, names["y"]: -0.25}))
    np.testing.assert_allclose(value, loss(jnp.array([1.5]), jnp.array([-0.25]))[0], rtol=1e-4)


def test_latex_is_the_formula_of_the_loss_or_of_the_zoo():
    assert export_code(by_hand("abs(f - y)"), "latex") == "\\left|{f - y}\\right|\n"
    smooth = export_code(of_zoo("label_smoothing:xi=0.3", "softmax"), "latex")
    assert smooth == f"% label_smoothing, xi = 0.3\n{zoo.get('label_smoothing').formula}\n"
    network = LearnedLoss(NetworkForm((2,)), (0.5,) * 6, "identity")
    assert export_code(network, "latex").startswith(r"\text{network 2-2-1 of f, y")


def test_json_is_the_loss_itself():
    for case in CASES[::20]:
        assert LearnedLoss.from_json(export_code(case.loss, "json")) == case.loss


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (by_hand("f"), "tourch", "unknown export target 'tourch'; valid, nearest first: torch"),
        (
            of_zoo("label_smoothing", "softmax"),
            "sympy",
            "no export to sympy: label_smoothing cannot be written .*; these targets work: optax, "
            "torch, latex, stablehlo, json",
        ),
        (
            LearnedLoss(NetworkForm((2,)), (0.5,) * 6, "identity"),
            "sympy",
            "'network' is no formula .*these targets work: optax, torch, latex, stablehlo, json",
        ),
        (
            LearnedLoss(TreeForm(parse("f - y")), (1.0, 1.0), "boxes"),
            "torch",
            "takes f, y, but its view shows i, u, e; these targets work: sympy, latex, json$",
        ),
        (
            of_zoo("cross_entropy", "cell_classes"),
            "torch",
            "the view cell_classes has no source .*; these targets work: sympy, latex, json$",
        ),
        (
            of_zoo("contrastive", "anchors"),
            "stablehlo",
            "cannot compile contrastive_loss .* any length: .*; these targets work: latex, json$",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_refused(loss: LearnedLoss, target: str, message: str):
    with pytest.raises(InvalidInputError, match=message):
        exported(loss, target)


def test_losses_of_other_inputs_are_formulas_and_programs():
    entry = zoo.get("triplet")
    latex = exported_entry(entry, {"margin": 0.5}, "latex").content
    assert latex == f"% triplet, margin = 0.5\n{entry.formula}\n"
    with pytest.raises(InvalidInputError, match=r"triplet takes anchors, .*: latex, stablehlo"):
        exported_entry(entry, {}, "torch")
    with pytest.raises(InvalidInputError, match=r"not a task's .* work: latex$"):
        exported_entry(zoo.get("listmle"), {}, "torch")
    with pytest.raises(InvalidInputError, match="unknown parameter of triplet 'mragin'"):
        exported_entry(entry, {"mragin": 0.5}, "latex")
    with pytest.raises(InvalidInputError, match=r"JAX cannot compile listmle .* of any length"):
        exported_entry(zoo.get("listmle"), {}, "stablehlo")


def test_helpers_are_defined_before_they_are_called():
    for case in CASES:
        source = export_code(case.loss, "torch")
        defined = re.findall(r"^def (\w+)\(", source, re.MULTILINE)
        assert len(set(defined)) == len(defined)
        assert defined[-1] == function_name(case.loss)
        assert set(defined[:-1]) <= set(HELPERS["torch"])
