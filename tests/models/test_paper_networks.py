from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.models import (
    AlexNet,
    AllCNNC,
    PreResNet,
    PyramidNet,
    ResNet,
    WideResNet,
    create_model,
    from_linen,
)
from jaxloss.models.convolution import as_images, blocks_in_stage, convolve, normalise, scaled
from jaxloss.models.preresnet import PreactivatedBasicBlock, PreactivatedBottleneckBlock
from jaxloss.models.pyramidnet import PyramidBlock
from jaxloss.models.resnet import BasicBlock, BottleneckBlock, Layout
from jaxloss.models.squeezenet import Fire

TINY = {
    "alexnet:8": 16,
    "vgg:11:2": 32,
    "allcnn_c:6": 12,
    "resnet:18:2": 8,
    "preresnet:18:2": 8,
    "wide_resnet:10-2:3": 8,
    "squeezenet:24": 8,
    "pyramidnet:8-5:4": 8,
}
"""A narrow network of every name, and the side of the images that it is tried on."""

SHORT = {
    "resnet:18:2": ResNet(Layout((1, 1), bottleneck=False), 3, 2),
    "preresnet:18:2": PreResNet(Layout((1, 1), bottleneck=True), 3, 2),
}
"""What stands for a deep network where compiling its derivatives would take long."""

BATCH = 6


def parameters(spec: str, outputs: int) -> int:
    model = create_model(spec, outputs)
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("spec", "outputs", "expected"),
    [
        # The PyTorch module of the released EvoMAL code, counted.
        ("alexnet", 10, 23_272_266),
        # https://github.com/kuangliu/pytorch-cifar, its PyTorch modules counted.
        ("vgg:11", 10, 9_231_114),
        ("vgg:13", 10, 9_416_010),
        ("vgg", 10, 14_728_266),
        ("vgg:19", 10, 20_040_522),
        ("resnet", 10, 11_173_962),
        ("resnet:34", 10, 21_282_122),
        ("resnet:50", 10, 23_520_842),
        ("resnet:101", 10, 42_512_970),
        ("resnet:152", 10, 58_156_618),
        # The same source, and the scale and bias of the last normalisation, which it leaves out.
        ("preresnet", 10, 11_171_146 + 2 * 512),
        ("preresnet:34", 10, 21_279_306 + 2 * 512),
        ("preresnet:50", 10, 23_509_066 + 2 * 2048),
        ("preresnet:101", 10, 42_501_194 + 2 * 2048),
        ("preresnet:152", 10, 58_144_842 + 2 * 2048),
        # By hand from table 1 of the paper, which rounds it to 1.3 million: kernels and biases of
        # 3 -> 96 -> 96 -> 96 -> 192 -> 192 -> 192 -> 192 (3x3) -> 192 -> 10 (1x1).
        ("allcnn_c", 10, 2_688 + 2 * 83_040 + 166_080 + 3 * 331_968 + 37_056 + 1_930),
        # Zagoruyko and Komodakis print 8.9, 11.0 and 36.5 million; exact: the PyTorch modules of
        # the released EvoMAL code, counted.
        ("wide_resnet:40-4", 10, 8_949_210),
        ("wide_resnet:16-8", 10, 10_961_370),
        ("wide_resnet", 10, 36_479_194),
        # https://github.com/weiaicunzai/pytorch-cifar100 prints 0.78 million at 100 outputs; exact:
        # the PyTorch modules of the released EvoMAL code, counted.
        ("squeezenet", 10, 734_986),
        ("squeezenet", 100, 781_156),
        # Tables of https://github.com/osmr/imgclsmob; Han et al. print 1.7 and 3.8 million.
        ("pyramidnet", 10, 1_772_706),
        ("pyramidnet:110-84", 10, 3_904_446),
    ],
)
def test_published_networks_have_the_published_number_of_parameters(
    spec: str, outputs: int, expected: int
):
    assert parameters(spec, outputs) == expected


