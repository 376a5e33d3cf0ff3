"""Functions that exported losses call beside those of the primitives."""

from collections.abc import Mapping

from jaxloss.losses.network_parts import LEAK, SMOOTHNESS
from jaxloss.symbols import sources
from jaxloss.symbols.sources import Library

_BOXES = {
    "decoded_boxes": """\
def decoded_boxes(outputs):
    # Raw outputs become boxes here. Put your own model's decoding in its
    # place: anything that returns x1, y1, x2, y2 in pixels, [batch, 4].
    centres = 64.0 * sigmoid(outputs[:, :2])
    sides = 16.0 * exp(3.0 * tanh(outputs[:, 2:] / 3.0))
    return concatenate([centres - sides / 2, centres + sides / 2], -1)
""",
    "sides_of": """\
def sides_of(low, high):
    return at_least(high - low, 0.0)
""",
    "area": """\
def area(low, high):
    sides = sides_of(low, high)
    return sides[:, 0] * sides[:, 1]
""",
    "areas": """\
def areas(boxes, targets):
    # Of the intersection, the union and the smallest box around both.
    largest = maximum(boxes, targets)
    least = minimum(boxes, targets)
    i = area(largest[:, :2], least[:, 2:])
    u = area(boxes[:, :2], boxes[:, 2:])
    u = u + area(targets[:, :2], targets[:, 2:]) - i
    return i, u, area(least[:, :2], largest[:, 2:])
""",
    "quotient": """\
def quotient(part, whole):
    return part / at_least(whole, 1e-7)
""",
    "one_minus_iou": """\
def one_minus_iou(boxes, targets):
    i, u, e = areas(boxes, targets)
    return quotient(u - i, u)
""",
    "one_minus_diou": """\
def one_minus_diou(boxes, targets):
    # The squared distance of the centres over that of the corners of the
    # smallest box around both.
    low = minimum(boxes[:, :2], targets[:, :2])
    high = maximum(boxes[:, 2:], targets[:, 2:])
    diagonal = square(sides_of(low, high)).sum(-1)
    offsets = boxes - targets
    centres = square((offsets[:, :2] + offsets[:, 2:]) / 2.0).sum(-1)
    return one_minus_iou(boxes, targets) + quotient(centres, diagonal)
""",
    "angle": """\
def angle(boxes):
    # Of the diagonal; an empty box has none, and no slope.
    sides = sides_of(boxes[:, :2], boxes[:, 2:])
    empty = (sides[:, 0] <= 0) & (sides[:, 1] <= 0)
    width = where(empty, 1.0, sides[:, 0])
    return arctan2(width, where(empty, 1.0, sides[:, 1]))
""",
}

_MAPS = {
    "sum_of_map": """\
def sum_of_map(a):
    return a.sum((1, 2))
""",
    "disagreement": """\
def disagreement(x, y, entropy, overlap):
    # Weighted binary cross-entropy, averaged over the pixels, and Dice.
    p = sigmoid(x)
    of_pixels = -y * log_sigmoid(x) - (1.0 - y) * log_sigmoid(-x)
    of_pixels = of_pixels.mean((1, 2))
    areas = sum_of_map(p) + sum_of_map(y)
    dice = 1.0 - (2.0 * sum_of_map(p * y) + 1.0) / (areas + 1.0)
    return entropy * of_pixels + overlap * dice
""",
}

_GROWN: dict[Library, str] = {
    "jax": """\
def grown(a):
    # The largest value of each pixel and its neighbours.
    window = (1, 3, 3)
    a = jax.lax.stop_gradient(a)
    return jax.lax.reduce_window(
        a, -jnp.inf, jax.lax.max, window, (1, 1, 1), "SAME"
    )
""",
    "torch": """\
def grown(a):
    # The largest value of each pixel and its neighbours.
    return torch.nn.functional.max_pool2d(a.detach()[:, None], 3, 1, 1)[:, 0]
""",
}

