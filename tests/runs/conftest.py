"""Runs that many tests look at."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from rich.console import Console
from run_helpers import CACHE_SETTINGS, QUICK_TRIAL, DrawSettings, Finished, draw

from jaxloss.learning.filters import RejectionSettings
from jaxloss.learning.fitness import FitnessSettings
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings
from jaxloss.search.gp_lfl import GPLFLSettings
from jaxloss.search.registry import METHODS, Method
from jaxloss.search.settings import MethodSettings
from jaxloss.tasks import TaskSettings


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps compiled programs: runs with the same settings compile the same ones again."""
    folder = tmp_path_factory.mktemp("compiled")
    before = {name: getattr(jax.config, name) for name in CACHE_SETTINGS}
    for name, value in {**CACHE_SETTINGS, "jax_compilation_cache_dir": str(folder)}.items():
        jax.config.update(name, value)
    reset_cache()
    yield folder
    for name, value in before.items():
        jax.config.update(name, value)
    reset_cache()


@pytest.fixture
def draw_settings(tmp_path: Path) -> Iterator[RunSettings]:
    """Settings of a run that takes about a second."""
    settings = DrawSettings(population=4, generations=5, trial=QUICK_TRIAL)
    presets: dict[Any, MethodSettings] = {"default": settings}
    METHODS["draw"] = Method(draw, DrawSettings, presets)
    yield RunSettings(
        "wine", TaskSettings(model="linear"), "draw", settings, out=str(tmp_path / "run")
    )
    del METHODS["draw"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A real search on diabetes, as small as can be."""
    search = GPLFLSettings(
        population=6,
        generations=3,
        seed_from=("square(f - y)", "abs(f - y)"),
        fitness=FitnessSettings(steps=5),
        rejection=RejectionSettings(when="never"),
        trial=QUICK_TRIAL,
    )
    out = str(tmp_path_factory.mktemp("finished") / "run")
    settings = RunSettings("diabetes", TaskSettings(model="linear"), "gp_lfl", search, out=out)
    stream = io.StringIO()
    result = run_search(settings, Console(file=stream, width=200))
    return Finished(settings, result, stream.getvalue())
