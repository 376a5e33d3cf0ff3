"""The part of the benchmark about salient objects."""

from typing import Any

from part import Part, job
from tables import Column

_SURE = 0.05


def goals(rows: list[dict[str, Any]]) -> list[str]:
    """Says for each base whether the progressive self-guided loss reaches its goal over it.

    It does if its mean max F is higher and the p of the paired t-test below 0.05.
    """
    return [
        f"PSG improves the max F of {row['base']}: "
        f"{'met' if row['gain'] > 0 and row['p'] < _SURE else 'missed'}, {row['gain']:+.4f} "
        f"(p {row['p']:.2g}, {row['ahead']} seeds)"
        for row in rows
        if row.get("base")
    ]


SALIENCY = Part(
    "The progressive self-guided loss beside its bases and other losses of masks",
    "Scenes of 24 pixels, 120 to train, 40 to tune on, 40 to test on; fcn:8-16-16, 600 steps of "
    "Adam with batches of 16. Mean over 10 fresh seeds ± standard deviation on the test split; "
    "each loss tuned by max F on the validation split (learning rate, weight decay, and γ of focal "
    "or α of PSG): 15 configurations, the best 2 and the default again with 3 fresh networks. "
    "Gain, seeds ahead and p of the paired t-test are those of max F against the row of the base. "
    "Lower is better for MAE alone.",
    (
        Column("loss", "loss"),
        Column("max_f", "max F", ".4f"),
        Column("max_f_std", "±", ".4f"),
        Column("mean_f", "mean F", ".4f"),
        Column("mean_f_std", "±", ".4f"),
        Column("s_measure", "S", ".4f"),
        Column("s_measure_std", "±", ".4f"),
        Column("mask_mae", "MAE", ".4f"),
        Column("mask_mae_std", "±", ".4f"),
        Column("base", "base"),
        Column("gain", "gain", "+.4f"),
        Column("ahead", "ahead"),
        Column("p", "p", ".2g"),
        Column("valid", "tuned max F, valid", ".4f"),
        Column("tuned", "tuned to"),
    ),
    (job("saliency", task="saliency:scenes:count=200:side=24", split_seed=1),),
    (
        job(
            "saliency",
            task="saliency:scenes:count=12:side=16",
            split_seed=1,
            model="fcn:2",
            steps=2,
            batch_size=4,
            tunings=4,
            seeds=2,
        ),
    ),
    goals,
)
