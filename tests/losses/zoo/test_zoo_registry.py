"""The registry of the zoo: names, parameters, expression forms, and use as training losses."""

import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jaxloss import InvalidInputError, zoo

EVERY = pytest.mark.parametrize("name", zoo.ZOO)


def test_names_and_aliases_are_unique():
    names = [name for loss in zoo.ZOO.values() for name in (loss.name, *loss.aliases)]
    assert len(names) == len(set(names))
    assert len(zoo.ZOO) == 85


# The survey's list (https://arxiv.org/abs/2301.05579) and its neighbours, branch by branch.
WANTED: dict[str, str] = {
    "regression": "MBE MAE MSE RMSE MSLE RMSLE Huber smooth-L1 log-cosh quantile pinball Barron",
    "margin": "zero-one hinge squared-hinge perceptron smoothed-hinge quadratically-smoothed-hinge"
    " modified-Huber ramp cosine",
    "probabilistic": "BCE CE sparse-CE NLL KL focal Poly-1 GCE SCE label-smoothing SparseLSR"
    " Xtreme-Margin absolute-CE Baikal",
    "generative": "reconstruction ELBO beta-VAE minimax-GAN minimax-GAN-generator"
    " non-saturating-GAN LSGAN LSGAN-generator WGAN WGAN-generator WGAN-GP hinge-GAN"
    " conditional-GAN-discriminator conditional-GAN-generator DDPM denoising-score-matching"
    " flow-NLL",
    "ranking": "pairwise-margin RankNet contrastive triplet N-pair NT-Xent ListNet softmax-ranking"
    " ListMLE",
    "energy": "energy generalized-perceptron energy-hinge energy-log MCE square-square"
    " square-exponential energy-NLL minimum-empirical-error",
    "segmentation": "Dice Tversky mask-IoU PSG",
    "boxes": "IoU GIoU DIoU CIoU CSE-A-class CSE-A-box CSE-B-class CSE-B-box",
    "retrieval": "CAM CAM-attractor CAM-repeller CAM-minimum-norm",
}


@pytest.mark.parametrize("branch", zoo.BRANCHES)
def test_the_losses_that_people_know_are_there(branch: str):
    for name in WANTED[branch].split():
        assert zoo.get(name).branch == branch, name


@EVERY
def test_every_name_finds_its_loss(name: str):
    loss = zoo.ZOO[name]
    for other in (name, *loss.aliases, name.upper().replace("_", "-")):
        assert zoo.get(other) is loss
    assert getattr(zoo, loss.function.__name__) is loss.function
    assert inspect.getdoc(loss.function)
    assert loss.formula
    assert loss.source
    assert loss.minimum
    hash(loss)


def test_unknown_names_give_the_nearest():
    with pytest.raises(InvalidInputError, match="'hubr'; valid, nearest first: huber,"):
        zoo.get("hubr")
    with pytest.raises(InvalidInputError, match="'margins'; valid, nearest first: margin"):
        zoo.names("margins")
    with pytest.raises(InvalidInputError, match="nearest first: convex"):
        zoo.select(properties=frozenset({"konvex"}))
    with pytest.raises(InvalidInputError, match="nearest first: logit"):
        zoo.select(kind="logitz")
    with pytest.raises(InvalidInputError, match="nearest first: real"):
        zoo.example_inputs("reals", jax.random.key(0))
    with pytest.raises(InvalidInputError, match="one example or more"):
        zoo.example_inputs("real", jax.random.key(0), 0)


def test_a_parameter_that_is_given_twice_is_refused():
    with pytest.raises(InvalidInputError, match="'huber:delta=1: delta=2' gives 'delta' twice"):
        zoo.read("huber:delta=1: delta=2")


def test_a_parameter_that_cannot_be_read_is_refused_with_an_example_if_there_is_one():
    with pytest.raises(InvalidInputError, match=r"written NAME=NUMBER, as in huber:delta=1$"):
        zoo.read("huber:delta")
    with pytest.raises(InvalidInputError, match="cannot read 'x' in 'mse:x'; mse has no param"):
        zoo.read("mse:x")


