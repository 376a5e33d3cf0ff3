"""How programs are compiled: on a CPU much of XLA's optimising costs more time than it saves."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import jax

_Result = TypeVar("_Result")


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
