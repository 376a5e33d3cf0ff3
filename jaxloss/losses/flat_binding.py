"""From a family's flat parameters and a view to a loss per example."""

from jaxtyping import Array, Float

from jaxloss.losses.binding import Binding, BoundLoss
from jaxloss.losses.form import Form
from jaxloss.losses.views import View


def family_binding(form: Form, view: View) -> Binding:
    """Binds a loss family to what it sees; under ``vmap`` one program serves all candidates.

    Args:
        form: the family.
        view: what turns outputs and targets into its variables.

    Returns:
        ``(parameters) -> loss`` with ``form.parameter_count`` numbers, which may be traced.
    """
    family = form.family()

    def bind(parameters: Float[Array, " parameters"]) -> BoundLoss:
        def loss(outputs: Array, targets: Array) -> Array:
            values = family.apply(parameters, *view.see(outputs, targets))
            return view.per_example(values, outputs, targets, family.averages)

        return loss

    return bind
