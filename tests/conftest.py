"""One hypothesis profile for all: no deadline (shared machines), derandomised (a red run is red again)."""

import os

import torch
from hypothesis import settings

settings.register_profile("crossmodal", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("crossmodal")

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # as many workers as cores: threads of one would only wait for those of another
