"""A document as plain blocks, written as one self-contained HTML page or as Markdown."""

import base64
import html
from pathlib import Path
from typing import NamedTuple


class Heading(NamedTuple):
    """Opens a section."""

    text: str


class Paragraph(NamedTuple):
    """Running text; ``strong`` for what a hasty reader should see."""

    text: str
    strong: bool = False


class Table(NamedTuple):
    """Rows of text below a header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Code(NamedTuple):
    """Text that is to be copied as it is."""

    text: str
    language: str = ""


class Picture(NamedTuple):
    """A PNG file, and what it shows in words."""

    path: Path
    alt: str


Block = Heading | Paragraph | Table | Code | Picture

_STYLE = """\
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #D55E00; }
body { font: 16px/1.55 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p.strong { border-left: 4px solid var(--accent); padding: .4rem .9rem; background: var(--soft); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid var(--line); text-align: left; }
td { font-variant-numeric: tabular-nums; vertical-align: top; }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; }
img { max-width: 100%; height: auto; background: white; }
"""


def as_html(title: str, blocks: list[Block]) -> str:
    """Writes one page that needs no other file and no network: pictures are held within."""
    body = "\n".join(map(_html_block, blocks))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _html_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{html.escape(text)}</h2>"
        case Paragraph(text, strong):
            opening = '<p class="strong">' if strong else "<p>"
            return f"{opening}{html.escape(text)}</p>"
        case Code(text):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Picture(path, alt):
            data = base64.b64encode(path.read_bytes()).decode()
            return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'
        case Table(header, rows):
            head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
            body = "".join(
                "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
                for row in rows
            )
            return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def as_markdown(title: str, blocks: list[Block], folder: Path) -> str:
    """Writes Markdown; pictures are named relative to ``folder``, where it is to lie."""
    return f"# {title}\n\n" + "\n\n".join(_markdown_block(block, folder) for block in blocks) + "\n"


def _markdown_block(block: Block, folder: Path) -> str:
    match block:
        case Heading(text):
            return f"## {text}"
        case Paragraph(text, strong):
            return f"**{text}**" if strong else text
        case Code(text, language):
            return f"```{language}\n{text.rstrip()}\n```"
        case Picture(path, alt):
            return f"![{alt}]({path.relative_to(folder).as_posix()})"
        case Table(header, rows):
            lines = [header, ("---",) * len(header), *rows]
            return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