def filled(shapes: Any) -> Any:
    """Draws variables by NumPy, which spares compiling each architecture's own initialisation."""
    generator = np.random.default_rng(0)

    def draw(path: Any, leaf: Any) -> Any:
        if path[-1].key == "kernel":
            return generator.normal(size=leaf.shape) * np.sqrt(2 / np.prod(leaf.shape[:-1]))
        if path[-1].key in ("scale", "var"):
            return generator.uniform(0.8, 1.2, leaf.shape)
        return generator.normal(size=leaf.shape) / 5

    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: jnp.asarray(draw(path, leaf), leaf.dtype), shapes
    )


def without_effect(spec: str, name: str) -> bool:
    """Tells the biases that only move what batch normalisation centres again."""
    family, layers = spec.partition(":")[0], name.split("/")
    if layers[-1] != "bias":
        return False
    if family == "vgg":
        return layers[0].startswith("Conv")
    if family == "squeezenet":
        return layers[-2].startswith("Conv") and layers != ["Conv_1", "bias"]
    # What the blocks add up is centred by the first normalisation of each and by the last of all.
    ends = (["BatchNorm_0", "bias"], ["BatchNorm_2", "bias"])
    return family == "pyramidnet" and layers[-2:] == ends[len(layers) - 2]


@pytest.mark.parametrize(("spec", "side"), TINY.items())
def test_every_architecture_runs_and_learns_in_training_and_evaluation(spec: str, side: int):
    model = from_linen(SHORT[spec], spec) if spec in SHORT else create_model(spec, 3)
    images = jax.random.normal(jax.random.key(1), (BATCH, side, side, 3))
    variables = filled(jax.eval_shape(model.init, jax.random.key(0), images))
    held = {name: part for name, part in variables.items() if name != "params"}

    @jax.jit
    def run(params: Any, images: Any) -> Any:
        def objective(params: Any) -> Any:
            key = jax.random.key(0)
            outputs, renewed = model.apply({**held, "params": params}, images, True, key)
            return jnp.mean(outputs**2 * jnp.arange(3.0)), (outputs, renewed)

        gradient, (trained, renewed) = jax.grad(objective, has_aux=True)(params)
        evaluated, same = model.apply({**held, "params": params}, images, False, None)
        return gradient, trained, evaluated, renewed, same

    gradient, trained, evaluated, renewed, same = run(variables["params"], images)
    for outputs in (trained, evaluated):
        assert outputs.shape == (BATCH, 3)
        assert np.all(np.isfinite(outputs))
    assert not np.allclose(trained, evaluated)
    jax.tree.map(np.testing.assert_array_equal, variables, same)
    if held:
        moved = jax.tree.map(
            lambda old, new: np.any(old != new), held["batch_stats"], renewed["batch_stats"]
        )
        assert all(jax.tree.leaves(moved))
    sizes = {
        "/".join(part.key for part in path): float(jnp.max(jnp.abs(leaf)))
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
    }
    assert np.all(np.isfinite(list(sizes.values())))
    silent = {name for name, size in sizes.items() if size < 1e-5 * max(sizes.values())}
    assert silent == {name for name in sizes if without_effect(spec, name)}


