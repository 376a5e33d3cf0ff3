"""Losses as a person names them: a saved loss, a name of the zoo, or a formula typed by hand."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.losses import LearnedLoss, TreeForm, zoo, zoo_form
from jaxloss.losses.views import View, shows, view_named
from jaxloss.losses.zoo import ZooLoss
from jaxloss.symbols.detection_primitives import ALL_PRIMITIVES
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import PrimitiveSet

_FORMULA_VIEWS = (
    *("identity", "softmax", "sigmoid", "logits", "boxes", "anchors"),
    *("cell_classes", "cell_boxes", "masks"),
)
"""Views that a formula may be meant for; the first whose variables it holds is taken."""

_WORD = re.compile(r"[\w:-]+")

_SHOWN = 8
"""How many names the error for an unknown one lists."""


class GivenLoss(NamedTuple):
    """A loss that a person named.

    Attributes:
        name: how reports call it: the formula, the zoo's name with parameters, or the file.
        losses: the loss for each view of tasks that it is for, the usual one first; empty for a
            loss of the zoo that trains no supervised task.
        entry: the zoo's entry, if it is from there.
        parameters: the entry's parameters that were given.
    """

    name: str
    losses: dict[str, LearnedLoss]
    entry: ZooLoss | None = None
    parameters: Mapping[str, float] = MappingProxyType({})

    @property
    def first(self) -> LearnedLoss:
        """The loss for the view that it is usually used with.

        Raises:
            InvalidInputError: it trains no supervised task.
        """
        require(bool(self.losses), f"{self.name} trains no task of outputs and targets")
        return next(iter(self.losses.values()))


def given_loss(text: str, view: str | None = None) -> GivenLoss:
    """Finds the loss that a text names.

    Args:
        text: the path of a saved loss (anything that exists or ends in ``.json``); a name of the
            zoo, perhaps with parameters (``huber:delta=0.5``); or a formula in any primitives over
            ``f, y``, over logits ``x`` and labels ``y``, over areas ``i, u, e``, or
            over distances ``d`` to class anchors and ``y``.
        view: name of the view that the loss is for, if only one is wanted.

    Raises:
        InvalidInputError: there is no such file, name or view, the formula cannot be read, or the
            loss is not for that view.
    """
    if view is not None:
        view_named(view)
    text = text.strip()
    require(bool(text), "name a loss: a loss.json, a name of the zoo, or a formula")
    if _is_path(text):
        found = load_loss(text)
        require(
            view in (None, found.view),
            f"the loss in {text} is for the view {found.view}, not for {view}",
        )
        return GivenLoss(text, {found.view: found})
    if _is_in_zoo(text):
        return _from_zoo(text, view)
    try:
        return GivenLoss(text, _from_formula(text, view))
    except InvalidInputError as error:
        if not _WORD.fullmatch(text):
            raise
        names = nearest_first(text, zoo.ZOO)[:_SHOWN]
        raise InvalidInputError(
            f"unknown loss {text!r}; of the zoo, nearest first: {', '.join(names)}; or give the "
            "path of a loss.json, or a formula of f and y"
        ) from error


def listed_losses(texts: Sequence[str]) -> list[str]:
    """Puts the lines of ``.txt`` files in their place; empty lines and those after # are left out.

    Raises:
        InvalidInputError: a file cannot be read or names no loss.
    """
    found: list[str] = []
    for text in texts:
        if not text.endswith(".txt"):
            found.append(text)
            continue
        lines = [line.partition("#")[0].strip() for line in _text_of(text).splitlines()]
        require(any(lines), f"{text} names no loss; expected one in each line")
        found += [line for line in lines if line]
    return found


def fitting_loss(text: str, task_view: str) -> LearnedLoss:
    """Finds the loss that a text names, in the form that a task can show it what it takes.

    Args:
        text: as for `given_loss`; a saved loss or a formula that fits no such task is returned as
            it is, for `require_fit` to refuse.
        task_view: name of the view of the task.

    Raises:
        InvalidInputError: there is no such loss, or it is a loss of the zoo that does not fit.
    """
    given = given_loss(text)
    for view in sorted(given.losses, key=lambda view: view != task_view):
        if shows(task_view, view):
            return given.losses[view]
    # Of a loss of the zoo it says why it does not fit.
    return given.first if given.entry is None else given_loss(text, task_view).first


def load_loss(path: str | Path) -> LearnedLoss:
    """Reads a saved loss.

    Raises:
        InvalidInputError: there is no such file, or it holds no learned loss.
    """
    text = _text_of(path)
    try:
        return LearnedLoss.from_json(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error


def _text_of(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInputError(f"{path} cannot be read: {reason}") from error


def _is_path(text: str) -> bool:
    # `Path.is_file` raises for a formula that is longer than a file's name may be.
    return text.endswith(".json") or os.path.isfile(text)


def _is_in_zoo(text: str) -> bool:
    try:
        zoo.get(text.partition(":")[0])
    except InvalidInputError:
        return False
    return True


def _from_zoo(text: str, view: str | None) -> GivenLoss:
    entry, parameters = zoo.read(text)
    if view is not None:
        fitting = " or ".join(zoo.views_of(entry)) or "no view"
        require(
            view in zoo.TASK_VIEWS,
            f"{entry.name} trains tasks of {fitting}; {view} is no view of tasks, a formula can be "
            "for it",
        )
        # Says why, where the loss does not fit.
        zoo.as_task_loss(entry, view)
    views = [view] if view is not None else zoo.views_of(entry)
    usual = sorted(views, key=lambda one: (one != entry.view, one != "softmax"))
    losses = {one: LearnedLoss(zoo_form(text, one), (), one) for one in usual}
    return GivenLoss(zoo.spelled(entry, parameters), losses, entry, parameters)


def _from_formula(text: str, view: str | None) -> dict[str, LearnedLoss]:
    wanted = _FORMULA_VIEWS if view is None else (view,)
    readings = [(view_named(name), _reading(text, view_named(name))) for name in wanted]
    losses = {one.name: loss for one, loss in readings if isinstance(loss, LearnedLoss)}
    if not losses:
        raise next(error for _, error in readings if isinstance(error, InvalidInputError))
    return losses


def _reading(text: str, view: View) -> LearnedLoss | InvalidInputError:
    try:
        tree = parse(text, PrimitiveSet(ALL_PRIMITIVES, view.variables))
    except InvalidInputError as error:
        return error
    form = TreeForm(tree, view.variables)
    return LearnedLoss(form, (1.0,) * form.parameter_count, view.name, (("method", "by hand"),))
