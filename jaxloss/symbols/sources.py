"""How source for other libraries spells functions, and where what it computes differs from ours.

Source is first written in names of no library, ``log(at_least(abs(a), 1e-7))``. `NAMES` says what a
library calls each of them. Names that it lacks, or whose slopes would differ from JAX's at a kink,
are functions of `HELPERS`, which the source defines before it calls them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

Library = Literal["jax", "torch"]
"""Libraries that source is written for."""

_SAME = (
    "arctan arctan2 broadcast_to cos exp expm1 finfo full_like log log1p maximum minimum sign sin "
    "sqrt square stack tanh where"
)
"""Functions that NumPy's and PyTorch's interfaces have alike."""

NAMES: dict[Library, dict[str, str]] = {
    "jax": {
        **{name: f"jnp.{name}" for name in _SAME.split()},
        "abs": "jnp.abs",
        "amax": "jnp.max",
        "amin": "jnp.min",
        "at_least": "jnp.maximum",
        "at_most": "jnp.minimum",
        "concatenate": "jnp.concatenate",
        "detached": "jax.lax.stop_gradient",
        "erf": "jax.scipy.special.erf",
        "log_sigmoid": "jax.nn.log_sigmoid",
        "log_softmax": "jax.nn.log_softmax",
        "logsumexp": "jax.nn.logsumexp",
        "relu": "jax.nn.relu",
        "sigmoid": "jax.nn.sigmoid",
        "softmax": "jax.nn.softmax",
        "softplus": "jax.nn.softplus",
    },
    "torch": {
        **{name: f"torch.{name}" for name in _SAME.split()},
        "abs": "absolute",
        "amax": "torch.amax",
        "amin": "torch.amin",
        "concatenate": "torch.cat",
        "erf": "torch.erf",
        "logsumexp": "torch.logsumexp",
        "relu": "torch.relu",
        "sigmoid": "torch.sigmoid",
    },
}
"""What each library calls a function; the others are among its helpers."""

_SHARED = {
    "guarded_log": """\
def guarded_log(a):
    # The logarithm of |a|, which is kept above 1e-7.
    return log(at_least(abs(a), 1e-7))
""",
    "guarded_sqrt": """\
def guarded_sqrt(a):
    # The root of |a|, which is kept above 1e-7.
    return sqrt(at_least(abs(a), 1e-7))
""",
    "analytic_quotient": """\
def analytic_quotient(a, b):
    # a / sqrt(1 + b**2), without squaring a large b.
    scale = detached(at_least(abs(b), 1.0))
    inner = square(1.0 / scale) + square(b / scale)
    return a / (scale * sqrt(inner))
""",
    "bounded_exp": """\
def bounded_exp(a):
    # Stops to grow at a = 50.
    return exp(at_most(a, 50.0))
""",
    "ratio": """\
def ratio(a, b):
    # a / b; a divisor nearer to 0 than 1e-7 counts as 1e-7 with its sign.
    least = where(b < 0, -1e-7, full_like(b, 1e-7))
    return a / where(abs(b) > 1e-7, b, least)
""",
    "positive_part": """\
def positive_part(a):
    # Half of the slope passes at a = 0.
    return at_least(a, 0.0)
""",
    "sgdf": """\
def sgdf(a):
    # The S-curve of the Gudermannian function.
    return (4 / math.pi * arctan(tanh(math.pi / 8 * a)) + 1) / 2
""",
    "salf": """\
def salf(a):
    # The S-curve of t / sqrt(1 + t**2) at t = a / 2.
    return (analytic_quotient(a / 2, a / 2) + 1) / 2
""",
    "serf": """\
def serf(a):
    # The S-curve of the error function.
    return (erf(math.sqrt(math.pi) / 4 * a) + 1) / 2
""",
    "dot": """\
def dot(a, b):
    # The inner product over the last axis, repeated along it.
    products = a * b
    return broadcast_to(products.sum(-1)[..., None], products.shape)
""",
}

HELPERS: dict[Library, Mapping[str, str]] = {
    "jax": _SHARED,
    "torch": {
        "absolute": """\
def absolute(a):
    # |a| with slope 1 at 0, as in JAX; torch.abs has slope 0.
    return torch.where(a < 0, -a, a)
""",
        "at_least": """\
def at_least(a, bound):
    # At the bound half of the slope passes, as in JAX; not so in torch.clamp.
    return torch.maximum(a, torch.full_like(a, bound))
""",
        "at_most": """\
def at_most(a, bound):
    # At the bound half of the slope passes, as in JAX; not so in torch.clamp.
    return torch.minimum(a, torch.full_like(a, bound))
""",
        "softplus": """\
def softplus(a):
    # ln(1 + e**a); torch's own softplus is exactly linear from 20 on.
    return -torch.nn.functional.logsigmoid(-a)
""",
        "log_sigmoid": """\
def log_sigmoid(a):
    return torch.nn.functional.logsigmoid(a)
""",
        "softmax": """\
def softmax(a):
    return torch.softmax(a, dim=-1)
""",
        "log_softmax": """\
def log_softmax(a):
    return torch.log_softmax(a, dim=-1)
""",
        "detached": """\
def detached(a):
    return a.detach()
""",
        **_SHARED,
    },
}
"""The source of each function that a library lacks, by its name; itself not yet spelled."""

DIFFERENCES: dict[str, dict[str, str]] = {
    "sign": {"torch": "of NaN it is 0, in jaxloss NaN"},
    "log": {
        "sympy": "the guard, |a| kept above 1e-7, is not shown",
        "latex": "the guard, |a| kept above 1e-7, is not shown",
    },
    "sqrt": {
        "sympy": "the guard, |a| kept above 1e-7, is not shown",
        "latex": "the guard, |a| kept above 1e-7, is not shown",
    },
    "exp": {
        "sympy": "that it stops to grow at 50 is not shown",
        "latex": "that it stops to grow at 50 is not shown",
    },
    "ratio": {
        "sympy": "the guard, a divisor kept 1e-7 from 0, is not shown",
        "latex": "the guard, a divisor kept 1e-7 from 0, is not shown",
    },
    "softmax": {"sympy": "a name without a definition", "latex": "a name without a definition"},
    "dot": {"sympy": "a name without a definition", "latex": "a name without a definition"},
}
"""For primitives: how what a target says of them differs from what jaxloss computes.

For optax and torch found by comparing values, slopes and their slopes in double precision on
finite numbers, ties, zeros and guards among them, and values on infinite numbers and NaN. All
others agree, in single precision up to its rounding. Slopes where a value is not finite were not
compared.
"""


def spelled(source: str, library: Library) -> str:
    """Writes a library's names for those that `NAMES` knows, where they are called."""
    names = NAMES[library]
    # A comment is left as it is.
    pattern = rf"#.*|(?<![\w.])({'|'.join(names)})(?=\()"
    return re.sub(pattern, lambda found: names.get(found[1], found[0]), source)


def needed(source: str, helpers: Mapping[str, str], library: Library) -> tuple[str, ...]:
    """Finds the definitions that a spelled source needs, each after those that it needs itself.

    Args:
        source: spelled for the library.
        helpers: all that may be called, by name.
        library: what to spell the definitions for.
    """
    found: dict[str, str] = {}

    def visit(text: str, names: Iterable[str]) -> None:
        for name in names:
            if name not in found and re.search(rf"(?<![\w.]){name}\(", text):
                own = spelled(helpers[name], library)
                visit(own, [other for other in helpers if other != name])
                found[name] = own

    visit(source, helpers)
    return tuple(found.values())
