"""EvoMAL one candidate after the other, in PyTorch and DEAP: what jaxloss's speed is compared with.

It is written from the paper (https://arxiv.org/abs/2209.08907) and the settings of the released
code as a researcher would write it today: trees and genetic operators are DEAP's, a tree is walked
by a ``torch.nn.Module``, and meta-gradients go through ``torch.func.functional_call`` and
``torch.autograd.grad(create_graph=True)``. Data are tensors that lie ready; nothing is batched over
candidates and nothing is compiled. Both sides see the same splits of the same task.

- `settings`: step counts and rates, the paper's by default.
- `primitives`: the alphabet, the tree as a network, formulas to trees and back.
- `problem`: a task of jaxloss as tensors, with its network, view, task loss and metric.
- `training`: inner step, meta-gradient, local search, rejection, partial training.
- `candidate`: the way through the filters.
- `variation`: genetic operators.
- `search`: judges given formulas, or those that it evolves.

It needs the extra ``benchmark`` (torch, deap), which the tests can do without.
"""
