"""A network beside class anchors: parameters of its own that are trained along.

Paper: Class Anchor Margin Loss for Content-Based Image Retrieval,
https://arxiv.org/abs/2306.00630.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxloss.losses.zoo import initial_anchors
from jaxloss.models.model import Model, Variables


def anchored_model(network: Model, classes: int, features: int) -> Model:
    """Puts class anchors beside a network.

    The anchors start on scaled basis vectors, 2m apart with the usual margin m = 2, so that Class
    Anchor Margin's repeller is 0 at the start.

    Args:
        network: makes embeddings, ``[batch, features]``.
        classes: how many anchors.
        features: numbers of an embedding, as many as classes or more.

    Returns:
        A network with the parameters ``{"network": ..., "anchors": [classes, features]}`` and
        outputs ``[batch, 1 + classes, features]``: for each example its embedding, and after it the
        anchors, which are the same for all.

    Raises:
        InvalidInputError: there are more classes than features.
    """
    start = initial_anchors(classes, features)

    def init(key: PRNGKeyArray, inputs: Float[Array, "batch ..."]) -> Variables:
        drawn = network.init(key, inputs)
        # A copy for each network: a program that reuses its arguments' memory must not meet it.
        return {**drawn, "params": {"network": drawn["params"], "anchors": jnp.array(start)}}

    def apply(
        variables: Variables,
        inputs: Float[Array, "batch ..."],
        train: bool,
        key: PRNGKeyArray | None,
    ) -> tuple[Float[Array, "batch rows features"], Variables]:
        params = variables["params"]
        own = {**variables, "params": params["network"]}
        embeddings, renewed = network.apply(own, inputs, train, key)
        # A network with one output may leave its axis out.
        embeddings = embeddings.reshape(-1, 1, features)
        shape = (embeddings.shape[0], classes, features)
        anchors = jnp.broadcast_to(params["anchors"], shape).astype(embeddings.dtype)
        outputs = jnp.concatenate([embeddings, anchors], 1)
        return outputs, {**renewed, "params": params}

    return Model(init, apply, network.name)
