"""The largest eigenvalues of a loss's Hessian, from products with vectors alone.

Lanczos's method with thick restarts: Wu and Simon 2000, "Thick-Restart Lanczos Method for Large
Symmetric Eigenvalue Problems" (https://doi.org/10.1137/S0895479898334605), here with full
orthogonalisation and explicit Rayleigh-Ritz projection. Hessian-vector products: Pearlmutter 1994,
"Fast Exact Multiplication by the Hessian" (https://doi.org/10.1162/neco.1994.6.1.147).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from jaxloss.errors import require
from jaxloss.learning.compilation import steady_options
from jaxloss.learning.inner import ExampleLoss, mean_loss
from jaxloss.models.model import Variables
from jaxloss.tasks.task import Split, Task


@dataclass(frozen=True)
class LanczosSettings:
    """When the iteration rests; all *assumed*.

    Raises:
        InvalidInputError: a number is out of range.
    """

    basis: int = 24
    """Vectors of the subspace. It and its image are held: twice as many times the memory of the
    parameters."""
    products: int = 500
    """Hessian-vector products after which the iteration ends, converged or not."""
    tolerance: float = 1e-3
    """Relative residual at which an eigenvalue counts as found."""

    def __post_init__(self) -> None:
        require(self.basis >= 2, f"basis must be 2 or more, got {self.basis}")
        require(self.products >= 1, f"products must be 1 or more, got {self.products}")
        require(self.tolerance > 0, f"tolerance must be above 0, got {self.tolerance}")


class Eigenvalues(NamedTuple):
    """Eigenvalues of a Hessian, and how good they are.

    Attributes:
        values: those of largest magnitude, the largest first, with their signs.
        residuals: ``|H v - value v| / |value|`` for each with its unit vector v. A true eigenvalue
            lies no further from ``value`` than that share of it, rounding aside.
        vectors: the unit vectors, shaped as the parameters, with a leading axis.
        products: Hessian-vector products that were taken.
        converged: whether all residuals are within the tolerance.
    """

    values: Float[Array, " count"]
    residuals: Float[Array, " count"]
    vectors: PyTree
    products: Int[Array, ""]
    converged: Bool[Array, ""]


def hessian_product(
    function: Callable[[PyTree], Float[Array, ""]], params: PyTree, vector: PyTree
) -> PyTree:
    """Multiplies the Hessian of a function by a vector, without the matrix.

    Forward-mode derivative of the gradient, so the function needs both modes. A `LearnedLoss` and
    the losses of the zoo, when called, are plain compiled code and have them; the interpreter of
    trees (`jaxloss.losses.interpreter`), which searches use, has reverse mode alone.

    Args:
        function: of the parameters.
        params: where.
        vector: shaped as the parameters.
    """
    return jax.jvp(jax.grad(function), (params,), (vector,))[1]


def top_eigenvalues(
    key: PRNGKeyArray,
    function: Callable[[PyTree], Float[Array, ""]],
    params: PyTree,
    count: int = 1,
    settings: LanczosSettings = LanczosSettings(),
) -> Eigenvalues:
    """Finds the eigenvalues of largest magnitude of a function's Hessian; pure, for ``jit``.

    What a function is like where it has a kink, as at the zeros of ReLU, is no part of a Hessian.
    Equal eigenvalues are found as one.

    Args:
        key: draws the first vector.
        function: of the parameters; see `hessian_product`.
        params: where.
        count: how many eigenvalues.
        settings: when to stop.

    Raises:
        InvalidInputError: ``count`` is below 1, or more than the parameters or the basis hold.
    """
    flat, unravel = ravel_pytree(params)
    size = min(settings.basis, flat.size)
    require(
        1 <= count <= size,
        f"count must be within 1 and {size} (parameters: {flat.size}, basis: {settings.basis}), "
        f"got {count}",
    )

    def product(vector: Float[Array, " size"]) -> Float[Array, " size"]:
        return hessian_product(lambda flat: function(unravel(flat)), flat, vector)

    # Accelerators would multiply in lower precision, and no residual would get small.
    with jax.default_matmul_precision("highest"):
        end = _iterate(key, product, flat, size, count, settings)
    converged = jnp.all(end.residuals <= settings.tolerance)
    vectors = jax.vmap(unravel)(end.vectors)
    return Eigenvalues(end.values, end.residuals, vectors, end.products, converged)


class _State(NamedTuple):
    """Between two restarts: orthonormal rows (unused ones 0), their images, and what comes next."""

    basis: Float[Array, "size parameters"]
    images: Float[Array, "size parameters"]
    filled: Int[Array, ""]
    direction: Float[Array, " parameters"]
    values: Float[Array, " count"]
    residuals: Float[Array, " count"]
    vectors: Float[Array, "count parameters"]
    products: Int[Array, ""]


def _iterate(
    key: PRNGKeyArray,
    product: Callable[[Array], Array],
    like: Float[Array, " parameters"],
    size: int,
    count: int,
    settings: LanczosSettings,
) -> _State:
    # With half of the subspace kept, a restart forgets little and still makes room.
    kept = min(max(count, size // 2), size - 1)

    def fallback(number: Array) -> Float[Array, " parameters"]:
        return jax.random.normal(jax.random.fold_in(key, number), like.shape, like.dtype)

    def grow(place: Array, carried: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        basis, images, direction, products = carried
        vector = _orthonormal(direction, basis, fallback(products))
        image = product(vector)
        basis, images = basis.at[place].set(vector), images.at[place].set(image)
        return basis, images, image, products + 1

    def cycle(state: _State) -> _State:
        carried = (state.basis, state.images, state.direction, state.products)
        grown = jax.lax.fori_loop(state.filled, size, grow, carried)
        basis, images, last, products = grown
        following = _orthonormal(last, basis, fallback(-products))
        projected = basis @ images.T
        ritz, rotation = jnp.linalg.eigh((projected + projected.T) / 2)
        order = jnp.argsort(-jnp.abs(ritz))
        rotation = rotation[:, order].T
        basis, images, values = rotation @ basis, rotation @ images, ritz[order]
        misses = jnp.linalg.norm(images - values[:, None] * basis, axis=1)
        sizes = jnp.maximum(jnp.abs(values), jnp.finfo(like.dtype).tiny)
        keep = (jnp.arange(size) < kept)[:, None]
        return _State(
            jnp.where(keep, basis, 0),
            jnp.where(keep, images, 0),
            jnp.int32(kept),
            following,
            values[:count],
            (misses / sizes)[:count],
            basis[:count],
            products,
        )

    def goes_on(state: _State) -> Bool[Array, ""]:
        # A residual that is no number ends it: nothing is to be found.
        return (state.products < settings.products) & jnp.any(state.residuals > settings.tolerance)

    rows = jnp.zeros((size, like.size), like.dtype)
    unknown = jnp.full(count, jnp.inf, like.dtype)
    none = jnp.int32(0)
    start = _State(rows, rows, none, fallback(none), unknown, unknown, rows[:count], none)
    return jax.lax.while_loop(goes_on, cycle, start)


def _orthonormal(
    wanted: Float[Array, " parameters"],
    basis: Float[Array, "size parameters"],
    fallback: Float[Array, " parameters"],
) -> Float[Array, " parameters"]:
    """Makes a unit vector orthogonal to the basis; of ``fallback`` where nothing else is left."""

    def without(vector: Array) -> Array:
        return vector - basis.T @ (basis @ vector)

    left = without(wanted)
    rounding = 100 * jnp.finfo(wanted.dtype).eps
    is_noise = jnp.linalg.norm(left) <= rounding * jnp.linalg.norm(wanted)
    left = jnp.where(is_noise, without(fallback), left)
    # Twice is enough: what is left of the basis after normalising is rounding alone.
    left = without(left / jnp.linalg.norm(left))
    return left / jnp.linalg.norm(left)


def loss_curvature(
    key: PRNGKeyArray,
    task: Task,
    loss: ExampleLoss,
    variables: Variables,
    count: int = 1,
    settings: LanczosSettings = LanczosSettings(),
) -> Eigenvalues:
    """Finds the top eigenvalues of the Hessian of a network's mean loss over the training split.

    With respect to all parameters, batch statistics and targets that the network makes itself held
    still, weight decay left out. The same arguments but for key and variables compile nothing
    again.

    Args:
        key: draws the first vector.
        task: gives the network and the examples.
        loss: ``(outputs, targets) -> per-example values``; see `hessian_product`.
        variables: the network.
        count: how many eigenvalues.
        settings: when to stop.

    Raises:
        InvalidInputError: as `top_eigenvalues`.
    """
    return _program(task, loss, count, settings)(key, variables, task.train)


@lru_cache(maxsize=32)
def _program(
    task: Task, loss: ExampleLoss, count: int, settings: LanczosSettings
) -> Callable[..., Eigenvalues]:
    def run(key: PRNGKeyArray, variables: Variables, train: Split) -> Eigenvalues:
        def mean(params: PyTree) -> Float[Array, ""]:
            return mean_loss(task.model, loss, {**variables, "params": params}, train)

        return top_eigenvalues(key, mean, variables["params"], count, settings)

    return jax.jit(run, compiler_options=steady_options())
