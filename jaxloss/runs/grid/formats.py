"""A comparison's table as Markdown, as LaTeX and in the terminal."""

import re

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxloss.runs.grid.tables import KIND, NAME, RANK, WORSE, GridTable, TableCell

_LATEX_MARKS = {"+": "+", WORSE: "-", "°": r"\circ"}

_LATEX_CHARACTERS = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "°": r"$^{\circ}$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "χ²": r"$\chi^2$",
    "…": r"\ldots{}",
}

_LATEX_PATTERN = re.compile("|".join(map(re.escape, _LATEX_CHARACTERS)))


def markdown(table: GridTable) -> str:
    """Writes Markdown; the best of each problem is bold."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    def emphasised(cell: TableCell) -> str:
        return f"**{cell.text()}**" if cell.best else cell.text()

    lines = [
        line([NAME, KIND, *table.problems, RANK]),
        line(["---", "---", *["---:"] * (len(table.problems) + 1)]),
    ]
    for row in table.lines:
        lines.append(line([row.name, row.kind, *map(emphasised, row.cells), row.rank]))
    captions = ("Bold: best on its problem.", *table.captions)
    return "\n\n".join((f"## {table.title}", "\n".join(lines), *captions)) + "\n"


def latex(table: GridTable) -> str:
    """Writes a LaTeX table in the style of booktabs; the best of each problem is bold."""
    # More columns than these do not fit one of two columns of text.
    environment = "table*" if len(table.problems) > 2 else "table"
    header = [NAME, KIND, *table.problems, RANK]
    captions = " ".join(("Bold: best on its problem.", *table.captions))
    rows = [
        " & ".join(
            (latex_text(line.name), latex_text(line.kind), *map(_latex_cell, line.cells), line.rank)
        )
        for line in table.lines
    ]
    return "\n".join(
        (
            "% needs \\usepackage{booktabs}",
            f"\\begin{{{environment}}}",
            "\\centering\\small",
            f"\\caption{{{latex_text(table.title)}}}",
            f"\\begin{{tabular}}{{ll{'r' * (len(table.problems) + 1)}}}",
            "\\toprule",
            *_latex_header(header),
            "\\midrule",
            *(f"{row} \\\\" for row in rows),
            "\\bottomrule",
            "\\end{tabular}",
            f"\\par\\smallskip\\parbox{{0.95\\linewidth}}{{\\footnotesize {latex_text(captions)}}}",
            f"\\end{{{environment}}}",
            "",
        )
    )


def _latex_header(header: list[str]) -> list[str]:
    """Writes two lines: names, and the metrics that stand in brackets behind them."""
    pairs = [
        text.rsplit(" (", 1) if text.endswith(")") and " (" in text else [text, ""]
        for text in header
    ]
    names = " & ".join(latex_text(name) for name, _ in pairs)
    metrics = " & ".join(latex_text(metric.removesuffix(")")) for _, metric in pairs)
    return [f"{names} \\\\", f"{metrics} \\\\"]


def _latex_cell(cell: TableCell) -> str:
    if "±" in cell.value or cell.value[-1].isdigit():
        inner = cell.value.replace("±", r"\pm")
        value = f"$\\mathbf{{{inner}}}$" if cell.best else f"${inner}$"
    else:
        value = latex_text(cell.value)
    value = f"[{value}]" if cell.home else value
    mark = f"$^{{{_LATEX_MARKS[cell.mark]}}}$" if cell.mark else ""
    remark = f" ({latex_text(cell.remark)})" if cell.remark else ""
    # A bracket at the start of a line would be read as an option of the line break before it.
    return f"{'{}' if cell.home else ''}{value}{mark}{remark}"


def latex_text(text: str) -> str:
    """Writes text so that LaTeX shows it as it is."""
    return _LATEX_PATTERN.sub(lambda found: _LATEX_CHARACTERS[found.group()], text)


def console_table(table: GridTable, captions: bool = True) -> Group:
    """Makes what rich prints; the best of each problem is bold.

    Args:
        table: what is shown.
        captions: whether it says below how to read it.
    """
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(NAME, no_wrap=True)
    grid.add_column(KIND, min_width=9)
    for problem in table.problems:
        name, _, metric = problem.rpartition(" (")
        heading = Text(f"{name}\n{metric.removesuffix(')')}")
        grid.add_column(heading, justify="right", min_width=8, overflow="fold")
    grid.add_column(Text(RANK.replace(" ", "\n")), justify="right", width=7)
    for line in table.lines:
        grid.add_row(
            Text(line.name),
            Text(line.kind, style="dim"),
            *(Text(cell.text(), style=_style(cell)) for cell in line.cells),
            Text(line.rank),
        )
    title = Text(table.title, style="bold")
    if not captions:
        return Group(title, Text(""), grid)
    said = ("Bold: best on its problem.", *table.captions)
    return Group(title, Text(""), grid, Text(""), *(Text(caption, style="dim") for caption in said))


def _style(cell: TableCell) -> str:
    colours = {"+": "green", WORSE: "red"}
    return " ".join(filter(None, ("bold" if cell.best else "", colours.get(cell.mark, ""))))
