"""Training from features on disk is training beside live encoders, bit for bit; and what the cache is for."""

import copy
import re
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from plain import plain
from systems import parsed, tiny, training
from torch.utils.data import DataLoader

from crossmodal.data.source import WorldSource
from crossmodal.injection import from_stage, paired_as_paper
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.side_tuning import dg_sct_side, side_tuning
from crossmodal.tasks import ave
from crossmodal.tasks.feature_inputs import item_keys
from crossmodal.training.cached_features import (
    CachedClips,
    CachedSource,
    CachedTraining,
    fill_cache,
    open_cache,
    score_features,
)
from crossmodal.training.data_module import DataModule
from crossmodal.training.fit import quietly

late = side_tuning(partial(dg_sct, pairing=from_stage(paired_as_paper, 1)))


def trained(task, data):
    torch.manual_seed(0)
    options = {"max_epochs": 2, "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with quietly():
        pl.Trainer(**options, enable_model_summary=False, num_sanity_val_steps=0).fit(task, DataModule(data))
    return task.system


@pytest.fixture
def data():
    return WorldSource(clips=4, held_out=2, batch_size=2)


def test_a_training_from_the_cache_is_the_live_one_bit_for_bit(tmp_path, data, capsys):
    torch.manual_seed(0)
    model = plain(coupling=late)
    data.preprocess = model.preprocess
    live, cached = copy.deepcopy(model), copy.deepcopy(model)
    cache = open_cache(cached, tmp_path / "cache", source="world")
    assert fill_cache(cache, cached, data.split("train"), "train") == 4
    assert fill_cache(cache, cached, data.split("val"), "val") == 2
    assert fill_cache(cache, cached, data.split("train"), "train") == 0
    size = sum(cache.file(key).stat().st_size for key in item_keys(data.split("train"), "train"))
    (told,) = set(re.findall(r"features of train \((.+?) GB\)", capsys.readouterr().err))
    assert float(told) == pytest.approx(size / 1e9, rel=0.01)
    trained(training(live, lr=1e-2), data)
    for encoder in cached.coupled.encoders.values():
        encoder.stem.forward = None  # it would be an error to run it
    trained(CachedTraining(cached, ave.TASK, lr=1e-2), CachedSource(data, cache))
    moved = [n for n, p in model.named_parameters() if not torch.equal(p, live.get_parameter(n))]
    assert moved
    for name, parameter in live.named_parameters():
        assert torch.equal(parameter, cached.get_parameter(name)), name
    for name, buffer in live.named_buffers():
        assert torch.equal(buffer, cached.get_buffer(name)), name


def test_half_the_room_comes_near(tmp_path, data):
    model = plain(coupling=late).eval()
    data.preprocess = model.preprocess
    clips = data.split("val")
    cache = open_cache(model, tmp_path / "half", source="world", dtype="bfloat16")
    fill_cache(cache, model, clips, "val", process=1, processes=2)
    assert [clip in cache for clip in item_keys(clips, "val")] == [False, True]
    fill_cache(cache, model, clips, "val")
    batch = next(iter(DataLoader(CachedClips(clips, cache, "val"), batch_size=2)))
    found = score_features(model, batch.features).event
    expected = model.score(
        torch.stack([clip.frames for clip in clips]), torch.stack([clip.wave for clip in clips])
    ).event
    assert (found - expected).abs().max() < 0.01 * expected.abs().max()
    assert torch.equal(batch.labels, torch.stack([clip.labels for clip in clips]))


def test_the_plain_lockstep_has_no_cache(tmp_path):
    with pytest.raises(ValueError, match=r"side mode: the model is coupled by a Lockstep, whose encoders"):
        open_cache(tiny(), tmp_path, source="world")


def test_the_command_line_knows_it():
    _, given = parsed("--model.coupling=crossmodal.recipes.side_tuning.dg_sct_side", "--model.alpha=0.4")
    assert given.model.alpha == 0.4
    assert dg_sct_side.__name__ == "dg_sct"
