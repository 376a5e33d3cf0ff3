"""The command line: finds the command and turns errors into one line and an exit code."""

import importlib
import re
import sys
from collections.abc import Sequence

import jax

from jaxloss.errors import InvalidInputError, unknown_name
from jaxloss.runs.group import FAILED, leave
from jaxloss.runs.records import jaxloss_version

BAD_INPUT = 2
INTERRUPTED = 130

_HELP = """\
usage: jaxloss COMMAND ...

Learns loss functions: a formula, evidence that it helps, and code to paste.

  jaxloss search [TASK]         search for a loss; without a task, on the bundled diabetes data
  jaxloss evaluate LOSS ...     compare losses with the task loss on any task
  jaxloss export LOSS --to TARGET    a loss as code for optax or torch, LaTeX, StableHLO, ...
  jaxloss compare [FILE.yaml]   compare methods and hand-made losses on many problems
  jaxloss landscape LOSS        draw what lies around networks trained under two losses
  jaxloss card LOSS ...         explain losses: minimum, shape, robustness, hazards, relatives
  jaxloss zoo [NAME]            list hand-made losses, or show one: formula, curve, source, code
  jaxloss --version             print the version

LOSS is a loss.json of a run, a name of the zoo (huber:delta=0.5), or a formula ("abs(f - y)").
TASK is a bundled data set (diabetes, breast_cancer, wine, digits), simulated boxes, a .csv,
.parquet or .npz file with --target COLUMN, tfds:NAME, an equation pde:NAME, retrieval:TASK, which
learns embeddings to search by, objects to find in images (detection:scenes, saliency:scenes, or a
FOLDER of yours), or recorded decisions to learn a policy from, rl:NAME; several joined by commas.
A first look takes a minute:

  jaxloss search --preset quick

`jaxloss COMMAND --help` lists every setting of a command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the words after ``jaxloss``; those of the process by default.

    Returns:
        The exit code: 0; 2 for input that cannot be used; 1 if the disk or another process of the
        run fails; 130 if interrupted. Where several processes share a run, a failure ends the
        process at once instead.

    Raises:
        SystemExit: tyro has printed help, or said which option it does not understand (code 2).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except InvalidInputError as error:
        return _failed(str(error), BAD_INPUT)
    except OSError as error:
        return _failed(f"cannot read or write: {error}", FAILED)
    except KeyboardInterrupt:
        return _failed(f"interrupted{_GO_ON.get(words[0] if words else '', '')}", INTERRUPTED)


def _failed(message: str, code: int) -> int:
    print(f"jaxloss: {message}", file=sys.stderr)
    if jax.distributed.is_initialized():
        leave(code)
    return code


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_HELP, end="")
        return 0
    if words[0] == "--version":
        print(f"jaxloss {jaxloss_version()}")
        return 0
    if words[0] not in _COMMANDS:
        raise unknown_name("command", words[0], _COMMANDS)
    module = importlib.import_module(f"jaxloss.commands.{words[0]}")
    getattr(module, f"{words[0]}_command")([_no_option(word) for word in words[1:]])
    return 0


def _no_option(word: str) -> str:
    """Puts a space before a formula that begins with a minus, or tyro would take it for an option.

    A minus and one letter may be an option; numbers tyro knows.
    """
    is_formula = re.match(r"-(?!-|[A-Za-z]?$)", word) and not _is_number(word)
    return f" {word}" if is_formula else word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


_COMMANDS = ("search", "evaluate", "export", "compare", "card", "landscape", "zoo")
"""Each is a module of `jaxloss.commands` with a function ``NAME_command(words)``; only the one that
is wanted is imported."""

_GO_ON = {
    "search": "; the same command with --resume goes on from here",
    "compare": "; the same command goes on from here",
}
