"""Finds a network by the short text that a person writes for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn

from jaxloss.errors import InvalidInputError, require, unknown_name
from jaxloss.models import alexnet, allcnn, preresnet, pyramidnet, resnet, squeezenet, vgg
from jaxloss.models import wide_resnet as wide
from jaxloss.models.adapters import adapt, from_linen
from jaxloss.models.convolution import blocks_in_stage
from jaxloss.models.fcn import FCN
from jaxloss.models.fcn import WIDTHS as FCN_WIDTHS
from jaxloss.models.lenet import LeNet5
from jaxloss.models.mlp import MLP
from jaxloss.models.model import Model
from jaxloss.models.python_names import load_attribute

DEFAULT_WIDTHS = "50-50"
"""Hidden widths of ``"mlp"``: small enough for a search on a laptop (*assumed*)."""


class ConvolutionalFamily(NamedTuple):
    """Convolutional networks that share a name.

    Attributes:
        settings: published ones, as a person writes them, the default first; empty where the
            family has one network.
        width: published channels of the first convolution.
        make: ``(spec, setting, outputs, width) -> module``.
    """

    settings: tuple[str, ...]
    width: int
    make: Callable[[str, str, int, int], nn.Module]


def _vgg(spec: str, setting: str, outputs: int, width: int) -> nn.Module:
    return vgg.VGG(vgg.STAGES[_depth(spec, setting, tuple(vgg.STAGES))], outputs, width)


def _resnet(spec: str, setting: str, outputs: int, width: int) -> nn.Module:
    layout = resnet.LAYOUTS[_depth(spec, setting, tuple(resnet.LAYOUTS))]
    return resnet.ResNet(layout, outputs, width)


def _preresnet(spec: str, setting: str, outputs: int, width: int) -> nn.Module:
    layout = resnet.LAYOUTS[_depth(spec, setting, tuple(resnet.LAYOUTS))]
    return preresnet.PreResNet(layout, outputs, width)


def _wide_resnet(spec: str, setting: str, outputs: int, width: int) -> nn.Module:
    depth, widening = _pair(spec, setting, "a depth and a widening factor", "wide_resnet:28-10")
    blocks_in_stage("wide_resnet", depth, 4)
    return wide.WideResNet(depth, widening, outputs, width)


def _pyramidnet(spec: str, setting: str, outputs: int, width: int) -> nn.Module:
    depth, alpha = _pair(spec, setting, "a depth and a number of channels", "pyramidnet:110-48")
    blocks_in_stage("pyramidnet", depth, 2)
    return pyramidnet.PyramidNet(depth, alpha, outputs, width)


CONVOLUTIONAL = {
    "alexnet": ConvolutionalFamily(
        (), alexnet.PUBLISHED_WIDTH, lambda _, __, *sizes: alexnet.AlexNet(*sizes)
    ),
    "vgg": ConvolutionalFamily(("16", "11", "13", "19"), vgg.PUBLISHED_WIDTH, _vgg),
    "allcnn_c": ConvolutionalFamily(
        (), allcnn.PUBLISHED_WIDTH, lambda _, __, *sizes: allcnn.AllCNNC(*sizes)
    ),
    "resnet": ConvolutionalFamily(
        ("18", "34", "50", "101", "152"), resnet.PUBLISHED_WIDTH, _resnet
    ),
    "preresnet": ConvolutionalFamily(
        ("18", "34", "50", "101", "152"), resnet.PUBLISHED_WIDTH, _preresnet
    ),
    "wide_resnet": ConvolutionalFamily(
        ("28-10", "40-4", "16-8"), wide.PUBLISHED_WIDTH, _wide_resnet
    ),
    "squeezenet": ConvolutionalFamily(
        (), squeezenet.PUBLISHED_WIDTH, lambda _, __, *sizes: squeezenet.SqueezeNet(*sizes)
    ),
    "pyramidnet": ConvolutionalFamily(
        ("110-48", "110-84"), pyramidnet.PUBLISHED_WIDTH, _pyramidnet
    ),
}
"""The convolutional networks of EvoMAL at CIFAR size, by name."""

MODEL_NAMES = ("linear", "mlp", "lenet5", "fcn", *CONVOLUTIONAL)
"""Networks that come with jaxloss; any other is written ``module:factory``."""

_EXAMPLES = (
    *MODEL_NAMES,
    "mlp:100-100",
    "fcn:8-16-16",
    *(f"{name}:{setting}" for name, family in CONVOLUTIONAL.items() for setting in family.settings),
    "module:factory",
)


def create_model(spec: str, outputs: int) -> Model:
    """Makes the network that ``spec`` names.

    A spec is a name, after which the name's own setting can follow:

    | spec | network | without a setting |
    |---|---|---|
    | ``linear`` | affine | |
    | ``mlp:WIDTH-WIDTH-...`` | perceptron with these hidden layers | ``mlp:50-50`` |
    | ``lenet5`` | LeNet-5 | |
    | ``fcn:WIDTH-WIDTH-...`` | fully convolutional, outputs for each pixel | ``fcn:8-16`` |
    | ``alexnet`` | AlexNet | |
    | ``vgg:DEPTH`` | VGG 11, 13, 16, 19 | ``vgg:16`` |
    | ``allcnn_c`` | All-CNN-C | |
    | ``resnet:DEPTH`` | ResNet 18, 34, 50, 101, 152 | ``resnet:18`` |
    | ``preresnet:DEPTH`` | the same with pre-activation | ``preresnet:18`` |
    | ``wide_resnet:DEPTH-WIDENING`` | WRN of a depth 6n + 4 | ``wide_resnet:28-10`` |
    | ``squeezenet`` | SqueezeNet | |
    | ``pyramidnet:DEPTH-ALPHA`` | PyramidNet of a depth 6n + 2 | ``pyramidnet:110-48`` |
    | ``module:factory`` | what a Python function makes | |

    From ``alexnet`` on, the channels of the first convolution can come last, after one more colon:
    ``"resnet:18:8"`` and ``"alexnet:8"`` are narrow networks, for a quick try; the published ones
    have 64, All-CNN-C and SqueezeNet 96, wide and pyramidal networks 16. All other layers are in
    proportion, but for PyramidNet's ALPHA.

    Args:
        spec: as above. In ``"module:factory"`` the module is one that Python can import, also from
            the current folder, and in it ``factory(outputs)`` is a function that returns anything
            `jaxloss.models.adapt` takes.
        outputs: units of the last layer: classes, or values to predict; of ``fcn``, those of each
            pixel.

    Returns:
        The network, named by its spec.

    Raises:
        InvalidInputError: the name is unknown, a setting is none of the name's, a width is no
            positive number, or the factory cannot be found or used.
    """
    require(outputs >= 1, f"a model needs at least one output, got {outputs}")
    family, colon, setting = spec.partition(":")
    # No Python name begins with a digit, so this can only be a setting of a name mistyped.
    mistyped = family not in MODEL_NAMES and setting[:1].isdigit()
    if mistyped or (not colon and family not in MODEL_NAMES):
        raise unknown_name("model", spec, _EXAMPLES)
    if family == "mlp":
        widths = _widths(spec, setting if colon else DEFAULT_WIDTHS)
        return from_linen(MLP(widths, outputs), spec)
    if family == "fcn":
        stages = _widths(spec, setting) if colon else FCN_WIDTHS
        return from_linen(FCN(stages, outputs), spec)
    if family in CONVOLUTIONAL:
        return from_linen(_convolutional(spec, outputs), spec)
    if family not in MODEL_NAMES:
        return _from_factory(spec, outputs)
    require(not colon, f"model {family!r} takes no setting, got {spec!r}; write {family!r}")
    return from_linen(MLP((), outputs) if family == "linear" else LeNet5(outputs), spec)


def as_model(thing: Any, outputs: int) -> Model:
    """Makes a `Model` of what a person names or gives.

    Args:
        thing: a text for `create_model`, or a network for `jaxloss.models.adapt`, which is then
            called as its function or class is.
        outputs: units of the last layer, where a text is given.

    Raises:
        InvalidInputError: the text or the network cannot be used.
    """
    if isinstance(thing, str):
        return create_model(thing, outputs)
    return adapt(thing, getattr(thing, "__name__", type(thing).__name__))


def _convolutional(spec: str, outputs: int) -> nn.Module:
    name, *parts = spec.split(":")
    family = CONVOLUTIONAL[name]
    setting = (parts.pop(0) if parts else family.settings[0]) if family.settings else ""
    width = str(family.width)
    if parts:
        width = parts.pop(0)
    form = f"{name}:{family.settings[0]}" if family.settings else name
    require(
        not parts and _is_positive(width),
        f"model {spec!r}: expected {form!r}, or '{form}:{family.width}' with the channels of the "
        "first convolution, a positive whole number, last",
    )
    return family.make(spec, setting, outputs, int(width))


def _depth(spec: str, text: str, depths: tuple[int, ...]) -> int:
    listed = ", ".join(map(str, depths))
    require(_is_positive(text), f"model {spec!r}: {text!r} is no depth; valid: {listed}")
    nearest = min(depths, key=lambda depth: abs(depth - int(text)))
    name = spec.partition(":")[0]
    require(
        int(text) in depths,
        f"model {spec!r}: no depth of {text}; valid: {listed}; nearest: '{name}:{nearest}'",
    )
    return int(text)


def _pair(spec: str, text: str, meaning: str, example: str) -> tuple[int, int]:
    numbers = text.split("-")
    require(
        len(numbers) == 2 and all(map(_is_positive, numbers)),
        f"model {spec!r}: expected {meaning}, positive whole numbers joined by '-', for instance "
        f"{example!r}",
    )
    return int(numbers[0]), int(numbers[1])


def _is_positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _widths(spec: str, text: str) -> tuple[int, ...]:
    widths = text.split("-")
    if not all(map(_is_positive, widths)):
        raise InvalidInputError(
            f"model {spec!r}: widths must be positive whole numbers joined by '-', "
            f"for instance '{spec.partition(':')[0]}:50-50'"
        )
    return tuple(int(width) for width in widths)


def _from_factory(spec: str, outputs: int) -> Model:
    factory = load_attribute(spec, "model")
    require(callable(factory), f"model {spec!r} is no function; expected factory(outputs)")
    try:
        made = factory(outputs)
    # The factory is the person's own code and can fail in any way.
    except Exception as error:
        raise InvalidInputError(
            f"model {spec!r}: factory({outputs}) failed ({type(error).__name__}: {error})"
        ) from error
    return adapt(made, spec)
