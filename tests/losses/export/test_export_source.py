"""Exported source is executed where it is meant for, and computes what jaxloss computes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from export_cases import GROUPS, INPUTS, Case, Computed, all_cases, computed, disagreement

from jaxloss import LearnedLoss, TreeForm, parse
from jaxloss.losses.export import export_code, function_name

CASES = all_cases()
NO_TORCH = "torch is no dependency; where it is installed its source is executed"

Results = dict[str, Computed]


@pytest.fixture(scope="module", autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def own() -> Results:
    """What jaxloss computes."""
    every = [case for cases in CASES.values() for case in cases]
    return {case.name: computed(case.loss, *INPUTS[case.inputs]) for case in every}


@pytest.fixture(scope="module")
def in_bare_jax(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the optax sources compute in one process that cannot import jaxloss."""
    folder = tmp_path_factory.mktemp("bare")
    every = [case for cases in CASES.values() for case in cases]
    sources = [
        (export_code(case.loss, "optax"), function_name(case.loss), case.inputs) for case in every
    ]
    (folder / "sources.json").write_text(json.dumps(sources))
    arrays = {
        f"{name} {part}": array
        for name, pair in INPUTS.items()
        for part, array in zip(("outputs", "targets"), pair, strict=True)
    }
    np.savez(folder / "inputs.npz", allow_pickle=False, **arrays)
    program = Path(__file__).with_name("bare_jax.py").read_text()
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        cwd=folder,
        env={**surroundings, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    results = np.load(folder / "results.npz")
    return {
        case.name: Computed(results[f"{number} values"], results[f"{number} gradient"])
        for number, case in enumerate(every)
    }


def in_torch(case: Case, outputs: np.ndarray, targets: np.ndarray) -> Computed:
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    names: dict[str, Any] = {}
    exec(export_code(case.loss, "torch"), names)
    leaf = torch.tensor(outputs, requires_grad=True)
    values = names[function_name(case.loss)](leaf, torch.tensor(targets))
    # A loss of the targets alone has no graph.
    total = values.sum() + 0.0 * leaf.sum()
    total.backward()
    assert leaf.grad is not None
    return Computed(values.detach().numpy(), leaf.grad.numpy())


def assert_all_agree(found: Results, own: Results) -> None:
    wrong = {name: disagreement(result, own[name]) for name, result in found.items()}
    assert not {name: words for name, words in wrong.items() if words}
    # The comparison is of numbers, not of what overflowed.
    finite = [np.isfinite(own[name].values).mean() for name in found]
    assert np.mean(finite) > 0.9


@pytest.mark.parametrize("group", GROUPS)
def test_optax_source_computes_each_loss_without_jaxloss(
    group: str, own: Results, in_bare_jax: Results
):
    assert_all_agree({case.name: in_bare_jax[case.name] for case in CASES[group]}, own)


@pytest.mark.parametrize("group", GROUPS)
def test_torch_source_computes_each_loss(group: str, own: Results):
    found = {case.name: in_torch(case, *INPUTS[case.inputs]) for case in CASES[group]}
    assert_all_agree(found, own)


@pytest.mark.parametrize("target", ["optax", "torch"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("max(f, 4294967296) + 65536*65536*y", 3 * 2.0**32),
        ("1000*1000*5000*square(f - y)", 5e9),
        # Beyond what PyTorch's whole numbers hold, too.
        ("10000*(10000*(10000*(10000*(10000*2))))*y - -5*3*f", 4e20),
    ],
)
def test_large_whole_numbers_are_no_integers(target: str, text: str, value: float):
    arrays: Any = jnp if target == "optax" else pytest.importorskip("torch", reason=NO_TORCH)
    form = TreeForm(parse(text))
    loss = LearnedLoss(form, (1.0,) * form.parameter_count, "identity")
    names = dict[str, Any]()
    exec(export_code(loss, target), names)
    with jax.enable_x64(False):
        pair = arrays.asarray([1.0]), arrays.asarray([2.0])
        np.testing.assert_allclose(names["learned_loss"](*pair), [value], rtol=1e-6)


@pytest.mark.parametrize("name", ["div", "softplus", "log_cosh, identity "])
def test_slopes_of_slopes_agree_too(name: str):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    (case,) = (case for cases in CASES.values() for case in cases if case.name == name)
    outputs, targets = INPUTS[case.inputs]

    def curvature(loss: Any) -> np.ndarray:
        def slope(outputs: Any) -> Any:
            return jax.grad(lambda outputs: jnp.sum(loss(outputs, jnp.asarray(targets))))(outputs)

        return np.asarray(jax.grad(lambda outputs: jnp.sum(slope(outputs)))(jnp.asarray(outputs)))

    expected = curvature(case.loss)
    finite = np.isfinite(expected)
    assert finite.mean() > 0.9
    sources = [dict[str, Any](), dict[str, Any]()]
    for target, names in zip(("optax", "torch"), sources, strict=True):
        exec(export_code(case.loss, target), names)
    function = function_name(case.loss)
    leaf = torch.tensor(outputs, requires_grad=True)
    total = sources[1][function](leaf, torch.tensor(targets)).sum()
    (slope,) = torch.autograd.grad(total, leaf, create_graph=True)
    (in_torch,) = torch.autograd.grad(slope.sum(), leaf)
    for found in (curvature(sources[0][function]), in_torch.numpy()):
        np.testing.assert_allclose(found[finite], expected[finite], rtol=1e-6, atol=1e-12)
