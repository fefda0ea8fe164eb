"""The event baselines without public code equal what the fact sheet's equations were fixed to: float64, small sizes."""

from functools import partial

import pytest
import torch
from golden_baselines import facts, inputs, numbers, state
from golden_numbers import digest

from crossmodal.data import LabelledClip
from crossmodal.heads.additive import AdditiveAttention, CosineAttention, MeanAttention
from crossmodal.heads.objectives import segment_margin
from crossmodal.heads.sentinel import SentinelAttention
from crossmodal.recipes.ave.avel import AVEL
from crossmodal.recipes.ave.avsdn_paper import AVSDNByPaper
from crossmodal.recipes.ave.cman import CMAN
from crossmodal.recipes.ave.dam import DAM
from crossmodal.tasks.frozen_features import FrozenFeatures

FEATURES, CLASSES = FrozenFeatures(None, 24, 16, 9), tuple("abcde")
LSTMS = {"lstm_audio": "sequences.audio", "lstm_visual": "sequences.visual"}
AVEL_NAMES = {**LSTMS, "hidden": "head.1", "out": "head.3"}
AVSDN_NAMES = {
    "lstm_audio": "audio_rnn",
    "lstm_visual": "visual_rnn",
    **{f"fuse_{side}.{part}": f"fusion.{side}_residual.{part}" for side in ("audio", "visual") for part in (0, 2)},
    "decoder": "decoder",
    "out": "readout",
}
LOOK = {
    "look_visual": "attention.stream_proj",
    "look_audio": "attention.cue_proj",
    "score_visual": "attention.stream_units",
    "score_audio": "attention.cue_units",
    "score": "attention.readout",
}
INNER = ("query", "key", "value")
DAM_NAMES = {
    **LOOK,
    **{side: f"{side}_in" for side in ("audio", "visual")},
    **{f"attend_{side}.{part}": f"matching.{side}.{part}" for side in ("audio", "visual") for part in INNER},
    "hidden": "event.0",
    "out": "event.2",
}
WHICH = {
    "gate_input": "gate_input",
    "gate_hidden": "gate_hidden",
    "key": "key",
    "query": "query",
    "sentinel": "sentinel",
    "score": "readout",
}
CMAN_NAMES = {
    "where_visual": "where.stream_proj",
    "where_audio": "where.cue_proj",
    **{side: f"{side}_in" for side in ("audio", "visual")},
    **{f"when_{side}.{part}": f"{side}_when.{part}" for side in ("audio", "visual") for part in INNER},
    **{f"which_{side}.{a}": f"{side}_which.{b}" for side in ("audio", "visual") for a, b in WHICH.items()},
    **{f"which_{side}.lstm": f"{side}_which.cell" for side in ("audio", "visual")},
    "out": "readout",
}
CASES = {
    "recon_avel_av": (
        partial(AVEL, attention=MeanAttention, hidden=12, units=8, objective=segment_margin),
        AVEL_NAMES,
    ),
    "recon_avsdn": (partial(AVSDNByPaper, hidden=12), AVSDN_NAMES),
    "recon_dam": (partial(DAM, attention=partial(AdditiveAttention, width=12, units=7), width=12), DAM_NAMES),
    "recon_cman": (
        partial(
            CMAN,
            attention=partial(CosineAttention, width=12),
            width=12,
            which=partial(SentinelAttention, units=7),
        ),
        CMAN_NAMES,
    ),
}


def renamed(name, names):
    """Our name of a tensor; a cell's tensors end without the layer's number."""
    module, _, leaf = name.rpartition(".")
    return f"{names[module]}.{leaf.removesuffix('_l0') if '.cell' in names[module] else leaf}"


@pytest.mark.parametrize("case", CASES)
def test_outputs_loss_and_gradients(case):
    build, names = CASES[case]
    system = build(FEATURES, CLASSES).double()
    system.load_state_dict({renamed(name, names): weight for name, weight in state(case).items()})
    given = {name: tensor.requires_grad_() for name, tensor in inputs(case).items()}
    outputs = system.score(given["visual"], given["audio"])
    out = numbers(case, "out")
    if case == "recon_dam":
        found = {"relevance": outputs.relevance, "classes": outputs.event}
    else:
        found = {"scores": outputs.softmax(2) if case == "recon_avel_av" else outputs}
    for name, ours in found.items():
        torch.testing.assert_close(ours, out[name], rtol=0, atol=1e-12)
    labels = numbers(case, "label")["segments"].argmax(2)
    loss = sum(system.loss(outputs, LabelledClip(None, None, labels)).values())
    torch.testing.assert_close(loss, numbers(case, "loss")["total"][0], rtol=0, atol=1e-12)
    parameters = dict(system.named_parameters())
    gradients = torch.autograd.grad(loss, [*given.values(), *parameters.values()])
    ours = dict(zip([*(f"in:{name}" for name in given), *parameters], map(digest, gradients), strict=True))
    theirs = numbers(case, "grad_loss")
    assert len(theirs) == len(ours)
    for name, expected in theirs.items():
        mine = ours[name if name.startswith("in:") else renamed(name, names)]
        torch.testing.assert_close(mine, expected, rtol=1e-8, atol=1e-11)
    assert facts(case)["kind"].startswith("reconstruction")
