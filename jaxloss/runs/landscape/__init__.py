"""Loss landscapes: two trainings from one network, and what lies around both ends."""

from jaxloss.runs.landscape.drawing import draw_landscapes
from jaxloss.runs.landscape.settings import LandscapeRunSettings, usual_for

__all__ = ["LandscapeRunSettings", "draw_landscapes", "usual_for"]
