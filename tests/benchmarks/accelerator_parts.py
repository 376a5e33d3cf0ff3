"""Parts of the benchmark for accelerators: large populations, step by step and in whole searches.

``JAX_PLATFORMS=cpu`` measures the CPU of a machine that has an accelerator.
"""

from typing import Any

from jobs import Job
from part import Part, job
from tables import Column

STEPS = Part(
    "A step of a whole population",
    "Random trees, batch 128; milliseconds of a step for all of them together, however many calls "
    "that takes. Compilation is of all three programs.",
    (
        Column("model", "network"),
        Column("candidates", "candidates"),
        Column("chunk", "at once"),
        Column("rejection test", "rejection test, ms", ".2f"),
        Column("local search", "local search, ms", ".2f"),
        Column("partial training", "partial training, ms", ".2f"),
        Column("compilation", "compilation s", ".1f"),
    ),
    (
        job("population_steps", candidates=256, chunk=256),
        job("population_steps", candidates=1024, chunk=256),
        job("population_steps", candidates=1024, chunk=1024),
        *(
            job(
                "population_steps",
                candidates=64,
                chunk=chunk,
                model="mlp:1000-1000",
                steps=(50, 10, 40),
            )
            for chunk in (8, 64)
        ),
    ),
    (job("population_steps", candidates=4, chunk=2, model="mlp:4", steps=(4, 2, 4)),),
)


def _search(task: str, model: str, population: int, generations: int, **more: Any) -> Job:
    """Describes a search without a rival, all of which runs a second time."""
    return job(
        "search_speed",
        task=task,
        model=model,
        population=population,
        generations=generations,
        repeated=generations,
        sample=0,
        orders=("both",),
        **more,
    )


SEARCHES = Part(
    "Searches of large populations",
    "EvoMAL at the paper's step counts, for each candidate, as in the table of EvoMAL. Core ms are "
    "of the host.",
    (
        Column("task", "task"),
        Column("model", "network"),
        Column("candidates", "candidates"),
        Column("trained", "trained", ".0%"),
        Column("ms", "ms, all included", ".1f"),
        Column("ms_compiled", "ms without compilation", ".1f"),
        Column("core_ms", "core ms", ".1f"),
        Column("compilation", "compilation s", ".1f"),
        Column("first_generation", "first generation s", ".1f"),
    ),
    tuple(
        _search(*arguments)
        for arguments in (
            ("diabetes", "mlp:50-50", 1024, 6),
            ("digits", "mlp:50-50", 1024, 6),
            ("diabetes", "mlp:1000-1000", 256, 3),
        )
    ),
    (_search("diabetes", "mlp:8", 6, 2, steps=(3, 20, 10)),),
)