@pytest.mark.parametrize("spec", TINY)
@pytest.mark.parametrize("shape", [(2, 7), (2, 32, 32, 3, 1)])
def test_what_is_no_image_is_refused(spec: str, shape: tuple[int, ...]):
    name = spec.partition(":")[0]
    with pytest.raises(InvalidInputError, match=f"{name} needs images of shape"):
        jax.eval_shape(create_model(spec, 2).init, jax.random.key(0), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("spec", "smallest"),
    [
        ("alexnet:8", 16),
        ("vgg:11:2", 32),
        ("allcnn_c:6", 9),
        ("resnet:18:2", 8),
        ("preresnet:18:2", 8),
        ("wide_resnet:10-1:2", 4),
        ("squeezenet:12", 8),
        ("pyramidnet:8-5:2", 4),
    ],
)
def test_the_smallest_image_is_taken_and_a_smaller_one_refused(spec: str, smallest: int):
    model = create_model(spec, 2)

    def forward(images: Any) -> Any:
        return model.apply(model.init(jax.random.key(0), images), images, False, None)[0]

    # Grey images have no axis of channels.
    assert jax.eval_shape(forward, jnp.zeros((2, smallest, smallest))).shape == (2, 2)
    assert jax.eval_shape(forward, jnp.zeros((2, smallest + 1, smallest + 3, 1))).shape == (2, 2)
    expected = f"at least {smallest}x{smallest} pixels, got {smallest}x{smallest - 1}"
    with pytest.raises(InvalidInputError, match=expected):
        jax.eval_shape(forward, jnp.zeros((2, smallest, smallest - 1, 3)))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("spec", "side"), TINY.items())
def test_parameters_and_statistics_keep_double_precision(spec: str, side: int):
    model = create_model(spec, 2)
    images = jax.ShapeDtypeStruct((2, side, side, 3), jnp.float64)

    def step(images: Any) -> Any:
        variables = model.init(jax.random.key(0), images)
        outputs, renewed = model.apply(variables, images, True, jax.random.key(0))
        return variables, renewed, outputs

    leaves = jax.tree.leaves(jax.eval_shape(step, images))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float64")}


def drawn(module: nn.Module, inputs: Any) -> Any:
    return filled(jax.eval_shape(lambda key: module.init(key, inputs, False), jax.random.key(0)))


def silenced(module: nn.Module, inputs: Any, last: str) -> Any:
    """Runs a block after all that its last layer holds was set to zero."""
    variables = drawn(module, inputs)
    params = {**variables["params"]}
    params[last] = jax.tree.map(jnp.zeros_like, params[last])
    return module.apply({**variables, "params": params}, inputs, False)


@pytest.mark.parametrize(
    ("block", "last", "expected"),
    [
        (BasicBlock(4, 1), "BatchNorm_1", nn.relu),
        (BottleneckBlock(1, 1), "BatchNorm_2", nn.relu),
        (PreactivatedBasicBlock(4, 1), "Conv_1", lambda inputs: inputs),
        (PreactivatedBottleneckBlock(1, 1), "Conv_2", lambda inputs: inputs),
        (
            PyramidBlock(6, 2),
            "BatchNorm_2",
            lambda inputs: jnp.pad(
                inputs.reshape(2, 2, 2, 2, 2, 4).mean((2, 4)), ((0, 0),) * 3 + ((0, 2),)
            ),
        ),
    ],
)
def test_blocks_whose_residual_way_is_silent_hand_on_their_inputs(
    block: nn.Module, last: str, expected: Any
):
    inputs = jax.random.normal(jax.random.key(1), (2, 4, 4, 4))
    np.testing.assert_allclose(
        silenced(block, inputs, last), expected(inputs), rtol=1e-5, atol=1e-6
    )


def test_convolutions_are_he_normal_and_stride_from_the_first_pixel_but_one():
    class Alone(nn.Module):
        @nn.compact
        def __call__(self, inputs: Any) -> Any:
            return convolve(inputs, 64, stride=2)

    inputs = jnp.ones((1, 4, 4, 32))
    variables: Any = Alone().init(jax.random.key(0), inputs)
    kernel = variables["params"]["Conv_0"]["kernel"]
    np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / (9 * 32)), rtol=0.02)
    # With a zero on each side the first place of the kernel hangs over the edge, as in PyTorch.
    corner = Alone().apply(variables, inputs)
    assert isinstance(corner, jax.Array)
    np.testing.assert_allclose(corner[0, 0, 0], kernel[1:, 1:].sum((0, 1, 2)), rtol=1e-4)


