"""Training from features on disk is training beside live encoders, bit for bit; and what the cache is for."""

import copy
import re
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from plain import plain
from torch.utils.data import DataLoader

from crossmodal.cli.ave_options import parse
from crossmodal.injection import from_stage, paired_as_paper
from crossmodal.recipes.ave.dg_sct import tiny
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.tasks.event_training import EventTraining
from crossmodal.training.cached_features import (
    CachedClips,
    CachedData,
    CachedTraining,
    beside,
    cache_for,
    dg_sct_side,
    events_of,
    fill,
)
from crossmodal.training.event_data import EventData
from crossmodal.training.fit import quietly

late = beside(partial(dg_sct, pairing=from_stage(paired_as_paper, 1)))


def trained(task, data):
    torch.manual_seed(0)
    options = {"max_epochs": 2, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with quietly():
        pl.Trainer(**options, enable_model_summary=False, num_sanity_val_steps=0).fit(task, data)
    return task.model


@pytest.fixture
def data():
    return EventData(clips=4, held_out=2, batch_size=2)


def test_a_training_from_the_cache_is_the_live_one_bit_for_bit(tmp_path, data, capsys):
    torch.manual_seed(0)
    model = plain(coupled=late)
    data.preprocess = model.preprocess
    live, cached = copy.deepcopy(model), copy.deepcopy(model)
    cache = cache_for(cached, tmp_path / "cache", source="world")
    assert fill(cache, cached, data.split("train"), "train") == 4
    assert fill(cache, cached, data.split("val"), "val") == 2
    assert fill(cache, cached, data.split("train"), "train") == 0
    size = sum(cache.file(f"train/{name}").stat().st_size for name in data.split("train").names)
    (told,) = set(re.findall(r"features of train \((.+?) GB\)", capsys.readouterr().err))
    assert float(told) == pytest.approx(size / 1e9, rel=0.01)
    trained(EventTraining(live, lr=1e-2), data)
    for encoder in cached.coupled.encoders.values():
        encoder.stem.forward = None  # it would be an error to run it
    trained(CachedTraining(cached, lr=1e-2), CachedData(data, cache))
    moved = [n for n, p in model.named_parameters() if not torch.equal(p, live.get_parameter(n))]
    assert moved
    for name, parameter in live.named_parameters():
        assert torch.equal(parameter, cached.get_parameter(name)), name
    for name, buffer in live.named_buffers():
        assert torch.equal(buffer, cached.get_buffer(name)), name


def test_half_the_room_comes_near(tmp_path, data):
    model = plain(coupled=late).eval()
    data.preprocess = model.preprocess
    clips = data.split("val")
    cache = cache_for(model, tmp_path / "half", source="world", dtype="bfloat16")
    fill(cache, model, clips, "val", process=1, processes=2)
    assert [clip in cache for clip in map("val/{}".format, clips.names)] == [False, True]
    fill(cache, model, clips, "val")
    batch = next(iter(DataLoader(CachedClips(clips, cache, "val"), batch_size=2)))
    found = events_of(model, batch.features).event
    expected = model(torch.stack([clip.frames for clip in clips]), torch.stack([clip.wave for clip in clips])).event
    assert (found - expected).abs().max() < 0.01 * expected.abs().max()
    assert torch.equal(batch.labels, torch.stack([clip.labels for clip in clips]))


def test_the_plain_lockstep_has_no_cache(tmp_path):
    with pytest.raises(ValueError, match=r"side mode: the model is coupled by a Lockstep, whose encoders"):
        cache_for(tiny(), tmp_path, source="world")


def test_the_command_line_knows_it():
    _, given = parse(["--recipe=crossmodal.training.cached_features.dg_sct_side", "--model.alpha=0.4"])
    assert given.model.alpha == 0.4
    assert dg_sct_side.__name__ == "dg_sct"
