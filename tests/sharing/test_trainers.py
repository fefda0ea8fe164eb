"""The scripts of the page on trainers: each moves what is trained, by the gradients of a plain loop."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_events import clips, small_events
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.optim import SGD

import crossmodal
from crossmodal.data import Clip
from crossmodal.sharing import SystemOptions, build_system

SCRIPTS = Path(__file__).parents[2] / "docs/scripts"
SMALL = SystemOptions("ave", "small_system.small_system")
DRIVER = """
import runpy, sys
import torch
from torch import distributed
from torch.optim import SGD
import crossmodal
from crossmodal.sharing import SystemOptions

torch.optim.Adam = lambda weights, lr: SGD(weights, lr=0.1)
distributed.init_process_group("gloo")
options = SystemOptions("ave", "small_system.small_system")
system = runpy.run_path(sys.argv[1])["train"](options, clips=8, size=2)
if distributed.get_rank() == 0:
    crossmodal.save(system.eval(), "trained")
distributed.destroy_process_group()
"""


@pytest.fixture
def run(monkeypatch):
    """Runs a script's training with plain gradient descent: Adam's first steps magnify what float32 rounds."""
    monkeypatch.setattr(torch.optim, "Adam", lambda weights, lr: SGD(weights, lr=0.1))

    def train(script, **options):
        return runpy.run_path(str(SCRIPTS / f"{script}.py"))["train"](SMALL, **options)

    return train


@pytest.fixture
def one_process(tmp_path):
    """A process group of this process."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def moves(system):
    """Name → how far training moved a weight; what is frozen stayed as it was, bit for bit."""
    before = dict(build_system(SMALL, system.classes).named_parameters())
    found = {}
    for name, after in system.named_parameters():
        if before[name].requires_grad:
            found[name] = (after - before[name]).detach()
        else:
            assert torch.equal(after, before[name]), name
    assert any(each.any() for each in found.values())
    return found


def assert_same_moves(one, other, rtol=1e-3):
    mine, other = moves(one), moves(other)
    largest = max(float(each.abs().max()) for each in other.values())
    for name, each in mine.items():
        torch.testing.assert_close(each, other[name], rtol=rtol, atol=rtol * largest, msg=name)


def test_accumulated_batches_are_one_large_one(run):
    assert_same_moves(run("accumulated_loop", clips=4, size=2), run("accumulated_loop", clips=4, size=4, every=1))


@pytest.mark.filterwarnings("ignore:FSDP2-wrapped module", "ignore:Grad strides do not match")
def test_loops_over_processes_are_plain_ones_in_a_single_process(run, one_process):
    plain = run("accumulated_loop", clips=2, size=1)
    assert_same_moves(run("ddp_loop", clips=2, size=1, every=2), plain)
    assert_same_moves(run("fsdp_loop", clips=2, size=2), plain)


def test_an_encoder_that_is_sharded_as_a_whole_is_refused_in_a_sentence(one_process):
    system = small_events()
    fully_shard(system.coupled.encoder("visual"), mesh=init_device_mesh("cpu", (1,)))
    sentence = "fully_shard the stem and every section, or the lockstep, not the encoder"
    with pytest.warns(UserWarning, match="has forward hooks"), pytest.raises(RuntimeError, match=sentence):
        system(Clip(*clips(2)))


@pytest.mark.slow
@pytest.mark.parametrize("script", ["ddp_loop", "fsdp_loop"])
def test_two_processes_are_one_with_their_batches_together(script, run, tmp_path):
    (tmp_path / "driver.py").write_text(DRIVER)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, *launcher, "driver.py", str(SCRIPTS / f"{script}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert_same_moves(crossmodal.load(tmp_path / "trained"), run("accumulated_loop", clips=8, size=4, every=1))


@pytest.mark.parametrize("script", [pytest.param("bf16_mixed_loop", marks=pytest.mark.slow), "bf16_true_loop"])
def test_half_precision_moves_weights_the_same_way(script, run):
    near, exact = moves(run(script, clips=2)), moves(run("accumulated_loop", clips=2, every=1))
    one, other = (torch.cat([each.flatten() for each in found.values()]) for found in (near, exact))
    assert one.dtype == torch.float32
    assert torch.cosine_similarity(one, other, dim=0) > 0.95


@pytest.mark.slow  # tests/recipes/ave/test_compiled.py compiles a system in a moment
def test_a_compiled_loop_is_a_plain_one(run):
    assert_same_moves(run("compiled_loop", clips=4, backend="aot_eager"), run("accumulated_loop", clips=4, every=1))


@pytest.mark.filterwarnings("ignore")  # of the trainer's own
def test_a_lightning_module_of_ones_own_keeps_adapters_alone_and_goes_on(run, tmp_path):
    quiet = {"logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    quiet |= {"enable_model_summary": False, "accelerator": "cpu"}
    once = run("own_lightning", clips=2, max_epochs=2, **quiet)
    assert "val_accuracy" in once.trainer.callback_metrics
    run("own_lightning", clips=2, max_epochs=1, **quiet).trainer.save_checkpoint(tmp_path / "half.ckpt")
    kept = torch.load(tmp_path / "half.ckpt", weights_only=True)["state_dict"]
    frozen = {name for name, each in once.named_parameters() if not each.requires_grad}
    assert kept
    assert not frozen & kept.keys()
    on = run("own_lightning", clips=2, max_epochs=2, resume=tmp_path / "half.ckpt", **quiet)
    assert_same_moves(on.system, once.system)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the trainer's own
def test_the_trainer_of_hugging_face_keeps_adapters_alone_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = runpy.run_path(str(SCRIPTS / "hf_trainer.py"))["train"]
    options = SystemOptions("ave", "lite")
    begun = train(options, "hf", clips=2, steps=1)
    kept = {file.name for file in (tmp_path / "hf/checkpoint-1").iterdir()}
    assert "adapters.safetensors" in kept
    assert not {name for name in kept if name.startswith(("model", "pytorch_model"))}
    on = train(options, "hf", clips=2, steps=2, go_on=True)
    once = train(options, "once", clips=2, steps=2)
    for (name, one), (_, other), (_, first) in zip(
        on.named_parameters(), once.named_parameters(), begun.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, msg=name)
        assert one.requires_grad or torch.equal(one, first)
    crossmodal.save(on.eval(), "shared")
    assert crossmodal.load("shared").classes == on.classes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the trainer's own
def test_a_loop_of_accelerate_moves_what_is_trained_and_nothing_else():
    train = runpy.run_path(str(SCRIPTS / "accelerate_loop.py"))["train"]
    options = SystemOptions("ave", "lite")
    system = train(options, clips=4)
    before = build_system(options, system.classes)
    moved = {
        name
        for (name, one), (_, other) in zip(system.named_parameters(), before.named_parameters(), strict=True)
        if not torch.equal(one, other)
    }
    assert moved
    assert moved <= {name for name, each in before.named_parameters() if each.requires_grad}