def test_normalisation_is_that_of_the_batch_over_pixels():
    class Alone(nn.Module):
        @nn.compact
        def __call__(self, inputs: Any, train: bool) -> Any:
            return normalise(inputs, train)

    # A mean this large would leave nothing of a variance made from squares in float32.
    inputs = 3000 + jax.random.normal(jax.random.key(0), (5, 3, 3, 2)) * jnp.array([1.0, 2.0])
    variables = Alone().init(jax.random.key(0), inputs, False)
    outputs, _ = Alone().apply(variables, inputs, True, mutable=["batch_stats"])
    exact = np.asarray(inputs, np.float64)
    centred = exact - exact.mean((0, 1, 2))
    expected = centred / np.sqrt((centred**2).mean((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(outputs, expected, atol=1e-3)


def test_fire_modules_expand_side_by_side():
    inputs = jax.random.normal(jax.random.key(0), (1, 3, 3, 4))
    variables = drawn(Fire(2, 5), inputs)
    shapes = {
        name: part["kernel"].shape for name, part in variables["params"].items() if "C" in name
    }
    assert shapes == {"Conv_0": (1, 1, 4, 2), "Conv_1": (1, 1, 2, 5), "Conv_2": (3, 3, 2, 5)}
    outputs: Any = Fire(2, 5).apply(variables, inputs, False)
    assert outputs.shape == (1, 3, 3, 10)


def channels_of_blocks(network: PyramidNet) -> list[int]:
    images = jnp.zeros((1, 8, 8, 3))
    shapes = jax.eval_shape(lambda key: network.init(key, images, False), jax.random.key(0))
    blocks = {name: part for name, part in shapes["params"].items() if "Block" in name}
    return [blocks[f"PyramidBlock_{k}"]["Conv_1"]["kernel"].shape[-1] for k in range(len(blocks))]


def test_pyramids_grow_evenly():
    assert channels_of_blocks(PyramidNet(20, 18, 2)) == list(range(18, 36, 2))
    # 16 + k * 4 / 6 to the nearest, by hand.
    assert channels_of_blocks(PyramidNet(14, 4, 2)) == [17, 17, 18, 19, 19, 20]


@pytest.mark.parametrize(
    "network",
    [AlexNet(2, width=4), AllCNNC(2, width=4), WideResNet(10, 1, 2, width=2, dropout=0.3)],
)
def test_dropout_is_there_in_training_alone(network: nn.Module):
    images = jax.random.normal(jax.random.key(0), (2, 16, 16, 3))

    variables = drawn(network, images)

    def run(variables: Any, key: Any) -> Any:
        streams = {"dropout": key}
        return network.apply(variables, images, True, rngs=streams, mutable=["batch_stats"])[0]

    trained = [jax.jit(run)(variables, jax.random.key(seed)) for seed in (1, 2, 1)]
    np.testing.assert_array_equal(trained[0], trained[2])
    assert not np.allclose(trained[0], trained[1])
    # Without a key: it would fail if it drew.
    jax.eval_shape(lambda: network.apply(variables, images, False))


def test_layouts_of_ones_own_make_networks():
    network = ResNet(Layout((1, 1), bottleneck=True), outputs=2, width=2)
    images = jnp.zeros((1, 8, 8, 3))
    shapes = jax.eval_shape(lambda key: network.init(key, images, False), jax.random.key(0))
    assert sum("BottleneckBlock" in name for name in shapes["params"]) == 2


def test_depths_between_are_refused_with_the_nearest():
    assert blocks_in_stage("net", 28, 4) == 4
    for depth, nearest in [(27, 28), (30, 28), (32, 34), (1, 10)]:
        with pytest.raises(InvalidInputError, match=f"got {depth}; nearest: {nearest}"):
            blocks_in_stage("net", depth, 4)


def test_narrow_networks_keep_a_channel():
    assert [scaled(16, width, 96) for width in (1, 12, 96, 192)] == [1, 2, 16, 32]
    assert as_images("net", jnp.zeros((2, 4, 5)), 4).shape == (2, 4, 5, 1)
