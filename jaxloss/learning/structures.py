"""A population whose trees are each compiled to their own code."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding
from jaxtyping import PyTree

from jaxloss.learning.compilation import Programs, all_at_once, steady_options
from jaxloss.learning.mesh import gathered
from jaxloss.learning.population import PopulationProgram

Function = Callable[..., PyTree]
"""``(shared, *inputs) -> result``, pure."""

KEPT = 128
"""Compiled structures that stay; *assumed*, some generations of the paper's population of 25."""


class _Program:
    """One structure's code, compiled for one of the local devices at its first use."""

    def __init__(self, function: Function, place: SingleDeviceSharding) -> None:
        self.place = place
        self._run: Any = jax.jit(function, compiler_options=steady_options())
        self._is_compiled = False

    def _arguments(self, shared: PyTree, inputs: list[PyTree]) -> Any:
        return shared, *jax.device_put(inputs, self.place)

    def prepare(self, shared: PyTree, inputs: list[PyTree]) -> None:
        """Compiles for arguments like these; what is shared lies on the device already."""
        if not self._is_compiled:
            self._run = self._run.lower(*self._arguments(shared, inputs)).compile()
            self._is_compiled = True

    def start(self, shared: PyTree, inputs: list[PyTree]) -> PyTree:
        """Starts the prepared program; the result arrives while other devices go on."""
        return self._run(*self._arguments(shared, inputs))


def over_structures(
    specialise: Callable[[np.ndarray], Function], kept: int = KEPT
) -> PopulationProgram:
    """Lifts functions that are made for one tree each to a population.

    Structures take turns on the local devices; those of a call that are not compiled yet are
    compiled side by side. Several processes share the candidates out. Rounding differs in the last
    digits from that of one program for all trees.

    Args:
        specialise: ``(genome) -> function``.
        kept: how many compiled structures stay in memory; the one not used for longest goes first.

    Returns:
        A program over ``(genomes, *inputs)``, the weights first among the inputs; the shapes of
        shared arguments and inputs are always the same.
    """
    programs = Programs()
    places = [SingleDeviceSharding(device) for device in jax.local_devices()]
    made = 0

    def program_of(genome: np.ndarray) -> _Program:
        nonlocal made
        name = genome.tobytes()
        if name not in programs:
            programs[name] = _Program(specialise(genome), places[made % len(places)])
            made += 1
        programs.move_to_end(name)
        return programs[name]

    def programs_of(genomes: np.ndarray) -> list[_Program]:
        chosen = [program_of(genome) for genome in genomes]
        while len(programs) > kept:
            programs.popitem(last=False)
        return chosen

    def run(shared: PyTree, candidates: PyTree) -> PyTree:
        genomes, *inputs = jax.tree.map(np.asarray, candidates)
        count = len(genomes)
        share = -(-count // jax.process_count())
        own = np.minimum(jax.process_index() * share + np.arange(share), count - 1)
        chosen = programs_of(genomes[own])
        # Once for each device, not for each tree: it is all of the data.
        lying = {place: jax.device_put(shared, place) for place in {one.place for one in chosen}}
        arguments = [
            (lying[program.place], jax.tree.map(lambda leaf, i=i: leaf[i], inputs))
            for program, i in zip(chosen, own, strict=True)
        ]
        first_uses = dict(zip(chosen, arguments, strict=True)).items()
        all_at_once(partial(program.prepare, *first) for program, first in first_uses)
        started = [program.start(*given) for program, given in zip(chosen, arguments, strict=True)]
        results = jax.tree.map(lambda *rows: np.stack([np.asarray(row) for row in rows]), *started)
        return jax.tree.map(lambda leaf: leaf[:count], gathered(results))

    def prepare(_shared: PyTree, _candidates: PyTree) -> None:
        """Does nothing: which structures there will be is not known before they come."""

    return PopulationProgram(run, prepare)
