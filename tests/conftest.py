"""One hypothesis profile for all: no deadline (shared machines), derandomised (a red run is red again)."""

from hypothesis import settings

settings.register_profile("crossmodal", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("crossmodal")
