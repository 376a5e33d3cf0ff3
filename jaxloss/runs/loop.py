"""The host loop around a search: folder, generations, checkpoints, comparison, report."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
from rich.console import Console

from jaxloss.learning.finalists import Finalist
from jaxloss.losses.learned import LearnedLoss
from jaxloss.runs import checkpoint
from jaxloss.runs.comparison import Comparison, compare, comparison_key
from jaxloss.runs.findings import Findings
from jaxloss.runs.folder import (
    RunFolder,
    check_folder,
    data_fingerprint,
    open_folder,
    write_atomically,
)
from jaxloss.runs.formula_words import simplified
from jaxloss.runs.people import own_code_errors, require_working_metric
from jaxloss.runs.processes import is_first, require_agreement
from jaxloss.runs.progress import Overview, Progress, make_progress
from jaxloss.runs.records import (
    GenerationRecord,
    append_record,
    generation_record,
    keep_records,
    made_with,
    write_front,
    write_results,
)
from jaxloss.runs.report import write_report
from jaxloss.runs.settings import RunSettings, is_relative, score_name, settings_data
from jaxloss.runs.summary import print_summary
from jaxloss.runs.words import plural
from jaxloss.search.registry import method_named
from jaxloss.search.search import FrontEntry, Search
from jaxloss.tasks.registry import load_tasks
from jaxloss.tasks.task import Task


class RunResult(NamedTuple):
    """What a run came to.

    Attributes:
        folder: where its files lie.
        loss: the winner, which is in ``loss.json``; the task loss if nothing beat it.
        learned: whether the winner is a learned loss.
        finalists: the losses that were trained again, best first.
        front: losses that no smaller one beats.
        comparisons: of the best learned loss with the task loss, one for each task; none if no
            candidate survived.
        report: path of the report; where that could not be written, the run has said so.
    """

    folder: Path
    loss: LearnedLoss
    learned: bool
    finalists: list[Finalist]
    front: list[FrontEntry]
    comparisons: tuple[Comparison, ...]
    report: Path


def run_search(settings: RunSettings, console: Console | None = None) -> RunResult:
    """Runs a search from its first generation, or the first that is missing, to its report.

    Where several processes share the run, all call this and compute their part of it; the first
    alone writes the folder and shows progress.

    Args:
        settings: the run.
        console: where progress is shown; standard output by default.

    Raises:
        InvalidInputError: the task, the settings or the folder cannot be used; then nothing has
            been written.
    """
    console = (console or Console()) if is_first() else Console(quiet=True)
    if is_first():
        check_folder(settings)
    tasks = load_tasks(settings.task, settings.problem)
    for task in tasks:
        require_working_metric(task)
    search = method_named(settings.method).make(tasks, settings.search)
    require_agreement("settings and data", lambda: _identity(settings, tasks))
    with open_folder(settings, tasks) as folder, own_code_errors(tasks[0]):
        overview = _overview(settings, tasks, folder, search)
        with make_progress(console, overview) as progress:
            state, records = _generations(settings, search, folder, progress)
            findings = _conclude(settings, tasks, search, state, records, progress)
            reported = False
            if is_first():
                _write(folder, findings)
                progress.phase("writing the report")
                findings = findings._replace(simplified=simplified(findings.winner))
                reported = _report(folder, findings, tasks, progress)
        print_summary(console, findings, folder, reported)
    first = findings.finalists[0]
    return RunResult(
        folder.path,
        first.loss,
        first.learned,
        findings.finalists,
        findings.front,
        findings.comparisons,
        folder.report,
    )


def _generations(
    settings: RunSettings, search: Search, folder: RunFolder, progress: Progress
) -> tuple[Any, list[GenerationRecord]]:
    """Runs what is missing of the search; every generation ends in a record and a checkpoint."""
    progress.phase("preparing the search")
    state = search.init(jax.random.key(settings.seed))
    done, records = 0, list[GenerationRecord]()
    if is_first():
        done, state, records = _done_before(state, folder, progress)
    done, state = checkpoint.shared(done, state)
    if settings.resume:
        progress.note(f"resumed after {plural(done, 'generation')} of {search.steps}")
    if done < search.steps:
        progress.phase("compiling; the first generation takes longest")
    for _ in range(done, search.steps):
        started = time.perf_counter()
        state, info = search.step(state)
        record = generation_record(info, time.perf_counter() - started)
        records.append(record)
        progress.generation(records)
        checkpoint.require_same_state(state)
        if is_first():
            append_record(folder.generations, record)
            checkpoint.save(folder.checkpoints, record.generation, state)
    return state, records


def _done_before(
    state: Any, folder: RunFolder, progress: Progress
) -> tuple[int, Any, list[GenerationRecord]]:
    """Reads how far the run in the folder has come; ``state`` is a fresh one."""
    folder.checkpoints.mkdir(exist_ok=True)
    done, state = checkpoint.restore(
        folder.checkpoints,
        state,
        lambda path: progress.note(f"the checkpoint {path} is damaged; using the one before it"),
    ) or (0, state)
    return done, state, keep_records(folder.generations, done)


def _conclude(
    settings: RunSettings,
    tasks: tuple[Task, ...],
    search: Search,
    state: Any,
    records: list[GenerationRecord],
    progress: Progress,
) -> Findings:
    """Names the winner and compares the best learned loss with the task loss."""
    trial = settings.search.trial
    front = search.front(state)
    progress.phase(
        f"training with the best {plural(min(trial.finalists, len(front)), 'loss', 'losses')} "
        f"and the task loss again ({trial.finalist_seeds} fresh seeds each)"
    )
    finalists = search.finalists(state)
    learned = next((finalist.loss for finalist in finalists if finalist.learned), None)
    comparisons = list[Comparison]()
    if learned is not None:
        progress.phase(
            f"comparing the best learned loss with the task loss on the test split "
            f"({trial.seeds} seeds each)"
        )
        key, optimizer = comparison_key(settings.seed), settings.search.optimizer
        comparisons = [
            compare(task, optimizer, trial.steps, key, trial.seeds, learned) for task in tasks
        ]
    return Findings(settings, records, front, finalists, tuple(comparisons))


def _write(folder: RunFolder, findings: Findings) -> None:
    # The loss first: all else can be found again with it.
    write_atomically(folder.loss, findings.winner.to_json())
    write_front(folder.front, findings.front)
    write_results(folder, findings.finalists, findings.comparisons)


def _report(
    folder: RunFolder, findings: Findings, tasks: tuple[Task, ...], progress: Progress
) -> bool:
    """Writes the report, and says so where it cannot be written: the run has its result anyway."""
    metric = tasks[0].metric
    try:
        write_report(folder, findings, metric.name, metric.higher_is_better, tasks)
    # Formulas, pictures and trainings for them can fail in many ways; none is worth the run.
    except Exception as error:
        progress.note(
            f"the report could not be written ({type(error).__name__}: {error}); the loss and the "
            f"results are in {folder.path}"
        )
        return False
    return True


def _identity(settings: RunSettings, tasks: tuple[Task, ...]) -> bytes:
    """Writes down all that processes of one run must have in common."""
    return f"{settings_data(settings)} {data_fingerprint(tasks)} {made_with()}".encode()


def _overview(
    settings: RunSettings, tasks: tuple[Task, ...], folder: RunFolder, search: Search
) -> Overview:
    metric = tasks[0].metric
    better = "higher" if metric.higher_is_better else "lower"
    relative = ", judged relative to the task loss's" if is_relative(settings.search) else ""
    models = dict.fromkeys(task.model.name for task in tasks)
    kind, processes = jax.devices()[0].device_kind, jax.process_count()
    together = f" in {plural(processes, 'process', 'processes')}" if processes > 1 else ""
    lines = (
        *dict.fromkeys(f"task     {task.name}: {_examples(task)}" for task in tasks),
        f"model    {', '.join(models)}; metric {metric.name} ({better} is better{relative}); "
        f"task loss {tasks[0].task_loss_name}",
        f"search   {settings.method}: {plural(search.steps, 'generation')} of "
        f"{plural(search.candidates, 'candidate')}, seed {settings.seed}",
        f"devices  {jax.device_count()} ({kind}){together}",
        f"results  {folder.path}",
    )
    score = score_name(settings.search, metric.name)
    return Overview(lines, search.steps, score, metric.higher_is_better)


def _examples(task: Task) -> str:
    rows = [split.inputs.shape[0] for split in (task.train, task.valid, task.test)]
    return f"{rows[0]} examples to train, {rows[1]} to validate, {rows[2]} to test"
