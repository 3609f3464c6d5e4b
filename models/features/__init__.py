"""Features, each defined once, and what computes them: in batch, in the stream, row by row."""

from models.features.catalogue import FEATURES, LABEL_WINDOW, LONGEST_WINDOW, NAMES
from models.features.events import Events
from models.features.feature import Feature
from models.features.kernel import LABEL_DELAY, compute

__all__ = [
    "FEATURES",
    "LABEL_DELAY",
    "LABEL_WINDOW",
    "LONGEST_WINDOW",
    "NAMES",
    "Events",
    "Feature",
    "compute",
]
