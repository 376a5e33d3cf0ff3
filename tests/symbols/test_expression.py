import numpy as np
import pytest
import sympy

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import (
    BOX_PRIMITIVES,
    CLASS_PRIMITIVES,
    EVOMAL_PRIMITIVES,
    Expression,
    Primitive,
    PrimitiveSet,
    parse,
)

WITHOUT_VALUE = (sympy.nan, sympy.oo, -sympy.oo, sympy.zoo)


@pytest.mark.parametrize(
    ("text", "size", "height"),
    [
        ("f", 1, 0),
        ("-1", 1, 0),
        ("log(f)", 2, 1),
        ("f - y", 3, 1),
        ("add(mul(y, f), log(1))", 6, 2),
        ("sqrt(tanh(abs(f - y)))", 6, 4),
        ("(f + y)*(f - y) / 1", 9, 3),
    ],
)
def test_size_and_height_agree_with_counts_by_hand(text: str, size: int, height: int):
    expression = parse(text)
    assert (expression.size, expression.height) == (size, height)


def test_nodes_come_in_the_order_of_call_syntax():
    names = [str(node) for node in parse("add(mul(y, f), log(1))").nodes]
    assert names == ["add(mul(y, f), log(1))", "mul(y, f)", "y", "f", "log(1)", "1"]


def test_variables_are_named_once_and_sorted():
    assert parse("y*f - f + 1").variables == ("f", "y")
    assert parse("log(1)").variables == ()


def test_a_function_needs_as_many_arguments_as_it_takes():
    add = EVOMAL_PRIMITIVES.primitive("add")
    with pytest.raises(InvalidInputError, match="add takes 2 arguments, got 1"):
        Expression(add, (Expression("f"),))
    with pytest.raises(InvalidInputError, match="f takes 0 arguments, got 1"):
        Expression("f", (Expression("y"),))


def test_expressions_are_values():
    assert len({parse("f - y"), parse("sub(f, y)"), parse("y - f")}) == 2


def test_fold_shows_each_edge_its_preorder_number():
    seen: dict[int, str] = {}

    def edge(index: int, value: str) -> str:
        seen[index] = value
        return value

    text = parse("add(mul(y, f), log(1))").fold(
        str, lambda primitive, parts: f"{primitive.name}[{' '.join(parts)}]", edge
    )
    assert text == "add[mul[y f] log[1.0]]"
    assert seen == {1: "mul[y f]", 2: "y", 3: "f", 4: "log[1.0]", 5: "1.0"}


def test_sympy_form_hides_the_guards():
    f, y = sympy.symbols("f y", real=True)
    assert parse("y*log(f) - 1").sympy() == y * sympy.log(sympy.Abs(f)) - 1
    assert parse("f/y").sympy() == f / sympy.sqrt(1 + y**2)
    assert parse("0.123456*f").sympy(digits=2) == sympy.Float(0.123456, 2) * f


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("min(log(sub(f, f)), square(sub(f, y)))", "-log(10000000)"),
        ("max(square(f - y), log(sub(y, y)))", "(f - y)**2"),
        ("min(tanh(log(y - y)), f)", "Min(f, -tanh(log(10000000)))"),
        ("add(square(f - y), mul(sub(f, f), log(sub(y, y))))", "(f - y)**2"),
        ("log(0.5 * f - 0.5 * f)", "-log(10000000)"),
        # tanh(65536) differs from 1 by less than SymPy looks for.
        ("max(tanh(square(square(square(4)))) - 1, f)", "Max(f, -1 + tanh(65536))"),
    ],
)
def test_a_guard_shows_where_there_would_be_no_value(text: str, expected: str):
    assert str(parse(text).sympy()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relu(log(sub(x, x)))", "0"),
        ("relu(sub(exp(exp(exp(exp(3)))), x))", "Max(0, -x + exp(50))"),
        ("exp(50)", "exp(50)"),
        ("exp(exp(x))", "exp(exp(x))"),
        ("ratio(x, sub(y, y))", "10000000*x"),
        ("relu(sub(1, sigmoid(exp(50))))", "Max(0, 1 - 1/(exp(-exp(50)) + 1))"),
    ],
)
def test_the_same_goes_for_the_functions_of_class_losses(text: str, expected: str):
    assert str(parse(text, CLASS_PRIMITIVES).sympy()) == expected


def random_tree(
    generator: np.random.Generator, primitives: PrimitiveSet, height: int
) -> Expression:
    heads = (*primitives.primitives, *primitives.variables, *primitives.constants)
    while True:
        head = heads[generator.integers(len(heads))]
        if not isinstance(head, Primitive):
            return Expression(head)
        if height > 0:
            arguments = (random_tree(generator, primitives, height - 1) for _ in range(head.arity))
            return Expression(head, tuple(arguments))


@pytest.mark.parametrize(
    "primitives",
    [EVOMAL_PRIMITIVES, CLASS_PRIMITIVES, BOX_PRIMITIVES],
    ids=["evomal", "classes", "boxes"],
)
def test_any_tree_has_a_sympy_form_with_a_value(primitives: PrimitiveSet):
    generator = np.random.default_rng(0)
    for _ in range(200):
        # Small trees: SymPy takes seconds for some large ones.
        tree = random_tree(generator, primitives, 4)
        assert not tree.sympy().has(*WITHOUT_VALUE), tree
        assert tree.latex()


def test_latex_is_that_of_the_sympy_form():
    assert parse("abs(f - y)").latex() == r"\left|{f - y}\right|"
    assert parse("sqrt(y) * 0.123456").latex(digits=2) == r"0.12 \sqrt{\left|{y}\right|}"
