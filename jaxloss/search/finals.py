"""How a search ends: the best of its losses are trained again, and the usual loss beside them."""

from jaxtyping import PRNGKeyArray

from jaxloss.keys import named_key
from jaxloss.learning.finalists import Arena, Finalist, judge_finalists, task_loss_of
from jaxloss.learning.trials import trial_runner
from jaxloss.losses.learned import LearnedLoss
from jaxloss.search.search import FrontEntry
from jaxloss.search.settings import MethodSettings
from jaxloss.search.several import Tasks, names_of


def judged_again(
    method: str,
    tasks: Tasks,
    settings: MethodSettings,
    key: PRNGKeyArray,
    losses: list[LearnedLoss],
    normalize: bool = False,
) -> list[Finalist]:
    """Trains losses and the task loss with fresh seeds at the full number of steps.

    Args:
        method: what the task loss's origin names.
        tasks: what the losses are judged on.
        settings: of the search; its trial and optimizer are used.
        key: of the search.
        losses: the best first; those beyond ``trial.finalists`` are left out.
        normalize: whether each task's fitness is divided by the task loss's.

    Returns:
        Finalists, best first.
    """
    trial = settings.trial
    arenas = [Arena(task, trial_runner(task, settings.optimizer, trial.steps)) for task in tasks]
    usual = task_loss_of(tasks[0], origin_of(method, tasks))
    own_key = named_key(key, "finalists")
    chosen = losses[: trial.finalists]
    return judge_finalists(arenas, own_key, trial.finalist_seeds, chosen, usual, normalize)


def fittest_first(entries: list[FrontEntry]) -> list[LearnedLoss]:
    """Orders the losses of a front by fitness."""
    return [entry.loss for entry in sorted(entries, key=lambda entry: entry.fitness)]


def origin_of(method: str, tasks: Tasks) -> tuple[tuple[str, str], ...]:
    """Says where the losses of a search come from."""
    names, models = names_of(tasks)
    return (("method", method), ("task", names), ("model", models))
