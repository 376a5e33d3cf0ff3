"""How programs are compiled: on a CPU much of XLA's optimising costs more time than it saves."""

import gc
import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import jax

from jaxloss.learning.memory import maps_are_scarce

_Result = TypeVar("_Result")

KEPT_PROGRAMS = 512
"""Programs of one kind that are kept: a comparison comes back to each of its losses, seed by seed,
and compiles all of them anew if there are more."""


class Programs(OrderedDict[Hashable, Any]):
    """Programs that were compiled ahead of their use, until `forget_programs` empties it."""

    def __init__(self) -> None:
        super().__init__()
        _ALL_PROGRAMS[id(self)] = self


_ALL_PROGRAMS: WeakValueDictionary[int, Programs] = WeakValueDictionary()


def forget_programs() -> None:
    """Lets go of all that is compiled; whatever is used again compiles again."""
    for programs in list(_ALL_PROGRAMS.values()):
        programs.clear()
    jax.clear_caches()
    gc.collect()


def make_room() -> None:
    """Lets go of all that is compiled if the process could map little more."""
    if maps_are_scarce():
        forget_programs()


def all_at_once(jobs: Iterable[Callable[[], _Result]]) -> list[_Result]:
    """Runs jobs in threads; for compilations, each of which keeps but one core busy."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [finished.result() for finished in [pool.submit(job) for job in jobs]]


def jit_brief(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a program that runs for milliseconds: there, less optimising is time won."""
    return jax.jit(function, compiler_options=_understood(optimisation=0))


def steady_options() -> dict[str, bool | int]:
    """Chooses the compiler's options for a program that runs for seconds.

    Measured with an MLP 50-50 on a CPU: local search compiles in 2.9 s instead of 4.6, partial
    training in 1.4 s instead of 3.5, and both run as fast.
    """
    return _understood(optimisation=1)


@lru_cache(maxsize=4)
def _understood(optimisation: int) -> dict[str, bool | int]:
    """Keeps of the options those that this XLA knows and ``XLA_FLAGS`` says nothing about."""
    if jax.default_backend() != "cpu":
        return {}
    wanted = {
        "xla_backend_optimization_level": optimisation,
        "xla_cpu_use_fusion_emitters": False,
        # In one part instead of one for each core, a program takes half as many of the memory maps
        # that a process may have, and no longer to compile (measured beside other compilations).
        "xla_cpu_parallel_codegen_split_count": 1,
    }
    flags = os.environ.get("XLA_FLAGS", "")
    free = {name: value for name, value in wanted.items() if name not in flags}
    return {name: value for name, value in free.items() if _is_known(name, value)}


def _is_known(name: str, value: bool | int) -> bool:
    program = jax.jit(lambda x: x, compiler_options={name: value})
    try:
        program.lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
