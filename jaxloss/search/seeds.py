"""Losses that a search starts from: formulas, and losses of the zoo that have one."""

from collections.abc import Sequence
from dataclasses import replace

from jaxloss.errors import InvalidInputError, nearest_first, require
from jaxloss.losses import zoo, zoo_form
from jaxloss.losses.views import View
from jaxloss.symbols.expression import Expression
from jaxloss.symbols.parser import parse
from jaxloss.symbols.primitives import PrimitiveSet


def seed_trees(
    texts: Sequence[str], view: View, primitives: PrimitiveSet, max_height: int
) -> list[Expression]:
    """Reads what a person wants in the first population.

    Args:
        texts: formulas over the variables of the view, or names of the zoo, perhaps with parameters
            (``huber:delta=0.5``); each may hold several joined by commas.
        view: what the tasks of the search show their losses.
        primitives: functions that the formulas may hold, over the view's variables.
        max_height: of the search's trees.

    Raises:
        InvalidInputError: a formula cannot be read, a loss of the zoo cannot be written over these
            variables, or a tree is too tall.
    """
    parts = [part for text in texts for part in _separate(text)]
    return [_seed_tree(part, view, primitives, max_height) for part in parts]


def with_numbers_of(primitives: PrimitiveSet, trees: Sequence[Expression]) -> PrimitiveSet:
    """Adds the constants that trees hold to those of a primitive set."""
    heads = (node.head for tree in trees for node in tree.nodes)
    numbers = dict.fromkeys(head for head in heads if isinstance(head, float))
    own = tuple(number for number in numbers if number not in primitives.constants)
    return replace(primitives, constants=primitives.constants + own)


def _separate(text: str) -> list[str]:
    """Divides a text at the commas that stand outside of parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _seed_tree(text: str, view: View, primitives: PrimitiveSet, max_height: int) -> Expression:
    tree = _named(text, view) or _written(text, primitives)
    allowed = {primitive.name for primitive in primitives.primitives}
    heads = (node.head for node in tree.nodes)
    strange = [str(head) for head in heads if not isinstance(head, str | float)]
    strange = sorted(set(strange) - allowed)
    require(
        not strange,
        f"seed_from: {text!r} holds {', '.join(strange)}, which this search does not have",
    )
    require(
        tree.height <= max_height,
        f"seed_from: {text!r} has height {tree.height}, max_height is {max_height}",
    )
    return tree


def _named(text: str, view: View) -> Expression | None:
    """Writes a loss of the zoo as a tree; None if the text names none."""
    try:
        zoo.get(text.partition(":")[0])
    except InvalidInputError:
        return None
    try:
        return zoo_form(text, view.name).expression(())
    except InvalidInputError as error:
        raise InvalidInputError(f"seed_from: {error}") from error


def _written(text: str, primitives: PrimitiveSet) -> Expression:
    try:
        return parse(text, primitives)
    except InvalidInputError as error:
        if not text.replace("_", "").isalnum():
            raise InvalidInputError(f"seed_from: {error}") from error
        names = nearest_first(text, [name for name, loss in zoo.ZOO.items() if loss.form])
        raise InvalidInputError(
            f"seed_from: no formula and no loss of the zoo that has one: {text!r}; nearest first: "
            f"{', '.join(names[:8])}"
        ) from error