def test_losses_are_listed_and_filtered():
    assert zoo.names() == tuple(zoo.ZOO)
    assert sum(len(zoo.names(branch)) for branch in zoo.BRANCHES) == len(zoo.ZOO)
    assert zoo.names("segmentation") == ("dice", "tversky", "mask_iou", "psg")
    assert [loss.name for loss in zoo.select(view="boxes", text="CSE-auto")] == [
        "cse_a_box",
        "cse_b_box",
    ]
    assert zoo.select(text="nothing like it") == ()
    with pytest.raises(InvalidInputError, match="unknown view 'softmx'; valid, nearest first: sof"):
        zoo.select(view="softmx")
    tolerant = zoo.select("regression", "real", frozenset({"noise_tolerant", "nonnegative"}))
    assert [loss.name for loss in tolerant] == ["mae", "quantile"]


@EVERY
def test_parameters_are_those_of_the_function(name: str):
    loss = zoo.get(name)
    keywords = inspect.signature(loss.function).parameters
    for parameter in loss.parameters:
        assert keywords[parameter.name].default == parameter.default
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.meaning
        assert parameter.source
    others = set(keywords) - set(loss.defaults) - {"axis", "where", "balance"}
    assert len(others) == len(loss.inputs.arguments)


def test_losses_are_spelled_one_way():
    sce = zoo.get("sce")
    given = {"log_zero": -4, "beta": 3.0, "alpha": 1 / 3}
    text = zoo.spelled(sce, given)
    assert text == "symmetric_cross_entropy:alpha=0.3333333333333333:beta=3"
    assert zoo.read(text) == (sce, {"alpha": 1 / 3, "beta": 3.0})
    assert zoo.spelled(*zoo.read("Huber: delta=1")) == "huber"
    with pytest.raises(InvalidInputError, match="alpha of symmetric_cross_entropy must be"):
        zoo.spelled(sce, {"alpha": -1.0})


SAID = {
    "logit": "logits",
    "logits": "logits",
    "logits_and_classes": "logits",
    "mask": "logits",
    "detections": "logits",
    "probability": "probabilities",
    "log_probabilities": "log probabilities",
    "log_probabilities_and_classes": "log probabilities",
    "score": "scores",
}
"""What the documentation of each loss of a kind has to say of its predictions."""


@EVERY
def test_documentation_says_what_the_predictions_are(name: str):
    entry = zoo.get(name)
    assert entry.inputs.scale
    text = inspect.getdoc(entry.function) or ""
    while found := re.search(r"[Tt]akes what `(\w+)` takes", text):
        text = inspect.getdoc(getattr(zoo, found[1])) or ""
    module = inspect.getdoc(inspect.getmodule(entry.function)) or ""
    assert SAID.get(entry.kind, "") in text + module


def test_parameters_are_bound_within_their_range():
    f, y = jnp.array([3.0]), jnp.array([0.0])
    assert float(zoo.get("huber").bind(delta=2.0)(f, y)[0]) == pytest.approx(4.0)
    wrongs: tuple[Any, ...] = (0.0, -1.0, float("nan"), float("inf"), True, "2")
    for wrong in wrongs:
        with pytest.raises(InvalidInputError, match="delta of huber must be a number from"):
            zoo.get("huber").bind(delta=wrong)
    with pytest.raises(InvalidInputError, match="unknown parameter of huber 'beta'"):
        zoo.get("huber").bind(beta=1.0)
    with pytest.raises(InvalidInputError, match="mae has no parameters"):
        zoo.get("mae").bind(delta=1.0)


def test_a_wrong_entry_is_refused():
    mae = zoo.get("mae")
    arguments = (mae.name, mae.branch, mae.function)
    with pytest.raises(InvalidInputError, match="unknown property"):
        zoo.ZooLoss(*arguments, "real", "", "", "", properties=frozenset({"nice"}))
    with pytest.raises(InvalidInputError, match="unknown kind"):
        zoo.ZooLoss(*arguments, "unreal", "", "", "")


@EVERY
def test_formulas_are_balanced_latex(name: str):
    formula = zoo.get(name).formula
    assert len(re.findall(r"(?<!\\)\{", formula)) == len(re.findall(r"(?<!\\)\}", formula))
    assert formula.count(r"\left") - formula.count(r"\left.") >= 0
    assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula))
    assert len(re.findall(r"\\begin", formula)) == len(re.findall(r"\\end", formula))
