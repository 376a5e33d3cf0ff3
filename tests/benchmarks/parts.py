"""The parts of the benchmark by name, in running order."""

from offline_parts import OFFLINE_RL
from part import Part
from program_parts import DEVICES, GROWTH, PROGRAMS, RAILS, UNROLLS
from retrieval_part import RETRIEVAL
from saliency_part import SALIENCY
from search_parts import RACING, REJECTION, SEARCH, TAYLOR, WHOLE

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
    "retrieval": RETRIEVAL,
    "saliency": SALIENCY,
    "devices": DEVICES,
    "offline_rl": OFFLINE_RL,
}
