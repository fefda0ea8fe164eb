"""Keeps memory that a command has given back, so that the next step finds it without the kernel's help."""

import ctypes
import os
import sys

SET = (
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "GLIBC_TUNABLES",
    "LD_PRELOAD",
)
"""Variables by which a user says how memory is allocated."""
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""Parameters of glibc's `mallopt`."""


def keep_freed_memory() -> bool:
    """Lets glibc keep what is freed, for this process; returns whether it does.

    By default a large tensor is given back to the kernel when it is freed, and the next one of its size is cleared and
    mapped page by page again: in a steady training step ten thousand times on the tiny model. Elsewhere than on glibc,
    where the user has chosen, and in a process that computed before, nothing changes.
    """
    if "torch" in sys.modules or not sys.platform.startswith("linux") or any(name in os.environ for name in SET):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another library of C, or one that is linked into Python
        return False
    # no large block by a mapping of its own, nothing given back at the end of the heap, which grows in large steps
    return all(
        mallopt(parameter, value) for parameter, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, 2**26))
    )
