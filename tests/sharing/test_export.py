"""Exported files: any number of clips, the system's numbers, and a sentence for what cannot be exported."""

import json
from importlib import import_module

import pytest
import torch
from commands import crossmodal
from torch import nn
from torch.nn import functional as F

import crossmodal as library
from crossmodal.adapters import guided_adapter
from crossmodal.alignment import learned_alignment, resampled_alignment
from crossmodal.data import Preprocess
from crossmodal.heads.events import decode_segments
from crossmodal.sharing import export, exporting
from crossmodal.sharing.exporting import largest_difference
from crossmodal.site import Site, grid_axes
from crossmodal.tasks.ave import TASK
from crossmodal.tasks.resolve import find_system, find_task
from crossmodal.tasks.task import Clips
from crossmodal.training.options import required


class Guided(nn.Module):
    """Patches of a frame, guided by frames of the wave, and a score per second: the smallest system with an adapter."""

    def __init__(self, align=resampled_alignment):
        super().__init__()
        self.classes, self.inputs = ("dog", "bell"), Clips(Preprocess(8, 64))
        here, there = Site("here", 48, grid_axes(2, 2)), Site("there", 16, grid_axes(2, 2))
        self.adapter, self.head = guided_adapter(here, there, latents=2, align=align), nn.Linear(48, 3)

    def forward(self, batch):
        frames = F.pixel_unshuffle(batch.frames.flatten(0, 1), 4).flatten(2).mT
        guided = frames + self.adapter(frames, batch.wave.flatten(0, 1).unflatten(1, (4, 16))).residual
        return self.head(guided.mean(1)).unflatten(0, batch.frames.shape[:2])

    def predict(self, outputs):
        return decode_segments(outputs)


def awake(system):
    """Moves what starts at zero, so that every part is heard."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return system


@pytest.mark.parametrize("align", [resampled_alignment, learned_alignment])
def test_a_trace_of_an_adapter_serves_any_number_of_clips(align):
    """A size that is read by `len`, or compared with a number, would fix the trace to the example's clips."""
    system = exporting.TracedSystem(awake(Guided(align)).eval(), library.data.Clip)
    free = torch.export.Dim("clip", min=2)
    given = torch.rand(3, 2, 3, 8, 8), torch.rand(3, 2, 64)
    traced = torch.export.export(system, given, dynamic_shapes=[({0: free}, {0: free})], strict=False).module()
    other = torch.rand(5, 2, 3, 8, 8), torch.rand(5, 2, 64)
    torch.testing.assert_close(traced(*other)["outputs"], system(*other)["outputs"])


@pytest.mark.slow  # the command exports a system without adapters among the quick tests
@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_a_guided_system_is_exported_for_any_number_of_clips_with_its_numbers(suffix, tmp_path):
    system = awake(Guided()).eval()
    exported = export(system, TASK, tmp_path / f"out{suffix}", segments=2)
    assert max(exported.differences.values()) < 1e-5
    run = exporting.FORMATS[suffix][1]
    for clips in (1, 4):
        frames, wave = torch.randn(clips, 2, 3, 8, 8), torch.randn(clips, 2, 64)
        expected = system(library.data.Clip(frames, wave))
        found = dict(zip(exported.differences, run(exported.file, [frames, wave]), strict=True))
        torch.testing.assert_close(found["outputs"], expected, rtol=1e-5, atol=1e-5)
    told = json.loads(exported.description.read_text())
    assert told["inputs"]["frames"] == {"shape": ["clip", 2, 3, 8, 8], "dtype": "float32"}
    assert told["outputs"]["labels"]["dtype"] == "int64"
    assert (told["classes"], told["preprocessing"]["rate"]) == (["dog", "bell"], 64)


def test_the_command_exports_a_run_and_prints_how_far_its_numbers_are(alone, monkeypatch):
    monkeypatch.syspath_prepend(alone)
    said = crossmodal(alone, "ave", "export", "runs/alone", "out/alone.pt2")
    assert said.code == 0, said.err
    assert "confidence         differs by" in said.out
    assert said.lines[-1] == "written to         out/alone.pt2, described in out/alone.pt2.json"
    refused = crossmodal(alone, "ave", "export", "runs/alone", "out/alone.tflite")
    assert "export: out/alone.tflite must end in .pt2 or .onnx, which chooses the format." in refused.err


class Loudest(Guided):
    """Looks at values to decide what to compute."""

    def forward(self, batch):
        return super().forward(batch) if batch.wave.max() > 0.1 else self.head.bias.expand(*batch.wave.shape[:2], 3)


def test_what_cannot_be_exported_says_why_and_leaves_no_file(tmp_path):
    with pytest.raises(
        ValueError, match=r"export: this Loudest cannot be written as \.pt2: .*data-dependent.*Somethin"
    ):
        export(Loudest(), TASK, tmp_path / "out.pt2", segments=2)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_other_numbers_is_not_written(tmp_path, monkeypatch):
    def write(traced, given, file):
        torch.save(traced.state_dict(), file)

    def run(file, inputs):
        return list(exporting.TracedSystem(Skewed(), library.data.Clip)(*inputs).values())

    monkeypatch.setattr(exporting, "FORMATS", {".pt2": (write, run), ".onnx": ()})
    with pytest.raises(ValueError, match=r"out\.pt2 was not written: its output 'outputs' differs from the"):
        export(awake(Guided()), TASK, tmp_path / "out.pt2", segments=2)
    assert list(tmp_path.iterdir()) == []


class Skewed(Guided):
    """Gives scores that are too high by one."""

    def forward(self, batch):
        return awake(Guided()).eval()(batch) + 1


def test_differences_are_shares_and_another_shape_is_infinitely_far():
    assert largest_difference(torch.tensor([99.0, 0.0]), torch.tensor([100.0, 0.0])) == pytest.approx(0.01)
    assert largest_difference(torch.tensor([1, 2]), torch.tensor([1, 3])) == 0.5
    assert largest_difference(torch.ones(1, 2), torch.ones(2)) == float("inf")
    assert largest_difference(torch.ones(0), torch.ones(0)) == 0
    inf, nan = float("inf"), float("nan")
    assert largest_difference(torch.tensor([-inf, 1.0]), torch.tensor([-inf, 1.5])) == pytest.approx(1 / 3)
    assert largest_difference(torch.tensor([nan]), torch.tensor([1.0])) == inf


RECIPES = [
    *(("ave", name) for name in ("dg_sct", "dg_sct_released", "lavish", "lavish_shared", "lite", "avel", "cmbs")),
    *(("avs", name) for name in ("dg_sct", "tpavi")),
    *(("avvp", name) for name in ("dg_sct", "han", "mgn")),
    *(("avqa", name) for name in ("dg_sct", "st_avqa")),
    *(("few_shot", name) for name in ("dg_sct", "coop")),
    ("classify", "dg_sct"),
]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
@pytest.mark.parametrize(("task", "name"), RECIPES)
def test_every_coupling_and_head_is_exported(task, name, suffix, tmp_path):
    task = find_task(task)
    source = next(made for made in task.sources.values() if not required(made))()
    system = awake(find_system(name, task.name)(classes=source.classes))
    assert max(export(system, task, tmp_path / f"out{suffix}").differences.values()) < 1e-3
    assert import_module("onnx")
