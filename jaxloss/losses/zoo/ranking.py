"""Ranking losses: scores in the right order, embeddings of one kind close together."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from jaxloss.errors import require
from jaxloss.losses.arrays import fitted, safe_sqrt
from jaxloss.losses.zoo.arrays import Axis, Values, Where, inner_products, kept, kept_pair
from jaxloss.losses.zoo.entry import Parameter, ZooLoss

Lists = Float[Array, "*lists items"]
Rows = Float[Array, "*batch features"]
PerList = Float[Array, "*lists"]

_SURVEY = "https://arxiv.org/abs/2301.05579"


def margin_ranking(first: Values, second: Values, order: Values, margin: float = 1.0) -> Values:
    """Computes max(0, m − o·(a − b)), elementwise on scores a and b and their order o of ±1."""
    difference = first - fitted(first, second)
    return jnp.maximum(0.0, margin - fitted(first, order) * difference)


def ranknet(first: Values, second: Values, probability: Values) -> Values:
    """Computes logistic loss of the score difference, elementwise.

    Args:
        first: scores.
        second: scores to compare them with.
        probability: that the first ranks higher: 1, ½ for a tie, 0, or between.
    """
    difference = first - fitted(first, second)
    return optax.losses.sigmoid_binary_cross_entropy(difference, fitted(first, probability))


def ranking_softmax(scores: Lists, relevances: Lists, where: Where = None) -> PerList:
    """Computes softmax cross-entropy of scores weighed by relevance, one value for each list."""
    return optax.losses.ranking_softmax_loss(
        scores, fitted(scores, relevances), where=where, reduce_fn=None
    )


def listnet(scores: Lists, relevances: Lists, where: Where = None) -> PerList:
    """Computes cross-entropy between the top-one probabilities of relevances and of scores."""
    wanted = kept(jax.nn.softmax(fitted(scores, relevances), -1, where), where)
    return ranking_softmax(scores, wanted, where)


def listmle(scores: Lists, relevances: Lists, where: Where = None) -> PerList:
    """Computes −ln P(the order by relevance) under Plackett and Luce's model, for each list.

    Items of one relevance count in the order given.
    """
    relevances = fitted(scores, relevances)
    lowest = jnp.finfo(scores.dtype).min
    if where is not None:
        # Items that do not count come last and weigh nothing.
        relevances, scores = (jnp.where(where, each, lowest) for each in (relevances, scores))
    order = jnp.argsort(-relevances, axis=-1, stable=True)
    ranked = jnp.take_along_axis(scores, order, -1)
    # −Σ_i [s_i − ln Σ_{j ≥ i} e^(s_j)] over positions i in the order of relevance.
    costs = jax.lax.cumlogsumexp(ranked, ranked.ndim - 1, reverse=True) - ranked
    if where is not None:
        costs = kept(costs, jnp.take_along_axis(jnp.broadcast_to(where, order.shape), order, -1))
    return jnp.sum(costs, -1)


def contrastive(
    first: Rows,
    second: Rows,
    same: Float[Array, "*batch"],
    margin: float = 1.0,
    axis: Axis = -1,
    where: Where = None,
) -> Float[Array, "*batch"]:
    """Computes ½d² for two of a kind, ½max(0, m − d)² for others; d is their distance."""
    first, second = kept_pair(first, second, where)
    distance = safe_sqrt(jnp.sum(jnp.square(first - second), axis))
    same = fitted(distance, same)
    push = jnp.square(jnp.maximum(0.0, margin - distance))
    return 0.5 * (same * jnp.square(distance) + (1.0 - same) * push)


def triplet(
    anchors: Rows, positives: Rows, negatives: Rows, margin: float = 1.0, axis: int = -1
) -> Float[Array, "*batch"]:
    """Computes max(0, m + d(anchor, positive) − d(anchor, negative)), Euclidean, for each triple.

    optax adds 1e-6 to the squared distances.
    """
    return optax.losses.triplet_margin_loss(
        anchors, fitted(anchors, positives), fitted(anchors, negatives), axis, margin=margin
    )


def n_pairs(
    anchors: Float[Array, "batch features"], positives: Float[Array, "batch features"]
) -> Float[Array, " batch"]:
    """Computes the N-pair loss: each anchor has to find its own positive, one value an anchor."""
    similarities = anchors @ fitted(anchors, positives).T
    return optax.losses.softmax_cross_entropy_with_integer_labels(
        similarities, jnp.arange(anchors.shape[0])
    )


def nt_xent(
    embeddings: Float[Array, "batch features"],
    classes: Int[Array, " batch"],
    temperature: float = 0.07,
) -> Float[Array, ""]:
    """Computes NT-Xent, one value for the batch: the mean over all pairs of one class.

    0 if there are none; an example without any of another class costs nothing.
    """
    require(
        classes.shape == embeddings.shape[:1],
        f"embeddings of shape {embeddings.shape} and classes of shape {classes.shape}; expected a "
        "class for each embedding",
    )
    numbers = jnp.finfo(embeddings.dtype)
    norms = safe_sqrt(jnp.sum(jnp.square(embeddings), -1, keepdims=True))
    directions = embeddings / jnp.maximum(norms, float(numbers.eps))
    similarities = inner_products(directions) / temperature
    same = classes[:, None] == classes[None]
    pairs = same & ~jnp.eye(classes.shape[0], dtype=bool)
    # A finite lowest number: minus infinity would leave slopes that are no numbers.
    lowest = 0.5 * float(numbers.min)
    others = jax.nn.logsumexp(jnp.where(same, lowest, similarities), -1, keepdims=True)
    # -ln(a / (a + b)) = softplus(ln b - ln a)
    values = jax.nn.softplus(others - similarities)
    return jnp.sum(values, where=pairs) / jnp.maximum(jnp.sum(pairs), 1).astype(values.dtype)


_MARGIN = Parameter("margin", 1.0, 0.0, 1e3, "m, the wanted distance", "assumed")
_ORDER = frozenset({"nonnegative", "convex", "bounded_gradient"})

LOSSES = (
    ZooLoss(
        "margin_ranking",
        "ranking",
        margin_ranking,
        "pair",
        r"\max(0, m - o (a - b))",
        _SURVEY,
        "0 wherever a and b are m or more apart in the right order",
        aliases=("pairwise_margin", "pairwise_hinge"),
        parameters=(_MARGIN,),
        properties=_ORDER,
    ),
    ZooLoss(
        "ranknet",
        "ranking",
        ranknet,
        "pair_probability",
        r"-p \ln \sigma(a - b) - (1 - p) \ln \sigma(b - a)",
        "https://doi.org/10.1145/1102351.1102363",
        "the entropy of p at σ(a - b) = p",
        aliases=("pairwise_logistic",),
        properties=_ORDER | {"smooth"},
    ),
    ZooLoss(
        "ranking_softmax",
        "ranking",
        ranking_softmax,
        "list",
        r"-\sum_i y_i \ln f_i, \quad f = \mathrm{softmax}(s)",
        "https://doi.org/10.1145/3341981.3344221",
        "at f in proportion to y; 0 in the limit for one relevant item",
        aliases=("softmax_ranking",),
        optax="ranking_softmax_loss",
        properties=_ORDER | {"smooth"},
    ),
    ZooLoss(
        "listnet",
        "ranking",
        listnet,
        "list",
        r"-\sum_i g_i \ln f_i, \quad f = \mathrm{softmax}(s), \quad g = \mathrm{softmax}(y)",
        "https://doi.org/10.1145/1273496.1273513",
        "the entropy of softmax(y) at softmax(s) = softmax(y)",
        properties=_ORDER | {"smooth", "minimum_at_target"},
    ),
    ZooLoss(
        "listmle",
        "ranking",
        listmle,
        "list",
        r"\sum_i \left[\ln \sum_{j \ge i} e^{s_j} - s_i\right],"
        r" \quad \text{items in order of relevance}",
        "https://doi.org/10.1145/1390156.1390306",
        "0 in the limit of scores far apart in the right order",
        aliases=("plackett_luce",),
        properties=_ORDER | {"smooth"},
    ),
    ZooLoss(
        "contrastive",
        "ranking",
        contrastive,
        "embedding_pair",
        r"\tfrac{1}{2} \left[y d^2 + (1 - y) \max(0, m - d)^2\right], \quad"
        r" d = \lVert a - b \rVert",
        "https://doi.org/10.1109/CVPR.2006.100",
        "0 wherever two of a kind agree and others are m or more apart",
        parameters=(_MARGIN,),
        properties=frozenset({"nonnegative"}),
    ),
    ZooLoss(
        "triplet",
        "ranking",
        triplet,
        "triplet",
        r"\max(0, m + \lVert a - p \rVert - \lVert a - n \rVert)",
        "https://arxiv.org/abs/1503.03832",
        "0 wherever the negative is m farther away than the positive",
        aliases=("triplet_margin",),
        optax="triplet_margin_loss",
        parameters=(_MARGIN,),
        properties=frozenset({"nonnegative", "bounded_gradient"}),
    ),
    ZooLoss(
        "n_pairs",
        "ranking",
        n_pairs,
        "positive_pairs",
        r"-\ln \frac{e^{a_i \cdot p_i}}{\sum_j e^{a_i \cdot p_j}}",
        "https://papers.nips.cc/paper/6200",
        "0 in the limit of every anchor far closer to its positive than to the others",
        aliases=("n_pair", "multi_class_n_pair"),
        properties=frozenset({"nonnegative", "smooth"}),
    ),
    ZooLoss(
        "nt_xent",
        "ranking",
        nt_xent,
        "labelled",
        r"-\ln \frac{e^{\cos(e_i, e_j)/\tau}}{e^{\cos(e_i, e_j)/\tau}"
        r" + \sum_{k: y_k \ne y_i} e^{\cos(e_i, e_k)/\tau}}, \quad y_j = y_i",
        "https://arxiv.org/abs/2002.05709",
        "least where each class is one direction and the directions lie apart",
        aliases=("ntxent", "info_nce", "simclr"),
        optax="ntxent",
        parameters=(
            Parameter("temperature", 0.07, 1e-3, 1e3, "τ; lower looks at near ones", "optax"),
        ),
        properties=frozenset({"nonnegative", "bounded"}),
    ),
)
