"""Parts of the benchmark that run searches, and what filters and races do in them."""

from part import Part, job
from tables import Column

SEARCH = Part(
    "EvoMAL at the paper's step counts, for each candidate",
    "All included: compilation and candidates that the archive or a filter spares. Compilation is "
    "what the same search takes less when it starts a second time. Core ms are of all threads "
    "together. PyTorch judged that many of the formulas that the first search met; its time is "
    "their mean times the share of new ones, ± its standard error.",
    (
        Column("task", "task"),
        Column("model", "network"),
        Column("program", "program"),
        Column("order", "rejects"),
        Column("candidates", "candidates"),
        Column("new", "new", ".0%"),
        Column("trained", "trained", ".0%"),
        Column("ms", "ms, all included", ".1f"),
        Column("error", "±", ".0f"),
        Column("ms_compiled", "ms without compilation", ".1f"),
        Column("core_ms", "core ms", ".1f"),
        Column("compilation", "compilation s", ".1f"),
        Column("first_generation", "first generation s", ".1f"),
        Column("released", "× faster than PyTorch, released order", ".0f"),
        Column("same", "× faster, same order", ".0f"),
    ),
    (
        *(
            job("search_speed", task=task, model="mlp:50-50", generations=50, repeated=5, sample=16)
            for task in ("diabetes", "digits")
        ),
        job(
            "search_speed",
            task="diabetes",
            model="mlp:1000-1000",
            generations=6,
            repeated=2,
            sample=3,
            orders=("both",),
        ),
    ),
    (
        job(
            "search_speed",
            task="diabetes",
            model="mlp:8",
            generations=2,
            repeated=2,
            sample=2,
            steps=(3, 20, 10),
            population=5,
            orders=("both",),
        ),
    ),
)

TUNING = Part(
    "What tuning chooses, by ways of spending the same number of trainings",
    "Fitness on the validation split, lower is better, of the configuration (learning rate, weight "
    "decay, the loss's own parameter) and length that are chosen, over all networks: mean and 95th "
    "percentile of 300 simulated tunings; beside it that of the default training and the best that "
    "could be chosen. Finals, as jaxloss has them: the best by one training and the default again, "
    "as many as fresh networks for each.",
    (
        Column("task", "task"),
        Column("loss", "loss"),
        Column("trainings", "trainings"),
        Column("scheme", "compared"),
        Column("mean", "chosen", ".4f"),
        Column("worst", "95 %", ".4f"),
        Column("default", "default", ".4f"),
        Column("best", "best", ".4f"),
    ),
    (
        job("tuning", task="diabetes", loss="mse", steps=2000),
        job("tuning", task="diabetes", loss="mse", steps=1000, outliers=0.1),
        job("tuning", task="breast_cancer", loss="label_smoothing", steps=2000),
    ),
    (
        job(
            "tuning",
            task="wine",
            loss="focal",
            steps=10,
            model="linear",
            count=20,
            networks=6,
            budgets=(4, 20),
            repeated=3,
        ),
    ),
)

TAYLOR = Part(
    "TaylorGLO at the paper's step counts, for each candidate",
    "All included: compilation and candidates that the rejection test spares a training. "
    "Compilation is what the same search takes less when it starts a second time. Core ms are of "
    "all threads together. PyTorch judged that many of the candidates of the search that trains "
    "all; its time is their mean, ± its standard error; with the rejection test it is the test's, "
    "and the training's times the share that jaxloss trained. Finite: trainings that did not "
    "diverge, of all candidates.",
    (
        Column("task", "task"),
        Column("model", "network"),
        Column("program", "program"),
        Column("order", "rejects"),
        Column("candidates", "candidates"),
        Column("trained", "trained", ".0%"),
        Column("finite", "finite", ".0%"),
        Column("best", "best fitness", ".4f"),
        Column("ms", "ms, all included", ".2f"),
        Column("error", "±", ".1f"),
        Column("ms_compiled", "ms without compilation", ".2f"),
        Column("core_ms", "core ms", ".1f"),
        Column("core_ms_compiled", "core ms without compilation", ".1f"),
        Column("compilation", "compilation s", ".1f"),
        Column("first_generation", "first generation s", ".1f"),
        Column("published", "× faster than PyTorch that trains all", ".1f"),
        Column("published_compiled", "× without compilation", ".1f"),
        Column("same", "× faster, same test", ".1f"),
        Column("same_compiled", "× without compilation", ".1f"),
    ),
    (
        job(
            "taylor_speed",
            task="diabetes",
            model="mlp:50-50",
            generations=50,
            repeated=5,
            sample=16,
        ),
    ),
    (
        job(
            "taylor_speed",
            task="diabetes",
            model="mlp:8",
            generations=2,
            repeated=2,
            sample=2,
            steps=(20, 10),
            population=5,
        ),
    ),
)

