"""The parts of the benchmark about detection."""

from typing import Any

from part import Part, job
from tables import Column

GOAL = 0.99
"""Share of random candidates that the filters should drop."""


def filter_goals(rows: list[dict[str, Any]]) -> list[str]:
    """Says whether the filters drop what they should, and keep the known losses."""
    totals = [row for row in rows if row["seed"] == "all"]
    kept, known = (sum(row[name] for row in totals) for name in ("kept", "known"))
    return [
        *(
            f"more than {GOAL:.0%} of random losses of the {row['branch']} branch dropped before "
            f"any training: {_verdict(row['by_both'] > GOAL)}, {row['by_both']:.2%}"
            for row in totals
        ),
        "IoU, GIoU, cross-entropy and focal loss pass both filters: "
        f"{_verdict(kept == known)}, in {kept} of {known} cases",
    ]


def loss_goals(rows: list[dict[str, Any]]) -> list[str]:
    """Says whether the loss that was found reaches the usual pair; validation chooses it."""
    usual, weighted, *others = rows
    found = [row for row in others if row["found"]]
    if not found:
        return ["the loss found reaches GIoU + cross-entropy: missed, none was found"]
    chosen = max(found, key=lambda row: row["valid"])
    return [
        "the loss found (of those, the best on the validation split: "
        f"{chosen['classes']} + {chosen['boxes']}) reaches GIoU + cross-entropy: "
        f"{_verdict(chosen['test'] >= usual['test'])}, mAP {chosen['test']:.4f} beside "
        f"{usual['test']:.4f}, p = {chosen['p']:.2g}; {weighted['classes']} + {weighted['boxes']}, "
        f"found by no search, has {weighted['test']:.4f}"
    ]


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


FILTERS = Part(
    "Random losses that CSE-Autoloss's filters drop",
    "First round of a search at the paper's preset: 1000 random trees, at most 20 of which go "
    "on to training. Distinct: without trees that are the same up to the order of arguments, which "
    "are no filter's merit; shares are of these. Simulation alone drops what is ranked below the "
    "20th of those that converge, or is not finite, and its share is of those that converge. Known "
    "losses with their rank in simulation, had they been among the candidates.",
    (
        Column("branch", "branch"),
        Column("seed", "seed"),
        Column("candidates", "candidates"),
        Column("distinct", "distinct"),
        Column("not_converging", "not converging"),
        Column("poor", "poor in simulation"),
        Column("left", "left"),
        Column("by_convergence", "dropped by convergence", ".2%"),
        Column("by_simulation", "then by simulation", ".2%"),
        Column("by_both", "by both", ".2%"),
        Column("ranks", "known losses"),
    ),
    (job("detection_filters", branch="class"), job("detection_filters", branch="box")),
    (job("detection_filters", branch="box", proposals=40, population=4, seeds=(0,)),),
    filter_goals,
)

LOSSES = Part(
    "Losses of a detector",
    "mAP over overlaps 0.5 to 0.95 on the test split of detection:scenes:count=960, mean over 10 "
    "seeds ± standard deviation; ahead counts seeds above the first row, p is of the paired t-test "
    "with it. Adam, 500 steps of 64 scenes, learning rate 0.001 to 0.02 (five values) chosen for "
    "each row with 3 other networks on the validation split. The two searches are cse_autoloss at "
    "the quick preset with that Adam at 0.005, seed 0, beside the other loss of the first row; "
    "taken is the best of their finalists, the usual loss apart; a star marks one that beat it. A "
    "loss that is found may weigh boxes more than classes; the second row does so by hand. "
    "Classes are ranked by a softmax, under focal and cse_b_class too, which train each class by "
    "itself. Numbers of scenes and steps were chosen by validation scores of the first row, the "
    "second row was added after validation scores of the box search, both on earlier scenes whose "
    "splits shared their objects; since each split has its own, nothing was changed.",
    (
        Column("classes", "class loss"),
        Column("boxes", "box loss"),
        Column("rate", "rate", "g"),
        Column("valid", "validation mAP", ".4f"),
        Column("test", "test mAP", ".4f"),
        Column("deviation", "±", ".4f"),
        Column("ahead", "ahead"),
        Column("p", "p", ".2g"),
    ),
    (job("detection"),),
    (
        job(
            "detection",
            count=60,
            steps=3,
            tuning_seeds=1,
            seeds=2,
            model="detector:4",
            generations=1,
            proposals=100,
        ),
    ),
    loss_goals,
)
