"""`crossmodal TASK cost`: the cost of the very system that the options of `fit` describe."""

import json
from functools import partial

import pytest
import torch
from commands import crossmodal
from torch import nn

from crossmodal.data import LabelledClip
from crossmodal.data.clip import Preprocess
from crossmodal.evaluation.step_cost import meta_batch, step_cost
from crossmodal.recipes.classify.dg_sct import dg_sct as classifier
from crossmodal.recipes.lavish import lavish
from crossmodal.tasks.ave import TASK
from crossmodal.tasks.classify import TASK as CLASSIFY
from crossmodal.tasks.task import Features


def test_it_prints_the_cost_of_the_system_that_is_asked_for(tmp_path):
    said = crossmodal(tmp_path, "classify", "cost", "--system", "lavish", "--model.latents", "2", "--form", "json")
    assert said.code == 0, said.err
    assert "RANDOM" not in said.err
    found, expected = json.loads(said.out), step_cost(classifier(coupling=partial(lavish, latents=2)), CLASSIFY)
    assert found == json.loads(json.dumps(expected.as_dict(3)))


@pytest.mark.parametrize(
    ("task", "form"), [pytest.param("ave", "markdown", marks=pytest.mark.slow), ("classify", "table")]
)
def test_a_table_for_a_batch(tmp_path, task, form):
    said = crossmodal(tmp_path, task, "cost", "--system", "lavish", "--clips", "2", "--depth", "1", "--form", form)
    assert said.out.startswith(f"A training step of {task} on 2 item(s), in float32\n")
    assert "times the floor" in said.out
    assert said.out.endswith("visual pooled by mean\naudio pooled by mean\n")


def test_no_items_are_refused(tmp_path):
    said = crossmodal(tmp_path, "ave", "cost", "--clips", "0")
    assert (said.code, said.err.strip()) == (1, "crossmodal: ave cost: --clips=0 must be at least 1.")


@pytest.mark.parametrize(("typed", "meant"), [("--clip", "--clips"), ("--dpeth", "--depth"), ("--sytem", "--system")])
def test_an_option_typed_wrong_is_one_of_cost_first(tmp_path, typed, meant):
    said = crossmodal(tmp_path, "ave", "cost", typed, "2")
    expected = f"crossmodal ave cost: there is no option {typed}; did you mean {meant}?"
    assert (said.code, said.err.strip()) == (2, expected)


class ReadsFeatures(nn.Module):
    """System on features of frozen extractors: of a frame three numbers, of a second of sound five."""

    classes = ("a",)
    inputs = Features(
        Preprocess(8, 16_000), nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), nn.Linear(16_000, 5), "small"
    )

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, batch):
        return self.head(torch.cat([batch.frames, batch.wave], dim=-1))


def test_a_system_on_features_is_counted_behind_its_extractors():
    batch = meta_batch(ReadsFeatures(), TASK, items=2)
    assert isinstance(batch, LabelledClip)
    assert all(part.is_meta for part in batch)
    assert [tuple(part.shape) for part in batch] == [(2, 10, 3), (2, 10, 5), (2, 10)]
    assert step_cost(ReadsFeatures(), TASK, items=2).total.forward == 2 * 20 * 8 * 2


def test_items_have_the_length_of_the_source_that_is_trained_on():
    class Short:
        """Source of clips of three seconds."""

        segments = 3

    assert [tuple(part.shape)[:2] for part in meta_batch(ReadsFeatures(), TASK, source=Short())] == [(1, 3)] * 3


def test_what_looks_at_values_is_refused_in_words():
    class Looks(ReadsFeatures):
        def forward(self, batch):
            return super().forward(batch) if batch.labels.any() else None

    with pytest.raises(ValueError, match="Looks cannot run on tensors without data"):
        step_cost(Looks(), TASK)
