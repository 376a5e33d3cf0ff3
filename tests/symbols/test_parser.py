import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxloss.errors import InvalidInputError
from jaxloss.symbols import (
    BOX_PRIMITIVES,
    CLASS_PRIMITIVES,
    EVOMAL_PRIMITIVES,
    Expression,
    PrimitiveSet,
    parse,
)
from jaxloss.symbols.parser import MAX_LEVELS
from jaxloss.symbols.primitives import PRIMITIVES, Primitive

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TERMINALS = st.sampled_from(["f", "y", 1.0, -1.0]) | NUMBERS
EXPRESSIONS = st.recursive(
    TERMINALS.map(Expression),
    lambda parts: st.sampled_from(PRIMITIVES).flatmap(
        lambda primitive: st.tuples(*[parts] * primitive.arity).map(
            lambda arguments: Expression(primitive, arguments)
        )
    ),
    max_leaves=12,
)


def node(name: str, *arguments: Expression | str | float) -> Expression:
    parts = (part if isinstance(part, Expression) else Expression(part) for part in arguments)
    return Expression(EVOMAL_PRIMITIVES.primitive(name), tuple(parts))


@given(EXPRESSIONS)
def test_what_an_expression_prints_reads_back_as_itself(expression: Expression):
    assert parse(str(expression)) == expression
    assert parse(expression.infix()) == expression


@given(EXPRESSIONS)
def test_spaces_do_not_count(expression: Expression):
    for text in (str(expression), expression.infix()):
        assert parse(re.sub(r"\s", "", text)) == expression
        assert parse(f"\n {text.replace('(', ' ( ').replace(',', ' ,')}\t") == expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y*log(f) - 1", node("sub", node("mul", "y", node("log", "f")), 1.0)),
        ("f - y - 1", node("sub", node("sub", "f", "y"), 1.0)),
        ("f - (y - 1)", node("sub", "f", node("sub", "y", 1.0))),
        ("f / y * 1", node("mul", node("div", "f", "y"), 1.0)),
        ("f + y / 1", node("add", "f", node("div", "y", 1.0))),
        ("(f + y) * f", node("mul", node("add", "f", "y"), "f")),
        ("-f**2", node("mul", -1.0, node("square", "f"))),
        ("-2**2", node("mul", -1.0, node("square", 2.0))),
        ("(-2)**2", node("square", -2.0)),
        ("(f**2)**2", node("square", node("square", "f"))),
        ("(f - y)**2", node("square", node("sub", "f", "y"))),
        ("f*y**2", node("mul", "f", node("square", "y"))),
        ("f - -1", node("sub", "f", -1.0)),
        ("-1*f", node("mul", -1.0, "f")),
        ("-f*y", node("mul", node("mul", -1.0, "f"), "y")),
        ("f * -y", node("mul", "f", node("mul", -1.0, "y"))),
        ("--f", Expression("f")),
        ("+f", Expression("f")),
        ("-.5e-1", Expression(-0.05)),
        ("2.", Expression(2.0)),
        ("min(f - 1, add(y, 1)/f)", node("min", node("sub", "f", 1.0), parse("add(y, 1)/f"))),
    ],
)
def test_operators_bind_as_in_mathematics(text: str, expected: Expression):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (node("sub", "f", node("sub", "y", 1.0)), "f - (y - 1)"),
        (node("sub", node("sub", "f", "y"), 1.0), "f - y - 1"),
        (node("div", "f", node("mul", "y", "f")), "f / (y * f)"),
        (node("mul", node("add", "f", "y"), -1.0), "(f + y) * -1"),
        (node("log", node("add", "f", node("mul", "y", 0.25))), "log(f + y * 0.25)"),
        (node("min", node("square", "f"), "y"), "min(square(f), y)"),
    ],
)
def test_infix_prints_only_the_parentheses_it_needs(expression: Expression, text: str):
    assert expression.infix() == text


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 1, "a number, a variable, a function or '('"),
        ("   ", 4, "a number, a variable, a function or '('"),
        ("f +", 4, "a number, a variable, a function or '('"),
        ("* f", 1, "a number, a variable, a function or '('"),
        ("log()", 5, "a number, a variable, a function or '('"),
        ("(f", 3, "')'"),
        ("log(f", 6, "')'"),
        ("f)", 2, "an operator or the end"),
        ("add(f)", 6, "','"),
        ("add(f, y, 1)", 9, "')'"),
        ("tanh f", 6, "'('"),
        ("add", 4, "'('"),
        ("f y", 3, "an operator or the end"),
        ("2f", 2, "an operator or the end"),
        ("1 if f else y", 3, "an operator or the end"),
        ("0x10", 2, "an operator or the end"),
        ("1e", 2, "an operator or the end"),
        ("f ** 3", 6, "2, the only power"),
        ("f ** y", 6, "2, the only power"),
        ("f**2**2", 5, "parentheses around what is squared twice"),
        ("f**2**2**2", 5, "parentheses around what is squared twice"),
        ("f ^ 2", 3, "a number, a name, an operator or a parenthesis"),
        ("f[0]", 2, "a number, a name, an operator or a parenthesis"),
        ("f.__class__", 2, "a number, a name, an operator or a parenthesis"),
        ("f; y", 2, "a number, a name, an operator or a parenthesis"),
        ("f = y", 3, "a number, a name, an operator or a parenthesis"),
        ("\x00", 1, "a number, a name, an operator or a parenthesis"),
        ("__import__('os')", 12, "a number, a name, an operator or a parenthesis"),
        ("__import__(f)", 1, "a known name, nearest first: "),
        ("lambda", 1, "a known name, nearest first: "),
        ("lambda: f", 7, "a number, a name, an operator or a parenthesis"),
        ("nan", 1, "a known name, nearest first: tanh"),
        ("f + sqr(y)", 5, "a known name, nearest first: sqrt"),
        ("f + Log(y)", 5, "a known name, nearest first: log"),
        ("1e999", 1, "a finite number"),
        ("f - 1e999", 5, "a finite number"),
    ],
)
def test_garbage_is_refused_with_its_position(text: str, position: int, expected: str):
    with pytest.raises(InvalidInputError) as caught:
        parse(text)
    assert f"at position {position} found" in str(caught.value)
    assert f", expected {expected}" in str(caught.value)


