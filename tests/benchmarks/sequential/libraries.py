"""PyTorch and DEAP, imported by name: types are checked where they are not installed, too."""

import importlib
from typing import Any, TypeAlias

torch: Any = importlib.import_module("torch")
base: Any = importlib.import_module("deap.base")
gp: Any = importlib.import_module("deap.gp")
tools: Any = importlib.import_module("deap.tools")

Tensor: TypeAlias = Any
"""A ``torch.Tensor``."""

Module: TypeAlias = Any
"""A ``torch.nn.Module``."""

Generator: TypeAlias = Any
"""A ``torch.Generator``."""

Tree: TypeAlias = Any
"""A ``deap.gp.PrimitiveTree``: its nodes in preorder."""
