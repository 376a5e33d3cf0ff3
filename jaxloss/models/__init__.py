"""Networks as pure functions: the pair `Model`, adapters to it, and a few small architectures."""

from jaxloss.models.adapters import adapt, from_functions, from_linen
from jaxloss.models.lenet import LeNet5
from jaxloss.models.mlp import MLP
from jaxloss.models.model import Model, ModelFactory, Variables
from jaxloss.models.nnx_adapter import from_nnx
from jaxloss.models.registry import MODEL_NAMES, create_model

__all__ = [
    "MLP",
    "MODEL_NAMES",
    "LeNet5",
    "Model",
    "ModelFactory",
    "Variables",
    "adapt",
    "create_model",
    "from_functions",
    "from_linen",
    "from_nnx",
]