_ROOTS_AND_LOGARITHMS = {
    "huber": """\
def huber(size, delta):
    # size**2 / 2 up to delta, beyond it linear; size is at least 0.
    inner = at_most(size, delta)
    return 0.5 * square(inner) + delta * (size - inner)
""",
    "safe_sqrt": """\
def safe_sqrt(a):
    # The root of a >= 0, with slope 0 at 0.
    root = sqrt(where(a > 0, a, 1.0))
    return where(a > 0, root, 0.0)
""",
    "largest_size": """\
def largest_size(a):
    # Over the last axis, which stays with length 1; 1 for zeros.
    largest = detached(amax(abs(a), -1)[..., None])
    return where(largest > 0, largest, 1.0)
""",
    "root_mean_square": """\
def root_mean_square(a):
    # Over the last axis, without squaring a large value.
    scale = largest_size(a)
    return safe_sqrt(square(a / scale).mean(-1)) * scale[..., 0]
""",
    "unit": """\
def unit(a):
    # A vector divided by its norm.
    return a / sqrt(at_least(square(a).sum(-1), 1e-12))[..., None]
""",
    "log1p_square": """\
def log1p_square(a):
    # ln(1 + a**2) without squaring a large a.
    size = abs(a)
    large = size > 1e3
    near = log1p(square(where(large, 1.0, a)))
    size = where(large, size, 1e3)
    far = 2.0 * log(size) + log1p(square(1.0 / size))
    return where(large, far, near)
""",
    "log_one_minus_softmax": """\
def log_one_minus_softmax(x):
    # ln(1 - softmax), exact however sure the prediction is: for the most
    # probable class the others are added up.
    top = one_hot_of_largest(x) > 0.5
    rest = logsumexp(where(top, -math.inf, x), -1)[..., None]
    whole = logsumexp(x, -1)[..., None]
    small = exp(where(top, -1.0, log_softmax(x)))
    return where(top, rest - whole, log1p(-small))
""",
    "log_of_mixture": """\
def log_of_mixture(a, b, share):
    # ln((1 - share) * e**a + share * e**b) for a share from 0 to 1.
    a, b = where(share < 1, a, b), where(share > 0, b, a)
    top = detached(maximum(a, b))
    mixture = (1 - share) * exp(a - top) + share * exp(b - top)
    return top + log(mixture)
""",
    "smooth_leaky_relu": f"""\
def smooth_leaky_relu(a):
    return {(1.0 - LEAK) / SMOOTHNESS!r} * softplus({SMOOTHNESS!r} * a) + {LEAK!r} * a
""",
    "one_hot_of_class": """\
def one_hot_of_class(y):
    # Of the largest label; all 0 where labels name no class.
    return where((y != 0).any(-1)[..., None], one_hot_of_largest(y), 0.0)
""",
    "lowest_wrong": """\
def lowest_wrong(e, y):
    # The lowest energy of an answer that is not the right one.
    return amin(where(y < 0.5, e, finfo(e.dtype).max), -1)
""",
}

_OF_LARGEST: dict[Library, str] = {
    "jax": """\
def one_hot_of_largest(y):
    return jax.nn.one_hot(jnp.argmax(y, -1), y.shape[-1], dtype=y.dtype)
""",
    "torch": """\
def one_hot_of_largest(y):
    classes = torch.arange(y.shape[-1], device=y.device)
    return (torch.argmax(y, -1)[..., None] == classes).to(y.dtype)
""",
}

HELPERS: dict[Library, Mapping[str, str]] = {
    library: {
        **own,
        **_BOXES,
        **_ROOTS_AND_LOGARITHMS,
        **_MAPS,
        "grown": _GROWN[library],
        "one_hot_of_largest": _OF_LARGEST[library],
    }
    for library, own in sources.HELPERS.items()
}
"""The source of every function that an exported loss may call, those of the primitives among them.
"""
