"""The part of the benchmark about retrieval."""

from part import Part, job
from tables import Column

RETRIEVAL = Part(
    "Class anchor margin beside losses of pairs and triplets",
    "Mean over 10 seeds at equal steps, each loss tuned with one budget; ahead counts the seeds "
    "with a higher mAP than cam's, p is of the paired t-test. triplet is mined batch-hard, "
    "contrastive has all pairs, cross_entropy takes minus the squared distances to the anchors. us "
    "are core microseconds of a whole training step on one core, times cam the median of paired "
    "ratios; the last two rows are timed only. Where classes are unseen, mAP and recall are of "
    "those that training lacks, and the last columns of those that it has.",
    (
        Column("task", "task"),
        Column("loss", "loss"),
        Column("map", "mAP", ".4f"),
        Column("deviation", "±", ".4f"),
        Column("map:two_stage", "mAP, two stages", ".4f"),
        Column("recall@1", "recall@1", ".4f"),
        Column("recall@5", "recall@5", ".4f"),
        Column("ahead", "ahead of cam"),
        Column("p", "p", ".2g"),
        Column("step_us", "us a step", ".0f"),
        Column("ratio", "times cam", ".2f"),
        Column("seen_map", "mAP, seen", ".4f"),
        Column("seen_map:two_stage", "two stages, seen", ".4f"),
        Column("seen_recall@1", "recall@1, seen", ".4f"),
        Column("tuned", "tuned to"),
    ),
    (
        job("retrieval", task="retrieval:digits"),
        job(
            "retrieval",
            task="retrieval:digits:unseen=3",
            seen="retrieval:digits:unseen=3:test=seen",
            losses=("cam", "triplet", "contrastive"),
            timed_steps=0,
        ),
    ),
    (
        job(
            "retrieval",
            task="retrieval:wine",
            losses=("cam", "triplet"),
            model="mlp:4",
            steps=10,
            tunings=4,
            seeds=2,
            timed_steps=5,
        ),
    ),
)
