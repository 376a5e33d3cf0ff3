import subprocess
import sys

HEAVY = ["sklearn", "pyarrow", "tensorflow_datasets", "tensorflow", "flax.nnx", "matplotlib"]


def test_importing_the_tasks_loads_nothing_heavy_and_starts_no_device():
    program = (
        "import sys, jaxloss.tasks, jaxloss.models\n"
        "from jax._src import xla_bridge\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
        "print(xla_bridge.backends_are_initialized())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
