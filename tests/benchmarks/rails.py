"""Matrix multiplications in inner training, beside bare ones of the same shapes.

Floating-point operations are counted from the layers alone. Let B be the batch, S the sum of
inputs times outputs over all layers, and R the same without the first layer, whose inputs need no
gradient. A product of matrices takes 2 B in out operations, so for one candidate

- a training step takes 2 B (2 S + R): forward S, gradients of weights S and of inputs R;
- a meta step with one inner step takes 2 B (2 S + 2 R) for the inner gradient (weights S, inputs
  R) and for its own derivative, which runs forward along the meta-gradient (S and R); and
  2 V (2 S + R) for both passes of the batch of V examples that judges. The forward pass of the
  fresh network, 2 B S, is common to all candidates of a call.

The bare loop does just these products, with the same axes shared among candidates, and nothing
else: no bias, no activation, no loss, no optimiser. Both run on all devices with as many candidates
in a call as a search takes.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec
from jaxtyping import Array
from population_runs import TRAINING, TUNING, programs
from timing import Call, taking_turns

from jaxloss.learning import FitnessSettings
from jaxloss.learning.local_search import LocalSearchSettings
from jaxloss.learning.mesh import AXIS, population_mesh
from jaxloss.search import EvoMALSettings
from jaxloss.search.plan import execution_plan
from jaxloss.tasks import SupervisedTask, TaskSettings, load_supervised_task

FORMULA = "add(square(sub(f, y)), tanh(mul(f, y)))"
"""The loss of all candidates: what it costs is not the question here."""

Products = Callable[[list[Array], list[Array], Array, Array], list[Array]]
"""``(own weights, common weights, batch, judging batch) -> products`` of one step."""


class Shapes(NamedTuple):
    """What counts for products: widths of the layers, inputs first, and examples in the batches."""

    widths: tuple[int, ...]
    batch: int
    judging: int

    @property
    def layers(self) -> int:
        """Sum of inputs times outputs over all layers."""
        return sum(before * behind for before, behind in pairwise(self.widths))

    @property
    def later_layers(self) -> int:
        """The same without the first layer."""
        return self.layers - self.widths[0] * self.widths[1]

    def operations(self, program: str, chunk: int) -> float:
        """Counts floating-point operations of one step of a candidate, of which a call has some."""
        every, later = self.layers, self.later_layers
        if program == TRAINING:
            return 2 * self.batch * (2 * every + later)
        own = 2 * self.batch * (2 * every + 2 * later) + 2 * self.judging * (2 * every + later)
        return own + 2 * self.batch * every / chunk


def rows(model: str, task: str = "diabetes", steps: int = 100, seconds: float = 5.0) -> list[dict]:
    """Measures one network.

    Args:
        model: of the form ``mlp:50-50``.
        task: name of a bundled task.
        steps: training steps and meta steps of a call.
        seconds: how long both sides take turns, for each program.
    """
    loaded = load_supervised_task(task, TaskSettings(model=model))
    settings = EvoMALSettings(
        way="interpreted",
        local_search=LocalSearchSettings(meta_steps=steps),
        fitness=FitnessSettings(steps=steps),
    )
    plan = execution_plan(loaded, settings, settings.local_search)
    shapes, found = _shapes(loaded, model, settings), []
    for program, part, products in (
        (TRAINING, "train", _training_products),
        (TUNING, "tune", _tuning_products),
    ):
        chunk = plan[part].chunk
        candidates = chunk * jax.device_count()
        ours = programs(loaded, settings, [FORMULA] * candidates)[program]
        ours()
        bare_calls = Call(_bare(shapes, products, candidates, steps))
        calls = {"jaxloss": Call(ours), "bare": bare_calls}
        costs = taking_turns(calls, seconds)
        operations = candidates * steps * shapes.operations(program, chunk)
        rate = operations / costs["jaxloss"].seconds
        bare = operations / costs["bare"].seconds
        found.append(
            {
                "model": model,
                "program": program,
                "candidates": candidates,
                "gigaflops": rate / 1e9,
                "bare_gigaflops": bare / 1e9,
                "percent": 100 * rate / bare,
            }
        )
    return found


def _shapes(task: SupervisedTask, model: str, settings: EvoMALSettings) -> Shapes:
    inputs = int(np.prod(task.train.inputs.shape[1:]))
    hidden = map(int, model.partition(":")[2].split("-"))
    outputs = len(task.class_names) or int(np.prod(task.train.targets.shape[1:]))
    batch = settings.optimizer.batch_size
    return Shapes(
        (inputs, *hidden, outputs),
        min(batch, len(task.train.inputs)),
        min(batch, len(task.valid.inputs)),
    )


def _bare(shapes: Shapes, products: Products, candidates: int, steps: int) -> Callable[[], object]:
    """Compiles the same products without all the rest."""
    generator = np.random.default_rng(0)

    def normal(*shape: int) -> Array:
        return jnp.asarray(generator.normal(size=shape), jnp.float32)

    layers = list(pairwise(shapes.widths))
    common = [normal(*layer) / layer[0] ** 0.5 for layer in layers]
    own = [normal(candidates, *layer) / layer[0] ** 0.5 for layer in layers]
    batches = [normal(rows, shapes.widths[0]) for rows in (shapes.batch, shapes.judging)]

    def on_each_device(
        own: list[Array], common: list[Array], batch: Array, judging: Array
    ) -> list[Array]:
        def step(number: Array, _: list[Array]) -> list[Array]:
            # Something new to multiply in every step, or it would be done once for all.
            moved = [part * (1 + 1e-6 * number) for part in (batch, judging)]
            return jax.vmap(lambda own: products(own, common, *moved))(own)

        first = step(jnp.int32(0), [])
        return jax.lax.fori_loop(1, steps, step, first)

    split, whole = PartitionSpec(AXIS), PartitionSpec()
    program = jax.jit(
        jax.shard_map(
            on_each_device,
            mesh=population_mesh(),
            in_specs=(split, whole, whole, whole),
            out_specs=split,
            check_vma=False,
        )
    )
    compiled = program.lower(own, common, *batches).compile()
    placed = jax.tree.map(jax.device_put, (own, common, *batches), compiled.input_shardings[0])
    jax.block_until_ready(compiled(*placed))
    return lambda: compiled(*placed)


def _forward(weights: Sequence[Array], batch: Array) -> list[Array]:
    """Multiplies through the layers; returns the inputs of each and the outputs."""
    found = [batch]
    for weight in weights:
        found.append(found[-1] @ weight)
    return found


def _backward(weights: Sequence[Array], inputs: Sequence[Array], slope: Array) -> list[Array]:
    """Multiplies back; returns the products that stand for gradients of weights."""
    found = []
    for layer in reversed(range(len(weights))):
        found.append(inputs[layer].T @ slope)
        if layer:
            slope = slope @ weights[layer].T
    return found[::-1]


def _training_products(
    own: list[Array], _common: list[Array], batch: Array, _judging: Array
) -> list[Array]:
    *inputs, outputs = _forward(own, batch)
    return _backward(own, inputs, outputs)


def _tuning_products(
    own: list[Array], common: list[Array], batch: Array, judging: Array
) -> list[Array]:
    *inputs, outputs = _forward(common, batch)
    # Slopes differ from one candidate to the next, as those of different losses do.
    inner = _backward(common, inputs, outputs * own[-1][0, 0])
    *judged, outputs = _forward(own, judging)
    meta = _backward(own, judged, outputs)
    along = inputs[0] @ meta[0]
    for layer in range(1, len(common)):
        along = along @ common[layer] + inputs[layer] @ meta[layer]
    return [*inner, along]
