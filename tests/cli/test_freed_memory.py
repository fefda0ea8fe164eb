"""Memory that a command freed is used again: page faults, counted in a process of its own."""

import os
import subprocess
import sys

import pytest

from crossmodal.cli.freed_memory import SET, keep_freed_memory

FAULTS = """
import resource, sys
from crossmodal.cli.freed_memory import keep_freed_memory
kept = keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(2**26)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(int(kept), faults(), int("torch" in sys.modules))
"""


def counted(**more):
    environment = {name: value for name, value in os.environ.items() if name not in SET}
    run = subprocess.run(
        [sys.executable, "-c", FAULTS], env=environment | more, capture_output=True, text=True, check=True
    )
    return [int(word) for word in run.stdout.split()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_that_was_freed_is_not_mapped_again_unless_the_user_chose():
    kept, faults, torch_is_loaded = counted()
    assert not torch_is_loaded
    if not kept:
        pytest.skip("not glibc")
    assert faults < 100
    kept, faults, _ = counted(MALLOC_TRIM_THRESHOLD_="131072")
    assert not kept
    assert faults >= 2**26 // 2**21  # pages of two megabytes at most
    assert not counted(MALLOC_TOP_PAD_="131072")[0]


@pytest.mark.parametrize(
    ("platform", "library"), [("win32", None), ("darwin", None), ("linux", object()), ("linux", None)]
)
def test_where_glibc_is_not_there_nothing_changes_and_nothing_is_said(monkeypatch, platform, library):
    def opened(name):
        assert platform == "linux"  # elsewhere `ctypes.CDLL(None)` itself is an error
        if library is None:
            raise OSError("Dynamic loading not supported")
        return library

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("ctypes.CDLL", opened)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in SET:
        monkeypatch.delenv(name, raising=False)
    assert not keep_freed_memory()


def test_a_process_that_computed_before_is_left_alone():
    import torch

    assert torch
    assert not keep_freed_memory()
