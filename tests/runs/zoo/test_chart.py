import numpy as np

from jaxloss.runs.zoo.chart import chart


def test_a_line_goes_from_corner_to_corner():
    places = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert chart(places, places, height=5)[:6] == [
        " 2.00 |    *",
        "      |   *",
        "    0 |..*..",
        "      | *",
        "-2.00 |*",
        "      +-----",
    ]


def test_steps_are_joined_and_the_axis_is_numbered():
    places = np.linspace(0.0, 20.0, 21)
    values = np.where(places < 10, 0.0, 3.0)
    assert chart(places, values, height=4) == [
        "3.00 |          ***********",
        "     |          |",
        "     |          |",
        "   0 |**********",
        "     +---------------------",
        "      0       10.0     20.0",
    ]


def test_what_is_no_number_stays_empty():
    places = np.linspace(0.0, 9.0, 10)
    values = np.array([1.0, np.nan, 3.0, np.inf, 1.0, 1.0, 1.0, 1.0, 1.0, -np.inf])
    assert chart(places, values, height=3)[:3] == [
        "3.00 |  *",
        "     |",
        "1.00 |*   *****",
    ]
    assert chart(places, np.full(10, np.nan)) == ["nothing here is a finite number"]


def test_a_constant_lies_in_the_middle_whatever_its_size():
    places = np.linspace(0.0, 9.0, 10)
    for value, text in ((0.0, "0"), (-2.0, "-2.00"), (1e9, "1e+09")):
        lines = chart(places, np.full(10, value), height=3)
        assert lines[1] == f"{text} |**********"
        assert lines[0] == lines[2] == " " * len(text) + " |"
