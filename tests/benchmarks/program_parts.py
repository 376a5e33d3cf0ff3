"""Parts of the benchmark that run compiled programs alone."""

from part import Part, job
from tables import Column

PROGRAMS = Part(
    "Derivatives of a population of losses, for each candidate",
    "Batch of 128. First: ∂ℓ/∂f; mixed: ∂/∂φ(∂ℓ/∂f · v). Strictly needed is what the primitives of "
    "the trees cost alone, on one core and from the cache. Compilation for each tree where every "
    "tree is compiled.",
    (
        Column("derivative", "derivative"),
        Column("trees", "trees"),
        Column("outputs", "outputs"),
        Column("way", "way"),
        Column("loops", "its loops"),
        Column("microseconds", "µs", ".1f"),
        Column("core_microseconds", "core µs", ".1f"),
        Column("over_specialised", "over specialised", ".2f"),
        Column("over_needed", "over strictly needed", ".1f"),
        Column("compilation", "compilation s", ".1f"),
        Column("compilation_each", "for each tree s", ".2f"),
    ),
    tuple(
        job("loss_programs", trees=trees, outputs=outputs, seconds=1.5, needed_seconds=0.6)
        for trees in (25, 100, 1000)
        for outputs in (1, 10, 100)
    )
    + tuple(
        job(
            "loss_programs",
            flags="--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1024",
            trees=25,
            outputs=outputs,
            loops="a kernel for each operation",
        )
        for outputs in (1, 10)
    ),
    (
        job(
            "loss_programs",
            trees=3,
            outputs=1,
            derivatives=("first",),
            seconds=0.2,
            needed_seconds=0.1,
        ),
    ),
)

RAILS = Part(
    "Matrix products in inner training",
    "All cores. Operations are counted from the layers' shapes; bare: the same products and "
    "nothing else.",
    (
        Column("model", "network"),
        Column("program", "program"),
        Column("candidates", "candidates at once"),
        Column("gigaflops", "GFLOP/s", ".0f"),
        Column("bare_gigaflops", "bare GFLOP/s", ".0f"),
        Column("percent", "%", ".0f"),
    ),
    (
        job("rails", model="mlp:50-50", steps=250),
        job("rails", model="mlp:1000-1000", steps=50, seconds=40.0),
    ),
    (job("rails", model="mlp:8-8", steps=5, seconds=0.1),),
)

GROWTH = Part(
    "Growth of time and memory",
    "Rejection test of 40 steps, local search of 10, partial training of as many as stated, for "
    "all candidates, MLP 50-50. Program MB: what the largest compiled program needs on each "
    "device. Process MB: the peak, compilation included. Inner steps: see the long unrolls.",
    (
        Column("way", "way"),
        Column("candidates", "candidates"),
        Column("nodes", "nodes of a tree"),
        Column("outputs", "outputs"),
        Column("training_steps", "training steps"),
        Column("rejection test", "rejection s", ".3f"),
        Column("local search", "local search s", ".3f"),
        Column("partial training", "training s", ".3f"),
        Column("compilation", "compilation s", ".1f"),
        Column("program_megabytes", "program MB", ".1f"),
        Column("peak_megabytes", "process MB", ".0f"),
    ),
    (
        job("population_runs"),
        *(job("population_runs", candidates=candidates) for candidates in (100, 400)),
        *(job("population_runs", nodes=nodes) for nodes in (16, 128)),
        job("population_runs", candidates=5, nodes=16, way="specialised"),
        *(job("population_runs", outputs=outputs) for outputs in (10, 100)),
        *(job("population_runs", training_steps=steps) for steps in (100, 500)),
    ),
    (job("population_runs", candidates=3, nodes=16, seconds=0.1),),
)

UNROLLS = Part(
    "Long unrolls: meta-gradients through many inner steps",
    "Four candidates in one program, MLP 50-50 on diabetes. Memory: what the compiled program "
    "needs beside its arguments.",
    (
        Column("inner_steps", "inner steps"),
        Column("way", "way"),
        Column("bytes", "bytes", ",.0f"),
        Column("milliseconds", "ms", ".2f"),
    ),
    (job("unrolls"),),
    (job("unrolls", model="mlp:4", inner_steps=(4,), seconds=0.1),),
)

DEVICES = Part(
    "One population on several devices of one machine",
    "64 candidates of an MLP 50-50 on diabetes through rejection test, local search and partial "
    "training. Work: core seconds of all threads. Same: all results are the same bit for bit.",
    (
        Column("devices", "devices"),
        Column("candidates", "candidates"),
        Column("seconds", "seconds", ".2f"),
        Column("core_seconds", "core seconds", ".2f"),
        Column("extra_percent", "extra work %", "+.1f"),
        Column("same", "same as on the first"),
        Column("same_several", "same on any of several"),
        Column("differing", "differing in"),
    ),
    (
        job(
            "device_counts",
            candidates=64,
            meta_steps=50,
            rejection_steps=200,
            training_steps=100,
            seconds=6.0,
        ),
    ),
    (job("device_counts", devices=(1, 2), turns=1, candidates=4, nodes=16, seconds=0.1),),
)
