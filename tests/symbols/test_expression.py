import pytest
import sympy

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import EVOMAL_PRIMITIVES, Expression, parse


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


def test_latex_is_that_of_the_sympy_form():
    assert parse("abs(f - y)").latex() == r"\left|{f - y}\right|"
    assert parse("sqrt(y) * 0.123456").latex(digits=2) == r"0.12 \sqrt{\left|{y}\right|}"
