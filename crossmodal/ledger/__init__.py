"""Floor 5: what a model costs, counted before any weight exists."""

from .cost import cost as cost
from .share import Share as Share
from .sheet import Cost as Cost
