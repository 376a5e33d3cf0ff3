"""Independent values of losses for ranking, energies, masks, boxes and retrieval."""

from fractions import Fraction
from typing import Any

import numpy as np
import scipy.special
from elementary_references import element, example
from zoo_reference import Reference, dot, minus, mp, norm, sigmoid, softmax

TUTORIAL = "LeCun et al., A Tutorial on Energy-Based Learning, 2006, Table 1, in 30 digits"


def split(energies: list[float], right: list[float]) -> tuple[Any, Any]:
    """The right answer's energy and the lowest of the wrong ones."""
    place = right.index(1.0)
    wrong = [energy for k, energy in enumerate(energies) if k != place]
    return mp.mpf(energies[place]), mp.mpf(min(wrong))


def of_energies(function: Any) -> Reference:
    return example(TUTORIAL, lambda energies, right: function(*split(energies, right)))


def gibbs(energies: list[float], right: list[float]) -> Any:
    return softmax([-energy for energy in energies])[right.index(1.0)]


def plackett_luce(scores: list[float], relevances: list[float]) -> Any:
    """Draws the items one after another, each in proportion to e^score among those left."""
    left = sorted(range(len(scores)), key=lambda k: -relevances[k])
    probability = mp.mpf(1)
    while left:
        probability *= mp.exp(scores[left[0]]) / sum(mp.exp(scores[k]) for k in left)
        left = left[1:]
    return -mp.log(probability)


def nt_xent(embeddings: np.ndarray, classes: np.ndarray, temperature: float = 0.07) -> float:
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    similar = np.exp(unit @ unit.T / temperature)
    losses = []
    for i, j in np.argwhere(classes[:, None] == classes[None]):
        if i != j:
            others = similar[i, classes != classes[i]].sum()
            losses.append(-np.log(similar[i, j] / (similar[i, j] + others)))
    return float(np.mean(losses))


def n_pairs(anchors: np.ndarray, positives: np.ndarray) -> np.ndarray:
    # https://papers.nips.cc/paper/6200, Eq. (7): ln(1 + Σ_{j≠i} e^(a·p_j − a·p_i)).
    products = anchors @ positives.T
    gaps = np.exp(products - np.diag(products)[:, None])
    return np.log(gaps.sum(1))


def tversky(alpha: float, beta: float) -> Any:
    def value(x: Any, g: Any) -> Any:
        p = [sigmoid(v) for row in x for v in row]
        t = [v for row in g for v in row]
        hits = dot(p, t)
        false_positives = sum(p) - hits
        false_negatives = sum(t) - hits
        return 1 - (hits + 1) / (hits + alpha * false_positives + beta * false_negatives + 1)

    return value


def mask_iou(x: Any, g: Any) -> Any:
    p = [sigmoid(v) for row in x for v in row]
    t = [v for row in g for v in row]
    return 1 - (dot(p, t) + 1) / (sum(p) + sum(t) - dot(p, t) + 1)


def psg(x: Any, g: Any) -> Any:
    height, width = len(x), len(x[0])

    def grown(i: int, j: int) -> float:
        near = [
            x[a][b]
            for a in range(max(i - 1, 0), min(i + 2, height))
            for b in range(max(j - 1, 0), min(j + 2, width))
        ]
        return max(near)

    p = [sigmoid(v) for row in x for v in row]
    mask = [v for row in g for v in row]
    guide = [sigmoid(grown(i, j)) * g[i][j] for i in range(height) for j in range(width)]

    def part(t: Any) -> Any:
        both = list(zip(p, t, strict=True))
        entropy = -sum(v * mp.log(q) + (1 - v) * mp.log(1 - q) for q, v in both) / len(p)
        return entropy + 1 - (2 * dot(p, t) + 1) / (sum(p) + sum(t) + 1)

    return part(mask) + part(guide)


def exact_areas(a: list[float], b: list[float]) -> tuple[Fraction, Fraction, Fraction]:
    """Intersection, union and enclosing box in exact arithmetic."""
    a1, b1 = [Fraction(v) for v in a], [Fraction(v) for v in b]
    width = max(Fraction(0), min(a1[2], b1[2]) - max(a1[0], b1[0]))
    height = max(Fraction(0), min(a1[3], b1[3]) - max(a1[1], b1[1]))
    own, other = ((c[2] - c[0]) * (c[3] - c[1]) for c in (a1, b1))
    around = (max(a1[2], b1[2]) - min(a1[0], b1[0])) * (max(a1[3], b1[3]) - min(a1[1], b1[1]))
    return width * height, own + other - width * height, around


def of_areas(source: str, function: Any) -> Reference:
    return example(f"{source}, in exact fractions", lambda a, b: function(*exact_areas(a, b)))


def diou(a: list[float], b: list[float]) -> float:
    i, u, _ = exact_areas(a, b)
    centres = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    return float(1 - i / u) + centres / diagonal


def ciou(a: list[float], b: list[float]) -> float:
    i, u, _ = exact_areas(a, b)
    angles = [np.arctan((c[2] - c[0]) / (c[3] - c[1])) for c in (a, b)]
    v = 4 / np.pi**2 * (angles[1] - angles[0]) ** 2
    return diou(a, b) + v * v / (float(1 - i / u) + v)


def serf(x: Any) -> Any:
    return (mp.erf(mp.sqrt(mp.pi) * x / 4) + 1) / 2


def sgdf(x: Any) -> Any:
    return (2 / mp.pi * mp.atan(mp.sinh(mp.pi * x / 4)) + 1) / 2


