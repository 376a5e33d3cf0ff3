"""How trees come about and change: DEAP's operators with the settings of the released EvoMAL code.

https://arxiv.org/abs/2209.08907, Section 4.1. All draw from Python's own ``random``, as DEAP does.
"""

import math
import operator
import random
from functools import partial

from sequential.libraries import Tree, base, gp, tools
from sequential.primitives import ALPHABET, VARIABLES, terminal_names
from sequential.settings import SequentialSettings

JOINING = ("add", "sub", "mul", "div")
"""Functions that may join f and y in a tree that lacks one of them."""

FIRST_HEIGHTS = (2, 4)
"""Heights of the first trees, ramped half-and-half."""

MUTATION_HEIGHTS = (0, 2)
"""Heights of the subtrees that mutation inserts."""


class Fitness(base.Fitness):
    """A value of which the lower is the better."""

    weights = (-1.0,)


class Individual(gp.PrimitiveTree):
    """A tree with its fitness."""

    def __init__(self, nodes: Tree) -> None:
        super().__init__(nodes)
        self.fitness = Fitness()


def first_population(population: int) -> list[Tree]:
    """Grows trees that hold f and y."""
    return [
        repaired(Individual(gp.genHalfAndHalf(ALPHABET, *FIRST_HEIGHTS))) for _ in range(population)
    ]


def repaired(tree: Tree) -> Tree:
    """Replaces, in a tree that lacks f or y, a random terminal by a function of both."""
    if set(VARIABLES) <= set(terminal_names(tree)):
        return tree
    place = random.choice([i for i, node in enumerate(tree) if node.arity == 0])
    names = (random.choice(JOINING), *random.sample(VARIABLES, 2))
    tree[place : place + 1] = [ALPHABET.mapping[name] for name in names]
    return tree


def crossed(tree: Tree, mate: Tree) -> tuple[Tree, ...]:
    """Puts a subtree of the mate into a tree, both changed in place."""
    return tuple(repaired(child) for child in gp.cxOnePoint(tree, mate))


def mutated(tree: Tree) -> tuple[Tree, ...]:
    """Replaces a random subtree in place."""
    grow = partial(gp.genHalfAndHalf, min_=MUTATION_HEIGHTS[0], max_=MUTATION_HEIGHTS[1])
    return (repaired(gp.mutUniform(tree, grow, ALPHABET)[0]),)


def next_generation(settings: SequentialSettings, trees: list[Tree]) -> list[Tree]:
    """Makes the next population: the elite unchanged, then one operator for each child."""
    toolbox = base.Toolbox()
    limit = gp.staticLimit(operator.attrgetter("height"), settings.max_height)
    toolbox.register("mate", crossed)
    toolbox.register("mutate", mutated)
    toolbox.decorate("mate", limit)
    toolbox.decorate("mutate", limit)

    elite = tools.selBest(trees, math.ceil(settings.elite * len(trees)))
    selected = tools.selTournament(trees, len(trees) - len(elite), settings.tournament)
    children = []
    for parent in selected:
        child, chance = toolbox.clone(parent), random.random()
        if chance < settings.crossover:
            child = toolbox.mate(child, toolbox.clone(random.choice(selected)))[0]
        elif chance < settings.crossover + settings.mutation:
            child = toolbox.mutate(child)[0]
        children.append(child)
    return [*(toolbox.clone(tree) for tree in elite), *children]
