"""How many random losses of detectors CSE-Autoloss's two filters drop, and which ones they keep.

The candidates are drawn like those of a search's first round, at the paper preset's settings:
trees grown at random, before any parent is there to breed from.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxloss.keys import named_key
from jaxloss.search.cse_judging import branch_of, cse_programs
from jaxloss.search.cse_proposals import proposer
from jaxloss.search.cse_settings import CSEAutoLossSettings
from jaxloss.symbols import Alphabet, parse
from jaxloss.tasks import load_task

KNOWN: dict[str, dict[str, str]] = {
    "class": {
        "cross-entropy": "neg(dot(y, log(softmax(x))))",
        # https://arxiv.org/abs/1708.02002, Eq. 4, with γ = 2, on the sigmoid of each class.
        "focal": "neg(add(mul(y, mul(mul(sub(1, sigmoid(x)), sub(1, sigmoid(x))), "
        "log(sigmoid(x)))), mul(sub(1, y), mul(mul(sigmoid(x), sigmoid(x)), "
        "log(sub(1, sigmoid(x)))))))",
    },
    "box": {
        "IoU": "sub(1, ratio(i, u))",
        "GIoU": "add(sub(1, ratio(i, u)), ratio(sub(e, u), e))",
    },
}
"""What the filters should keep, written in the variables of the search."""


def rows(
    branch: str,
    proposals: int = 1000,
    population: int = 20,
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4),
) -> list[dict[str, Any]]:
    """Filters what a search proposes at first, for each seed and for all of them together.

    Args:
        branch: ``"class"`` or ``"box"``.
        proposals: trees of a round.
        population: how many of those that converge the simulation keeps at most.
        seeds: of the searches.
    """
    settings = CSEAutoLossSettings(proposals=proposals, population=population)
    task = load_task(f"detection:scenes:branch={branch}")
    own = branch_of(task)
    alphabet = Alphabet(own.primitives, settings.proposal.max_nodes)
    propose = jax.jit(proposer(alphabet, settings.proposal, proposals))
    programs = cse_programs((task,), settings, own, alphabet)
    none = jnp.full((1, alphabet.capacity), -1, jnp.int32)
    known = [alphabet.encode(parse(text, own.primitives)) for text in KNOWN[branch].values()]
    table = []
    for seed in seeds:
        key = jax.random.key(seed)
        first = jax.random.fold_in(named_key(key, "proposals"), 0)
        genomes = np.asarray(propose(first, none, 0))
        _, places = np.unique(np.asarray(programs.hashes(genomes)), axis=0, return_index=True)
        converging = genomes[places[programs.converges(key, genomes[places])]]
        scores = programs.simulates(key, converging)
        left = int(min(np.sum(np.isfinite(scores)), population))
        row = {
            "branch": branch,
            "seed": str(seed),
            "candidates": len(genomes),
            "distinct": len(places),
            "not_converging": len(places) - len(converging),
            "poor": len(converging) - left,
            "left": left,
            "known": len(known),
            "kept": 0,
        }
        passing = programs.converges(key, np.stack(known))
        reached = programs.simulates(key, np.stack(known))
        words = []
        for name, passes, score in zip(KNOWN[branch], passing, reached, strict=True):
            rank = 1 + int(np.sum(scores > score))
            passes = passes and np.isfinite(score) and rank <= population
            row["kept"] += int(passes)
            words.append(f"{name} {rank}." if passes else f"{name} dropped")
        table.append(row | {"ranks": ", ".join(words)})
    together = {name: sum(row[name] for row in table) for name in table[0] if name not in _WORDS}
    table.append({"branch": branch, "seed": "all", "ranks": "", **together})
    return [row | _shares(row) for row in table]


_WORDS = ("branch", "seed", "ranks")


def _shares(row: dict[str, Any]) -> dict[str, float]:
    distinct = row["distinct"]
    return {
        "by_convergence": row["not_converging"] / distinct,
        "by_simulation": row["poor"] / max(distinct - row["not_converging"], 1),
        "by_both": 1.0 - row["left"] / distinct,
    }
