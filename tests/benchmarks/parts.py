"""The parts of the benchmark by name, in running order."""

from accelerator_parts import SEARCHES, STEPS
from detection_parts import FILTERS, LOSSES
from offline_parts import OFFLINE_RL
from part import Part
from program_parts import DEVICES, GROWTH, PROGRAMS, RAILS, UNROLLS
from retrieval_part import RETRIEVAL
from saliency_part import SALIENCY
from search_parts import RACING, REJECTION, SEARCH, TAYLOR, TUNING, WHOLE

PARTS: dict[str, Part] = {
    "search": SEARCH,
    "taylor": TAYLOR,
    "programs": PROGRAMS,
    "rails": RAILS,
    "growth": GROWTH,
    "rejection": REJECTION,
    "unrolls": UNROLLS,
    "whole": WHOLE,
    "racing": RACING,
    "tuning": TUNING,
    "retrieval": RETRIEVAL,
    "detection_filters": FILTERS,
    "detection_losses": LOSSES,
    "saliency": SALIENCY,
    "devices": DEVICES,
    "offline_rl": OFFLINE_RL,
    "accelerator_steps": STEPS,
    "accelerator_searches": SEARCHES,
}

GROUPS: dict[str, tuple[str, ...]] = {
    "detection": ("detection_filters", "detection_losses"),
    "accelerator": ("accelerator_steps", "accelerator_searches"),
}
"""Several parts by one name."""

USUAL: tuple[str, ...] = tuple(name for name in PARTS if name not in GROUPS["accelerator"])
"""What is measured when nobody says what; an accelerator's populations would take a CPU long."""
