"""A learned loss as source that a person pastes into their own training loop."""

from typing import Literal

from jaxloss.losses.learned import LearnedLoss

_ARGUMENTS = {
    "softmax": "outputs: logits [batch, classes]; targets: class numbers, or one-hot rows",
    "sigmoid": "outputs: logits; targets: 0 or 1, one for each output",
    "identity": "outputs: predicted values; targets: one value for each output",
    "boxes": "outputs: four raw numbers for each box; targets: x1, y1, x2, y2 in pixels",
    "logits": "outputs: logits [batch, classes]; targets: class numbers, or one-hot rows",
    "anchors": "outputs: for each example its embedding and after it the class anchors, which are\n"
    "    parameters of yours, [batch, 1 + classes, features]; targets: class numbers, or one-hot "
    "rows",
}

_SIDE = 64.0
"""Pixels of an image's side, as in the boxes view."""

_DECODING = "# Raw outputs become boxes here; put your own model's decoding in its place."

_JAX_VIEWS = {
    "softmax": """\
    if targets.ndim < outputs.ndim:
        targets = jax.nn.one_hot(targets, outputs.shape[-1])
    f = jax.nn.softmax(outputs, axis=-1)
    y = targets.astype(outputs.dtype)""",
    "sigmoid": """\
    f = jax.nn.sigmoid(outputs)
    y = targets.reshape(outputs.shape).astype(outputs.dtype)""",
    "identity": """\
    f = outputs
    y = targets.reshape(outputs.shape).astype(outputs.dtype)""",
    "logits": """\
    if targets.ndim < outputs.ndim:
        targets = jax.nn.one_hot(targets, outputs.shape[-1])
    x = outputs
    y = targets.astype(outputs.dtype)""",
    "boxes": f"""\
    def decoded(raw):
        {_DECODING}
        centres = {_SIDE} * jax.nn.sigmoid(raw[:, :2])
        sides = {_SIDE / 4} * jnp.exp(3.0 * jnp.tanh(raw[:, 2:] / 3.0))
        return centres - sides / 2, centres + sides / 2

    def area(low, high):
        return jnp.prod(jnp.maximum(high - low, 0.0), axis=-1)

    low, high = decoded(outputs)
    true_low, true_high = targets[:, :2], targets[:, 2:]
    i = area(jnp.maximum(low, true_low), jnp.minimum(high, true_high))
    u = area(low, high) + area(true_low, true_high) - i
    e = area(jnp.minimum(low, true_low), jnp.maximum(high, true_high))""",
    "anchors": """\
    squares = jnp.sum((outputs[:, :1] - outputs[:, 1:]) ** 2, axis=-1)
    # The slope of a root is infinite at 0.
    d = jnp.where(squares > 0, jnp.sqrt(jnp.where(squares > 0, squares, 1.0)), 0.0)
    if targets.ndim < d.ndim:
        targets = jax.nn.one_hot(targets, d.shape[-1])
    y = targets.astype(d.dtype)""",
}

_TORCH_VIEWS = {
    "softmax": """\
    if targets.ndim < outputs.ndim:
        targets = torch.nn.functional.one_hot(targets, outputs.shape[-1])
    f = torch.softmax(outputs, dim=-1)
    y = targets.to(outputs.dtype)""",
    "sigmoid": """\
    f = torch.sigmoid(outputs)
    y = targets.reshape(outputs.shape).to(outputs.dtype)""",
    "identity": """\
    f = outputs
    y = targets.reshape(outputs.shape).to(outputs.dtype)""",
    "logits": """\
    if targets.ndim < outputs.ndim:
        targets = torch.nn.functional.one_hot(targets, outputs.shape[-1])
    x = outputs
    y = targets.to(outputs.dtype)""",
    "boxes": f"""\
    def decoded(raw):
        {_DECODING}
        centres = {_SIDE} * torch.sigmoid(raw[:, :2])
        sides = {_SIDE / 4} * torch.exp(3.0 * torch.tanh(raw[:, 2:] / 3.0))
        return centres - sides / 2, centres + sides / 2

    def area(low, high):
        return torch.prod(torch.clamp(high - low, min=0.0), dim=-1)

    low, high = decoded(outputs)
    true_low, true_high = targets[:, :2], targets[:, 2:]
    i = area(torch.maximum(low, true_low), torch.minimum(high, true_high))
    u = area(low, high) + area(true_low, true_high) - i
    e = area(torch.minimum(low, true_low), torch.maximum(high, true_high))""",
    "anchors": """\
    squares = ((outputs[:, :1] - outputs[:, 1:]) ** 2).sum(dim=-1)
    # The slope of a root is infinite at 0.
    roots = torch.sqrt(torch.where(squares > 0, squares, torch.ones_like(squares)))
    d = torch.where(squares > 0, roots, torch.zeros_like(squares))
    if targets.ndim < d.ndim:
        targets = torch.nn.functional.one_hot(targets, d.shape[-1])
    y = targets.to(d.dtype)""",
}

_IMPORTS = {"jax": "import jax\nimport jax.numpy as jnp", "torch": "import torch"}


def paste_code(loss: LearnedLoss, library: Literal["jax", "torch"]) -> str:
    """Writes a function ``learned_loss(outputs, targets)`` that needs nothing but the library.

    It takes what optax's losses take and returns one value for each example.

    Args:
        loss: the learned loss.
        library: ``"jax"`` or ``"torch"``.
    """
    views = _JAX_VIEWS if library == "jax" else _TORCH_VIEWS
    axis = "axis" if library == "jax" else "dim"
    return (
        f"{_IMPORTS[library]}\n\n\n"
        "def learned_loss(outputs, targets):\n"
        '    """Gives one value for each example; train on the mean.\n\n'
        f'    {_ARGUMENTS[loss.view]}.\n    """\n'
        f"{views[loss.view]}\n"
        f"    values = {loss.code(library)}\n"
        f"    return values.reshape(values.shape[0], -1).sum({axis}=1)\n"
    )
