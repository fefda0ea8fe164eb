"""Floor 5: counts what a training step of a model costs, before any weight exists."""

from .cost import cost as cost
from .table import Cost as Cost
from .table import ModuleCost as ModuleCost