def cse_b_class(x: Any, y: Any, w: float) -> Any:
    return -sum(
        w * t * (1 + serf(sigmoid(1 - t))) * mp.log(sigmoid(v))
        + (sgdf(v) - w * t) * (sigmoid(v) - w * t) * mp.log(1 - sigmoid(v))
        for v, t in zip(x, y, strict=True)
    )


def cam_of_anchors(anchors: np.ndarray) -> tuple[float, float]:
    pairs = [(a, b) for i, a in enumerate(anchors) for j, b in enumerate(anchors) if i != j]
    apart = 0.5 * sum(max(0, 4 - np.linalg.norm(a - b)) ** 2 for a, b in pairs)
    short = 0.5 * sum(max(0, 1 - np.linalg.norm(a)) ** 2 for a in anchors)
    return float(apart), float(short)


def attraction(e: np.ndarray, y: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    return np.array([np.sum((v - anchors[k]) ** 2) / 2 for v, k in zip(e, y, strict=True)])


CAM = "https://arxiv.org/abs/2306.00630, term by term in NumPy"
CSE = "https://arxiv.org/abs/2102.04700"

REFERENCES: dict[str, Reference] = {
    "margin_ranking": element(
        "https://arxiv.org/abs/2301.05579", lambda a, b, o: max(0, 1 - o * (a - b))
    ),
    "ranknet": element(
        "https://doi.org/10.1145/1102351.1102363, Eq. (3), in 30 digits",
        lambda a, b, p: -p * (mp.mpf(a) - b) + mp.log(1 + mp.exp(mp.mpf(a) - b)),
    ),
    "ranking_softmax": example("scipy", lambda s, y: -np.dot(y, scipy.special.log_softmax(s))),
    "listnet": example(
        "scipy", lambda s, y: -np.dot(scipy.special.softmax(y), scipy.special.log_softmax(s))
    ),
    "listmle": example("https://doi.org/10.1145/1390156.1390306, in 30 digits", plackett_luce),
    "contrastive": example(
        "https://doi.org/10.1109/CVPR.2006.100, Eq. (4), in 30 digits",
        lambda a, b, y: norm(minus(a, b)) ** 2 / 2 if y else max(0, 1 - norm(minus(a, b))) ** 2 / 2,
    ),
    "triplet": example(
        "https://arxiv.org/abs/1503.03832 with optax's 1e-6 under the root, in 30 digits",
        lambda a, p, n: max(
            0,
            1
            + mp.sqrt(norm(minus(a, p)) ** 2 + mp.mpf("1e-6"))
            - mp.sqrt(norm(minus(a, n)) ** 2 + mp.mpf("1e-6")),
        ),
    ),
    "n_pairs": Reference("https://papers.nips.cc/paper/6200, Eq. (7)", "batch", n_pairs),
    "nt_xent": Reference("https://arxiv.org/abs/2002.05709, Eq. (1)", "batch", nt_xent),
    "energy": of_energies(lambda right, _: right),
    "generalized_perceptron": of_energies(lambda right, wrong: right - min(right, wrong)),
    "energy_hinge": of_energies(lambda right, wrong: max(0, 1 + right - wrong)),
    "energy_log": of_energies(lambda right, wrong: mp.log(1 + mp.exp(right - wrong))),
    "minimum_classification_error": of_energies(
        lambda right, wrong: 1 / (1 + mp.exp(wrong - right))
    ),
    "square_square": of_energies(lambda right, wrong: right**2 + max(0, 1 - wrong) ** 2),
    "square_exponential": of_energies(lambda right, wrong: right**2 + mp.exp(-wrong)),
    "energy_nll": example(TUTORIAL, lambda energies, right: -mp.log(gibbs(energies, right))),
    "minimum_empirical_error": example(
        TUTORIAL, lambda energies, right: 1 - gibbs(energies, right)
    ),
    "dice": example("https://arxiv.org/abs/1606.04797, in 30 digits", tversky(0.5, 0.5)),
    "tversky": example("https://arxiv.org/abs/1706.05721, in 30 digits", tversky(0.3, 0.7)),
    "mask_iou": example("https://doi.org/10.1007/978-3-319-50835-1_22, in 30 digits", mask_iou),
    "psg": example("https://arxiv.org/abs/2101.02412, in 30 digits", psg),
    "iou": of_areas("https://arxiv.org/abs/1608.01471", lambda i, u, _: 1 - i / u),
    "giou": of_areas("https://arxiv.org/abs/1902.09630", lambda i, u, e: 1 - i / u + (e - u) / e),
    "diou": example("https://arxiv.org/abs/1911.08287, Eq. (7)", diou),
    "ciou": example("https://arxiv.org/abs/1911.08287, Eqs. (8-11)", ciou),
    "cse_a_class": example(
        f"{CSE}, in 30 digits",
        lambda x, y, w: -(1 + mp.sin(w)) * mp.log(softmax(x)[y.index(1.0)]),
    ),
    "cse_b_class": example(f"{CSE}, in 30 digits", cse_b_class),
    "cse_a_box": of_areas(CSE, lambda i, u, e: (1 - i / u) + (1 - (i + 2) / e)),
    "cse_b_box": of_areas(
        CSE,
        lambda i, u, e: (
            (3 * e * u + 12 * e + 3 * i + 3 * u + 18)
            / (-3 * e * u + i * u + u**2 - 15 * e + 5 * i + 5 * u)
        ),
    ),
    "cam": Reference(CAM, "batch", lambda e, y, c: attraction(e, y, c) + sum(cam_of_anchors(c))),
    "cam_attractor": Reference(CAM, "batch", attraction),
    "cam_repeller": Reference(CAM, "batch", lambda c: cam_of_anchors(c)[0]),
    "cam_minimum_norm": Reference(CAM, "batch", lambda c: cam_of_anchors(c)[1]),
}
