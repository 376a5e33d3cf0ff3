"""Imports go down only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxloss
from jaxloss import search

ROOT = Path(jaxloss.__file__).parent
MODULES = {
    ".".join(("jaxloss", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in sorted(ROOT.rglob("*.py"))
}

FLOORS = {
    "errors": 0,
    "keys": 0,
    "symbols": 1,
    "losses": 2,
    "models": 3,
    "tasks": 3,
    "learning": 4,
    "search": 5,
    "runs": 6,
    "commands": 7,
    "cli": 8,
    "__main__": 9,
}
"""The floor of each room; ``commands`` and ``cli`` are the doors of floor 6 and ``__main__`` the
bell beside them."""

SAME_FLOOR = {
    ("tasks", "models"): "a task holds the model that it trains",
}
"""Rooms of one floor that may import each other, and why."""

METHODS = {
    "evomal",
    "gp_lfl",
    "ml3",
    "taylorglo",
    "glo",
    "arl",
    "adalfl",
    "cse_autoloss",
    "meta_pinn",
}
"""Modules of search/ that are methods: none imports another."""


def room(module: str) -> str:
    return module.removeprefix("jaxloss.").split(".")[0]


def imports(path: Path) -> Iterator[str]:
    """Names every module of jaxloss that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] == "jaxloss")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            if (node.module or "").split(".")[0] == "jaxloss":
                for name in node.names:
                    whole = f"{node.module}.{name.name}"
                    package = whole in MODULES or f"{whole}.__init__" in MODULES
                    yield whole if package else str(node.module)


def may_import(importer: str, imported: str) -> bool:
    own, other = room(importer), room(imported)
    if own == other:
        return True
    if own == "__init__":
        return FLOORS[other] < FLOORS["commands"]
    return FLOORS[other] < FLOORS[own] or (own, other) in SAME_FLOOR


def test_every_room_has_a_floor():
    assert {room(module) for module in MODULES} - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str):
    for imported in imports(MODULES[module]):
        assert imported != "jaxloss", f"{module} imports the public face above it"
        assert may_import(module, imported), f"{module} imports {imported}"


def test_the_exceptions_are_in_use():
    used = {
        (room(module), room(imported))
        for module, path in MODULES.items()
        for imported in imports(path)
    }
    assert set(SAME_FLOOR) <= used


def test_no_method_imports_another():
    for name in METHODS:
        found = set(imports(MODULES[f"jaxloss.search.{name}"]))
        assert not found & {f"jaxloss.search.{other}" for other in METHODS - {name}}


def test_all_methods_are_watched():
    registered = search.METHODS.values()
    assert {method.make.__module__.split(".")[-1] for method in registered} == METHODS


def test_the_walk_finds_what_it_should(tmp_path: Path):
    file = tmp_path / "module.py"
    file.write_text(
        "import jaxloss.search.evomal\n"
        "def late():\n"
        "    from jaxloss.runs import loop\n"
        "    from jaxloss.symbols.parser import parse\n"
        "    from jaxloss import tasks\n"
        "    import numpy.linalg\n"
    )
    assert list(imports(file)) == [
        "jaxloss.search.evomal",
        "jaxloss.runs.loop",
        "jaxloss.symbols.parser",
        "jaxloss.tasks",
    ]
    assert not may_import("jaxloss.symbols.genome", "jaxloss.losses.tree")
    assert not may_import("jaxloss.models.mlp", "jaxloss.tasks.task")
    assert not may_import("jaxloss.errors", "jaxloss.symbols")
    assert may_import("jaxloss.tasks.task", "jaxloss.models.model")