REJECTION = Part(
    "The early rejection test on random trees",
    "Dropped early: with fresh weights, before local search; late: after it. Early only: those "
    "that the late test would have kept, with the rank of the best of them by fitness. Digits with "
    "40 % wrong labels.",
    (
        Column("task", "task"),
        Column("trees", "trees"),
        Column("early", "dropped early"),
        Column("late", "dropped late"),
        Column("both", "by both"),
        Column("wrongly", "early only"),
        Column("best_rank", "best rank"),
    ),
    (
        job("rejection", task="diabetes"),
        job("rejection", task="wine"),
        job("rejection", task="digits", label_noise=0.4),
    ),
    (job("rejection", task="wine", trees=4, steps=(3, 20, 10)),),
)

RACING = Part(
    "Racing: EvoMAL with and without it",
    "Paper's step counts. Candidates are compared after 125, 250 and 500 steps; each time but the "
    "last the worse half leaves. Score: on the test split, of the fittest loss of each search, "
    "trained again for longer with fresh seeds; its mean and deviation over the searches, the mean "
    "difference in pairs ± its standard error. Correlation: of ranks at the first and second "
    "comparison with those at the end, over random trees that pass the rejection test. Best wins: "
    "how often the fittest of 12 of them at the end would get there. 12 generations and 5 searches "
    "on diabetes, 6 and 2 on digits, with 40 % wrong labels.",
    (
        Column("task", "task"),
        Column("comparisons", "comparisons"),
        Column("generation_ms", "generation ms", ".0f"),
        Column("core_ms", "core ms", ".0f"),
        Column("trained", "trained", ".1f"),
        Column("outrun", "outrun", ".1f"),
        Column("metric", "metric"),
        Column("score", "score", ".4f"),
        Column("deviation", "±", ".4f"),
        Column("difference", "difference", "+.4f"),
        Column("error", "±", ".4f"),
        Column("compared", "trees"),
        Column("correlation_1", "first correlation", ".2f"),
        Column("correlation_2", "second", ".2f"),
        Column("best_wins", "best wins", ".0%"),
    ),
    (
        job("racing", task="diabetes", generations=12),
        job("racing", task="digits", label_noise=0.4, generations=6, seeds=2),
    ),
    (
        job(
            "racing",
            task="wine",
            model="mlp:4",
            generations=2,
            seeds=2,
            steps=(3, 20, 12),
            trees=12,
            trial_steps=10,
            trial_seeds=2,
        ),
    ),
)

WHOLE = Part(
    "Whole searches in one program",
    "Small searches of 8 trees from several seeds.",
    (
        Column("task", "task"),
        Column("seeds", "seeds"),
        Column("way", "way"),
        Column("compile_s", "compilation s", ".1f"),
        Column("run_s", "run s", ".2f"),
        Column("all_s", "all s", ".1f"),
        Column("faster_with_compiling", "× faster, all", ".2f"),
        Column("faster", "× faster, run", ".2f"),
    ),
    tuple(job("whole_searches", seeds=seeds) for seeds in (4, 16)),
    (job("whole_searches", model="mlp:4", generations=2, seeds=2)._replace(devices=1),),
)
