"""The library of large products follows the measurement, which is made once and kept by all that it depends on."""

import json
import os
import pathlib
import sys

import pytest
import torch
from torch import nn

import crossmodal.injection.execution.kernel_choice as module
import crossmodal.injection.execution.onednn as onednn
from crossmodal.injection import explain_products, fast_linears
from crossmodal.injection.execution.kernel_choice import PROBES, ProductClass, faster_of, measured_once, product_class


@pytest.fixture(autouse=True)
def unnamed(monkeypatch, tmp_path):
    """No library named, an empty folder of times, small probes."""
    monkeypatch.delenv(module.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "_known", {})
    monkeypatch.setattr(module, "PROBES", dict.fromkeys(PROBES, (8, 4, 6)))


class Clock:
    """Lets a call of torch's library take one second, and one of oneDNN `ratio`."""

    def __init__(self, monkeypatch, ratio):
        self.now, self.calls = 0.0, 0
        took, real = {"torch": 1.0, "onednn": ratio}, module.product_by

        def product_by(library, *given):
            self.now += took[library]
            self.calls += 1
            return real(library, *given)

        monkeypatch.setattr(module, "product_by", product_by)

    def __call__(self):
        return self.now


@pytest.mark.parametrize(("ratio", "library"), [(0.5, "onednn"), (2.0, "torch"), (0.99, "torch")])
def test_the_choice_follows_the_measurement_and_changes_no_number(monkeypatch, ratio, library):
    monkeypatch.setattr(onednn, "LARGE", 1)
    clock, real, used = Clock(monkeypatch, ratio), module.product_by, []
    monkeypatch.setattr(module.measured_once, "__defaults__", (None, clock))
    monkeypatch.setattr(onednn, "product_by", lambda which, *given: used.append(which) or real(which, *given))
    torch.manual_seed(0)
    layer, stream = nn.Linear(12, 20), torch.randn(3, 7, 12, requires_grad=True)
    cotangent = torch.randn(3, 7, 20)
    before = torch.get_rng_state()
    found = []
    for model in (layer, fast_linears(layer)):
        out = model(stream)
        found.append([out, *torch.autograd.grad(out, [stream, *layer.parameters()], cotangent)])
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-6)
    assert set(used) <= {library}
    assert bool(used) == (library == "onednn")  # torch's own layer needs no call of ours
    assert torch.equal(torch.get_rng_state(), before)


def test_it_is_timed_once_a_machine(monkeypatch, tmp_path):
    clock = Clock(monkeypatch, 0.5)
    first = measured_once(clock=clock)
    calls = clock.calls
    assert calls == len(PROBES) * 2 * (module.ROUNDS + 1)
    assert measured_once(clock=clock) == first
    assert clock.calls == calls
    assert {faster_of(seconds) for seconds in first.values()} == {"onednn"}
    (file,) = (tmp_path / "crossmodal").iterdir()
    file.write_text("{", encoding="utf-8")
    assert measured_once(clock=clock) == first
    assert clock.calls == 2 * calls


@pytest.mark.parametrize("change", ["processor", "torch", "threads", "environment", "libraries", "probes"])
def test_what_it_depends_on_is_in_the_key(monkeypatch, tmp_path, change):
    clock = Clock(monkeypatch, 0.5)
    measured_once(clock=clock)
    if change == "processor":
        monkeypatch.setattr(module, "_processor", lambda: "another")
    elif change == "torch":
        monkeypatch.setattr(torch, "__version__", "9.0")
    elif change == "threads":
        monkeypatch.setattr(torch, "get_num_threads", lambda: 63)
    elif change == "environment":
        monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    elif change == "libraries":
        monkeypatch.setattr(torch.__config__, "show", lambda: "another build")
    else:
        monkeypatch.setattr(module, "PROBES", dict.fromkeys(PROBES, (9, 4, 6)))
    calls = clock.calls
    measured_once(clock=clock)
    assert clock.calls > calls
    assert len(list((tmp_path / "crossmodal").iterdir())) == 2


def test_where_nothing_can_be_kept_nothing_is_timed(monkeypatch, tmp_path):
    clock = Clock(monkeypatch, 0.5)
    (tmp_path / "file").touch()
    found = measured_once(tmp_path / "file", clock)
    assert clock.calls == 0
    assert {faster_of(seconds) for seconds in found.values()} == {"torch"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder that nobody can write to")
def test_in_a_folder_that_exists_and_cannot_be_written_nothing_is_timed_either(monkeypatch):
    clock = Clock(monkeypatch, 0.5)
    found = measured_once(pathlib.Path("/proc"), clock)
    assert clock.calls == 0
    assert {faster_of(seconds) for seconds in found.values()} == {"torch"}


def test_a_user_without_a_home_gets_torch_s_own(monkeypatch, capsys):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(pathlib.Path, "home", no_home)
    assert module.library_for(next(iter(PROBES))) == "torch"
    assert "torch (not timed: there is no home folder: set XDG_CACHE_HOME)" in explain_products()
    assert capsys.readouterr().out


@pytest.mark.skipif(not hasattr(torch.backends.mkldnn, "matmul"), reason="torch < 2.9 has no precision by backend")
def test_precision_may_be_set_by_backend(monkeypatch):
    """After `torch.backends.mkldnn.matmul.fp32_precision = "bf16"` torch refuses to tell one precision for all."""

    def refused():
        raise RuntimeError("mix of the legacy and new APIs")

    Clock(monkeypatch, 0.5)
    before = module.measuring_conditions()["precision"]
    monkeypatch.setattr(torch, "get_float32_matmul_precision", refused)
    assert module.library_for(next(iter(PROBES))) in module.LIBRARIES
    assert module.measuring_conditions()["precision"] not in (before, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_child_that_is_forked_while_a_thread_times_does_not_wait_for_it(monkeypatch):
    import signal
    import threading

    measuring, over = threading.Event(), threading.Event()

    def slow():
        measuring.set()
        over.wait(20)
        return {kind: {} for kind in PROBES}

    monkeypatch.setattr(module, "measured_once", slow)
    thread = threading.Thread(target=module.library_for, args=(next(iter(PROBES)),))
    thread.start()
    measuring.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # ends it where it waits
        over.set()
        module.library_for(next(iter(PROBES)))
        os._exit(0)
    over.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_a_class_is_told_by_its_rows():
    assert product_class("linear", 384, 192, 768) == ProductClass("linear", few_rows=True)
    assert product_class("linear", 385, 192, 768) == ProductClass("linear", few_rows=False)


def test_it_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(module.measured_once, "__defaults__", (None, Clock(monkeypatch, 0.5)))
    said = explain_products()
    assert capsys.readouterr().out == said + "\n"
    assert "linear, few rows: onednn (torch 1000.00 ms, onednn 500.00 ms)" in said
    monkeypatch.setenv(module.VARIABLE, "torch")
    assert "all by torch: CROSSMODAL_PRODUCTS says so" in explain_products()
    monkeypatch.setenv(module.VARIABLE, "mkl")
    with pytest.raises(ValueError, match="CROSSMODAL_PRODUCTS='mkl' must be one of torch, onednn, or not be set"):
        explain_products()
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert "all by torch: torch.backends.mkldnn is not available, or not enabled" in explain_products()


def test_the_file_can_be_read_by_others(tmp_path, monkeypatch):
    measured_once(tmp_path, Clock(monkeypatch, 0.5))
    (file,) = tmp_path.iterdir()
    content = json.loads(file.read_text())
    assert content["seconds"]["times, many rows"] == {"torch": 1.0, "onednn": 0.5}
    assert content["conditions"]["torch"] == torch.__version__