@pytest.mark.parametrize("text", ["(" * 300 + "f" + ")" * 300, "abs(" * 5000, "-(" * 5000])
def test_huge_nesting_is_refused(text: str):
    with pytest.raises(InvalidInputError, match=r"at position \d+ .* at most \d+ nested levels"):
        parse(text)


@pytest.mark.parametrize("text", ["f" + " + 1" * 5000, "f" + "**2" * 5000])
def test_a_chain_too_long_to_print_is_refused(text: str):
    with pytest.raises(InvalidInputError, match=r"at position \d+"):
        str(parse(text))


def test_what_a_genome_can_hold_is_never_too_deep():
    deepest = "tanh(" * (MAX_LEVELS - 1) + "f" + ")" * (MAX_LEVELS - 1)
    assert str(parse(deepest)) == deepest
    nested = "f - (" * (MAX_LEVELS - 2) + "f - y" + ")" * (MAX_LEVELS - 2)
    assert parse(nested).infix() == nested


@given(st.text(st.characters() | st.sampled_from("fy1-+*/(),. eE"), max_size=30))
def test_any_text_is_read_or_refused_but_nothing_else_happens(text: str):
    try:
        expression = parse(text)
    except InvalidInputError:
        with pytest.raises(InvalidInputError, match=r"at position \d+ found .*, expected "):
            parse(text)
    else:
        assert parse(str(expression)) == expression


def test_variables_are_those_of_the_primitive_set():
    boxes = PrimitiveSet(variables=("i", "u", "e"))
    assert parse("1 - i/u + e", boxes).variables == ("e", "i", "u")
    with pytest.raises(InvalidInputError, match=r"at position 5 .* a known name"):
        parse("i - f", boxes)


FEW = PrimitiveSet(tuple(row for row in PRIMITIVES if row.name not in ("add", "square")))


@pytest.mark.parametrize(
    ("primitives", "text", "position", "operators", "function"),
    [
        (FEW, "f + y", 3, "-, *, /", "min"),
        (FEW, "f**2", 2, "-, *, /", "min"),
        (BOX_PRIMITIVES, "1 - i/u", 6, "+, -, *", "ratio"),
        (CLASS_PRIMITIVES, "x - y**2", 6, "+, -, *", "dot"),
    ],
)
def test_operators_are_those_of_the_primitive_set(
    primitives: PrimitiveSet, text: str, position: int, operators: str, function: str
):
    with pytest.raises(InvalidInputError) as caught:
        parse(text, primitives)
    said = str(caught.value)
    assert f"the formula {text!r}: at position {position} found" in said
    known, _, functions = said.partition(" or one of its functions ")
    assert known.endswith(f"expected an operator of the primitive set in use ({operators})")
    assert function in functions


def test_what_the_primitive_set_has_is_read_and_what_it_lacks_is_not():
    assert str(parse("f - y", FEW)) == "sub(f, y)"
    with pytest.raises(InvalidInputError, match="a known name"):
        parse("add(f, y)", FEW)


def test_functions_of_ones_own_are_read_and_printed():
    soft = Primitive("soft_plus", 1, lambda a: a, lambda a: a, "s")
    own = PrimitiveSet(primitives=(*PRIMITIVES, soft))
    assert str(parse("soft_plus(f) - y", own)) == "sub(soft_plus(f), y)"
