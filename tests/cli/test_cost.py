"""`crossmodal ave cost`: the cost of the very model that the options of `ave fit` describe."""

import json

import pytest
from commands import crossmodal

from crossmodal.cli.cost import cost_of
from crossmodal.recipes.ave.dg_sct import tiny
from crossmodal.recipes.lavish import lavish


def test_it_prints_the_cost_of_the_model_that_is_asked_for(tmp_path):
    said = crossmodal(tmp_path, "ave", "cost", "--recipe", "lavish", "--model.latents", "2", "--form", "json")
    assert said.code == 0, said.err
    found, expected = json.loads(said.out), cost_of(tiny(coupled=lambda v, a: lavish(v, a, latents=2)))
    assert found == json.loads(json.dumps(expected.as_dict(3)))


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_table_for_a_batch(tmp_path, form):
    said = crossmodal(tmp_path, "ave", "cost", "--recipe", "lavish", "--clips", "2", "--depth", "1", "--form", form)
    assert said.out.startswith("A training step on 2 clip(s) of ten seconds, in float32\n")
    assert "times the floor" in said.out


def test_no_clips_are_refused(tmp_path):
    said = crossmodal(tmp_path, "ave", "cost", "--clips", "0")
    assert (said.code, said.err.strip()) == (1, "crossmodal: ave cost: --clips=0 must be at least 1.")
