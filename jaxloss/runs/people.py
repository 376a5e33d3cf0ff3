"""What can go wrong in a person's own metric or network while it runs: one clear message."""

import contextlib
import logging
import re
from collections.abc import Iterator

import jax
from jaxtyping import Array

from jaxloss.errors import InvalidInputError
from jaxloss.learning.fitness import network_score
from jaxloss.tasks.metrics import METRIC_NAMES
from jaxloss.tasks.retrieval_scores import is_retrieval_score
from jaxloss.tasks.task import Task


def _is_own(task: Task) -> bool:
    built_in = {name for names in METRIC_NAMES.values() for name in names}
    name = task.metric.name
    return name.partition(":")[0] not in built_in and not is_retrieval_score(name)


def require_working_metric(task: Task) -> None:
    """Calls a person's own metric once, so that it fails here and not in the midst of a search.

    Raises:
        InvalidInputError: it fails, or gives no number for an untrained network.
    """
    if not _is_own(task):
        return

    @jax.jit
    def untrained() -> Array:
        variables = task.model.init(jax.random.key(0), task.valid.inputs[:1])
        return network_score(task, variables, task.valid)

    with own_code_errors(task):
        float(untrained())


@contextlib.contextmanager
def own_code_errors(task: Task) -> Iterator[None]:
    """Turns a failure of a person's own metric within a compiled program into one message.

    Raises:
        InvalidInputError: in place of the runtime's error.
    """
    if not _is_own(task):
        yield
        return
    # JAX logs the traceback of a failed callback beside raising it.
    logger = logging.getLogger("jax._src.callback")
    logger.addFilter(_no_callback_failures)
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "callback" not in str(error).lower():
            raise
        raise InvalidInputError(
            f"metric {task.metric.name!r} failed: {_cause(str(error))}"
        ) from error
    finally:
        logger.removeFilter(_no_callback_failures)


def _no_callback_failures(record: logging.LogRecord) -> bool:
    return not record.getMessage().endswith("_callback failed")


def _cause(traceback: str) -> str:
    """Finds the error in a traceback's text, and the place where it was raised."""
    lines = [line.strip() for line in traceback.splitlines() if line.strip()]
    places = re.findall(r'File "([^"]+)", line (\d+)', traceback)
    return lines[-1] + (f" ({places[-1][0]}, line {places[-1][1]})" if places else "")
