"""Systems that hear or see alone: nothing of what they leave out reaches their events."""

from functools import partial

import pytest
import torch

from crossmodal.data import Clip
from crossmodal.data.world import World
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.world.single_modality import WithoutModality, audio_only, visual_only

UNCOUPLED = partial(dg_sct, edges=())


@pytest.mark.parametrize(("build", "left_out"), [(audio_only, "frames"), (visual_only, "wave")])
def test_what_is_left_out_changes_nothing(build, left_out):
    torch.manual_seed(0)
    system, clip = build(coupling=UNCOUPLED).eval(), World("train", clips=1)[0]
    given = {"frames": clip.frames[None], "wave": clip.wave[None]}
    events = system(Clip(**given))
    for name in given:
        changed = system(Clip(**{**given, name: given[name].flip(1)}))
        same = torch.equal(changed.relevance, events.relevance) and torch.equal(changed.event, events.event)
        assert same == (name == left_out)


def test_a_coupled_system_is_refused():
    with pytest.raises(ValueError, match=r"leaves visual out, but its couplers read it: pass edges=\(\)"):
        audio_only()


def test_another_modality_is_refused():
    with pytest.raises(ValueError, match="modality='text' must be 'visual' or 'audio'"):
        WithoutModality(torch.nn.Identity(), "text")
