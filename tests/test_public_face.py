import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxloss

README = Path(__file__).parents[1] / "README.md"
PACKAGES = ("symbols", "losses", "models", "tasks", "learning", "search")


@pytest.mark.parametrize("name", jaxloss.__all__)
def test_every_public_name_resolves_and_is_documented(name: str):
    documentation = inspect.getdoc(getattr(jaxloss, name))
    assert documentation
    # A dataclass without a docstring gets its signature for one.
    assert not documentation.startswith(f"{name}(")


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_hold_what_they_promise(package: str):
    module = importlib.import_module(f"jaxloss.{package}")
    assert module.__doc__
    names = getattr(module, "__all__", [])
    assert sorted(set(names)) == sorted(names)
    assert all(hasattr(module, name) for name in names)


def test_the_face_is_flat_and_complete():
    assert sorted(set(jaxloss.__all__)) == sorted(jaxloss.__all__)
    tree = ast.parse(Path(jaxloss.__file__).read_text())
    assert not [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    imported = {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert imported == set(jaxloss.__all__)


def test_the_readmes_example_runs_as_written():
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    # Only fewer candidates.
    small = example.replace("population=16, generations=4", "population=4, generations=1")
    assert small != example
    done = subprocess.run([sys.executable, "-c", small], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"format"' in done.stdout


def test_importing_prints_nothing_and_touches_no_device():
    program = (
        "import jaxloss\n"
        "from jax._src import xla_bridge\n"
        "assert not xla_bridge.backends_are_initialized()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
