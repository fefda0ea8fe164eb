"""The importer of released models on class names, on the names and shapes of the published layout."""

import json
from pathlib import Path

import pytest
import torch

from crossmodal.checkpoints.load_strict import compare
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.released_names import dg_sct_names_rule, import_dg_sct_names
from crossmodal.data import Preprocess
from crossmodal.encoders import ClipText, RobertaText, clap_model, clip_image, clip_model, htsat_tiny_audioset
from crossmodal.prompts import FixedPrompts, Sentences, StaticPrompts
from crossmodal.recipes.few_shot.dg_sct_released import COUPLED
from crossmodal.tasks.matched_pair import MatchedPair

NAMES = Path(__file__).parents[1] / "golden" / "released_few_shot_names.json"


@pytest.fixture(scope="module")
def model():
    spoken, sounds = Sentences(((3, 1, 1, 1, 1, 5, 9),), (1,), 4), FixedPrompts(torch.ones(1, 3, dtype=torch.long))
    with torch.device("meta"):
        return MatchedPair(
            clip_model(clip_image(), ClipText()),
            clap_model(htsat_tiny_audioset(), RobertaText()),
            coupling=COUPLED,
            sound=torch.nn.Identity(),
            preprocess=Preprocess(224, 32_000),
            speak=lambda names: StaticPrompts(torch.zeros(4, 512), spoken),
            speak_of_sound=lambda names: sounds,
            classes=("bell",),
        )


def test_every_tensor_of_the_published_layout_has_a_place_or_a_reason(model):
    layout = json.loads(NAMES.read_text())
    tensors = {
        name: torch.empty(shape, dtype=getattr(torch, dtype), device="meta") for name, (shape, dtype) in layout.items()
    }
    checkpoint = read_weights({**tensors, "logit_scale_a": torch.tensor(4.5)})
    _, report, _ = compare(model, checkpoint, dg_sct_names_rule(tensors, model.coupled), layout="")
    assert not report.differences, str(report)[:2000]
    dropped = sum(tensors[name].numel() for name in report.dropped if name.startswith(("CMBS", "audio_adapter")))
    assert dropped > 18e6  # the heads that no score reaches
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    # those that the released code trains and that reach a score
    assert trained == 116_729_402 - sum(tensors[name].numel() for name in report.dropped if trains(name))


def trains(name):
    dead = ("CMBS.", "audio_adapter.", "prompt_learner.meta_net.")
    return name.startswith(dead) or ("adapter_blocks" in name and (".gate_tk" in name or ".fc_caption." in name))


def test_a_model_without_numbers_asks_for_the_scale(model):
    with pytest.raises(ValueError, match="audio_log_scale=None, but the model is on the meta device"):
        import_dg_sct_names(model, {"logit_scale": torch.tensor(1.0)})
