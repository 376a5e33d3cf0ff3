"""Networks as pure functions: the pair `Model`, adapters to it, and the networks of EvoMAL."""

from jaxloss.models.adapters import adapt, from_functions, from_linen
from jaxloss.models.alexnet import AlexNet
from jaxloss.models.allcnn import AllCNNC
from jaxloss.models.lenet import LeNet5
from jaxloss.models.mlp import MLP
from jaxloss.models.model import Model, ModelFactory, Variables
from jaxloss.models.nnx_adapter import from_nnx
from jaxloss.models.preresnet import PreResNet
from jaxloss.models.pyramidnet import PyramidNet
from jaxloss.models.registry import MODEL_NAMES, create_model
from jaxloss.models.resnet import ResNet
from jaxloss.models.squeezenet import SqueezeNet
from jaxloss.models.vgg import VGG
from jaxloss.models.wide_resnet import WideResNet

__all__ = [
    "MLP",
    "MODEL_NAMES",
    "VGG",
    "AlexNet",
    "AllCNNC",
    "LeNet5",
    "Model",
    "ModelFactory",
    "PreResNet",
    "PyramidNet",
    "ResNet",
    "SqueezeNet",
    "Variables",
    "WideResNet",
    "adapt",
    "create_model",
    "from_functions",
    "from_linen",
    "from_nnx",
]
