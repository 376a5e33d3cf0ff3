import sys

import jax
import jax.numpy as jnp
import pytest

from jaxloss.errors import InvalidInputError
from jaxloss.models import create_model

OWN_MODULE = """
import flax.linen as nn
from jaxloss.models import MLP

number = 3

def network(outputs):
    return MLP((7,), outputs)

def pair(outputs):
    return lambda key, inputs: 0.0, lambda params, inputs: inputs * params

def useless(outputs):
    return outputs

def failing(outputs):
    raise KeyError("oh")
"""


@pytest.fixture
def import_path(monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "own_networks.py").write_text(OWN_MODULE)
    (tmp_path / "broken_networks.py").write_text("import nothing_of_this_name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_networks", raising=False)


def output_shape(spec: str, outputs: int, shape):
    model = create_model(spec, outputs)

    def forward(inputs):
        return model.apply(model.init(jax.random.key(0), inputs), inputs, False, None)[0]

    return jax.eval_shape(forward, jnp.zeros(shape)).shape


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("linear", (2, 3)),
        ("mlp", (2, 3)),
        ("mlp:5-4-3", (2, 4, 4)),
        ("lenet5", (2, 28, 28)),
        ("alexnet", (2, 32, 32, 3)),
        ("alexnet:8", (2, 16, 16, 3)),
        ("vgg:19:4", (2, 32, 32)),
        ("allcnn_c", (2, 32, 32, 3)),
        ("resnet:34", (2, 32, 32, 3)),
        ("preresnet:50:4", (2, 8, 8, 3)),
        ("wide_resnet:16-8", (2, 32, 32, 3)),
        ("wide_resnet:10-1:4", (2, 28, 28)),
        ("squeezenet:12", (2, 32, 32, 3)),
        ("pyramidnet:14-7:4", (2, 8, 8, 3)),
    ],
)
def test_every_name_makes_a_network_of_as_many_outputs(spec, shape):
    assert create_model(spec, 4).name == spec
    assert output_shape(spec, 4, shape) == (2, 4)


def test_plain_mlp_is_mlp_50_50():
    def shapes(spec):
        model = create_model(spec, 2)
        return jax.tree.map(
            jnp.shape, jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 3)))
        )

    assert shapes("mlp") == shapes("mlp:50-50")


def shapes(spec):
    model = create_model(spec, 2)
    made = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
    return jax.tree.map(jnp.shape, made)


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        ("vgg", "vgg:16:64"),
        ("resnet", "resnet:18:64"),
        ("preresnet", "preresnet:18:64"),
        ("allcnn_c", "allcnn_c:96"),
        ("squeezenet", "squeezenet:96"),
        ("alexnet", "alexnet:64"),
        ("wide_resnet", "wide_resnet:28-10:16"),
        ("pyramidnet:8-48", "pyramidnet:8-48:16"),
    ],
)
def test_what_a_spec_leaves_out_is_the_published_default(short, whole):
    assert shapes(short) == shapes(whole)


def test_the_last_number_is_the_width_of_the_first_convolution():
    narrow = shapes("resnet:18:8")["params"]
    assert narrow["Conv_0"]["kernel"] == (3, 3, 3, 8)
    assert narrow["Dense_0"]["kernel"] == (64, 2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "fcn:8-0",
            "widths must be positive whole numbers joined by '-', for instance 'fcn:50-50'",
        ),
        ("vgg11", "unknown model 'vgg11'; valid, nearest first: vgg:11, "),
        ("resnt:18", "unknown model 'resnt:18'; valid, nearest first: resnet:18, "),
        ("allcnn", "nearest first: allcnn_c, "),
        ("wideresnet:28-10", "nearest first: wide_resnet:28-10, "),
        ("resnet:20", "no depth of 20; valid: 18, 34, 50, 101, 152; nearest: 'resnet:18'"),
        ("preresnet:110", "no depth of 110; .* nearest: 'preresnet:101'"),
        ("vgg:x", "'x' is no depth; valid: 11, 13, 16, 19"),
        ("vgg:", "'' is no depth"),
        ("vgg:16:0", "expected 'vgg:16', or 'vgg:16:64' with the channels"),
        ("resnet:18:8:8", "expected 'resnet:18', or 'resnet:18:64' with"),
        ("alexnet:small", "expected 'alexnet', or 'alexnet:64' with"),
        ("wide_resnet:28", "expected a depth and a widening factor, .* 'wide_resnet:28-10'"),
        ("wide_resnet:28-0", "expected a depth and a widening factor"),
        ("wide_resnet:30-10", r"depth of 6n \+ 4 with n of 1 or more, got 30; nearest: 28"),
        ("pyramidnet:100-48", r"depth of 6n \+ 2 with n of 1 or more, got 100; nearest: 98"),
        ("pyramidnet:110-x", "expected a depth and a number of channels"),
        ("lenet", "unknown model 'lenet'; valid, nearest first: lenet5, "),
        ("linaer", "nearest first: linear, "),
        ("mlp:0-5", "widths must be positive whole numbers"),
        ("mlp:", "widths must be positive"),
        ("mlp:5--5", "widths must be positive"),
        ("mlp:1e3", "widths must be positive"),
        ("mlp:²", "widths must be positive"),
        ("linear:5", "'linear' takes no setting"),
        ("no_such_module:make", "module 'no_such_module' cannot be imported"),
        ("math:sqr", "has no 'sqr'; it has, nearest first: sqrt"),
        ("math:pi", "is no function; expected factory"),
        ("math:", "is incomplete"),
        (":make", "is incomplete"),
        ("nets.py:make", "write the module: 'nets:make'"),
    ],
)
@pytest.mark.usefixtures("import_path")
def test_bad_specs_are_refused_with_a_way_on(spec, message):
    with pytest.raises(InvalidInputError, match=message):
        create_model(spec, 2)


def test_no_outputs_are_refused():
    with pytest.raises(InvalidInputError, match="at least one output, got 0"):
        create_model("linear", 0)


@pytest.mark.usefixtures("import_path", "own_module")
def test_factories_are_found_in_the_current_folder():
    assert output_shape("own_networks:network", 3, (2, 4)) == (2, 3)
    assert output_shape("own_networks:pair", 3, (2, 4)) == (2, 4)
    for spec, message in [
        ("own_networks:netwrok", "nearest first: network"),
        ("own_networks:number", "is no function"),
        ("own_networks:useless", "is a int; expected"),
        ("own_networks:failing", r"factory\(3\) failed \(KeyError"),
        ("broken_networks:make", "No module named 'nothing_of_this_name'"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            create_model(spec, 3)
