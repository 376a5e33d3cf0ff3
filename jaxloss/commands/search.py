"""The command ``jaxloss search``."""

from dataclasses import dataclass, field
from typing import Annotated, Generic, TypeVar, cast, get_args

import tyro

from jaxloss.commands.options import CONFIG, Unprefixed
from jaxloss.errors import unknown_name
from jaxloss.runs.arguments import early_value
from jaxloss.runs.devices import DeviceSettings, started_devices
from jaxloss.runs.loop import run_search
from jaxloss.runs.settings import RunSettings
from jaxloss.search.registry import Preset, method_named
from jaxloss.search.settings import MethodSettings
from jaxloss.tasks.settings import TaskSettings

_Method = TypeVar("_Method", bound=MethodSettings)


@dataclass(frozen=True)
class SearchArguments(Generic[_Method]):
    """Search for a loss that trains a network better than the usual one.

    Ends with a report in the run folder: the formula, a comparison with the usual loss on held-out
    data, and code to paste. The defaults shown are those of the given --method and --preset.
    """

    task: Annotated[str, tyro.conf.Positional] = "diabetes"
    """diabetes, breast_cancer, wine, digits or boxes; a .csv, .parquet or .npz file; tfds:NAME;
    pde:NAME (regression, advection, reaction_diffusion, burgers; pde:burgers:viscosity=0.01);
    retrieval:TASK; detection:scenes or detection:FOLDER (also :branch=class); saliency:scenes or
    saliency:FOLDER; or rl:NAME (tabular, linear_mdp, cartpole); several joined by commas for one
    loss that serves them all."""
    preset: Preset = "default"
    """Where the other settings start: a minute's look, an earnest search, or the paper's."""
    method: str = "evomal"
    """How losses are searched for: evomal, gp_lfl, ml3, taylorglo, glo, arl, cse_autoloss,
    adalfl or meta_pinn (for pde:NAME)."""
    seed: int = 0
    """Seed of everything that is drawn in the run; equal seeds give equal losses."""
    out: str | None = None
    """The run folder; runs/TASK-METHOD-seedSEED if not given."""
    resume: bool = False
    """Go on with a run that was stopped; give its other settings again."""
    machine: Annotated[DeviceSettings, Unprefixed] = field(default_factory=DeviceSettings)
    problem: Annotated[TaskSettings, Unprefixed] = field(default_factory=TaskSettings)
    search: Annotated[_Method, Unprefixed] = field(kw_only=True)


def search_command(words: list[str]) -> None:
    """Runs ``jaxloss search``.

    Args:
        words: those after the command.

    Raises:
        InvalidInputError: a name, value, file or folder cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    settings, devices = search_settings(words)
    with started_devices(devices):
        run_search(settings)


def search_settings(words: list[str]) -> tuple[RunSettings, DeviceSettings]:
    """Reads the words after ``jaxloss search``.

    Method and preset are looked for first: they set the defaults of all other options.

    Raises:
        InvalidInputError: a name or value cannot be used.
        SystemExit: an option cannot be read; tyro has said which.
    """
    method = method_named(early_value(words, "--method") or "evomal")
    preset = early_value(words, "--preset") or "default"
    if preset not in get_args(Preset):
        raise unknown_name("preset", preset, get_args(Preset))
    defaults = SearchArguments(search=method.presets[cast("Preset", preset)])
    # The class depends on the method, which a static type cannot say.
    kind = cast("type[SearchArguments[MethodSettings]]", SearchArguments[method.settings])
    given = tyro.cli(kind, default=defaults, args=words, prog="jaxloss search", config=CONFIG)
    settings = RunSettings(
        given.task,
        given.problem,
        given.method,
        given.search,
        given.seed,
        given.out,
        given.resume,
    )
    return settings, given.machine
