"""The released heads of AVE, number for number: outputs in both modes, gradients of inputs and weights."""

import pytest
import torch
from golden_numbers import differences, digest, golden, hashed_state, scalar, unlike
from torch import Tensor, nn

from crossmodal.checkpoints import from_released_events, from_released_temporal
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.heads.temporal import Attended


def temporal() -> TemporalAttention:
    head = TemporalAttention(1536, 768, dropout=0.0)
    head.load_state_dict(from_released_temporal(hashed_state("ave_temporal_attention")))
    return head


def events() -> EventHead:
    head = EventHead()
    head.load_state_dict(from_released_events(hashed_state("ave_cmbs")))
    return head


def run_temporal(head: nn.Module, visual: Tensor, audio: Tensor) -> dict[str, Tensor]:
    attended = head(visual, audio)
    names = ("video_query_output", "audio_query_output", "audio_visual_gate")
    return {name: out.transpose(0, 1) for name, out in zip(names, attended, strict=True)}


def run_events(head: nn.Module, visual: Tensor, audio: Tensor) -> dict[str, Tensor]:
    visual, audio = visual.transpose(0, 1), audio.transpose(0, 1)
    scores = head(Attended(visual, audio, visual[..., :1].sigmoid()))
    return {
        "is_event_scores": scores.relevance.mT[..., None],
        "event_scores": scores.event,
        "av_score": scores.activation,
    }


CASES = {
    "ave_temporal_attention": (temporal, run_temporal, from_released_temporal),
    "ave_cmbs": (events, run_events, from_released_events),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_outputs(case, mode):
    build, run, _ = CASES[case]
    given = golden(case, "in")
    ours = run(build().train(mode == "train"), given["visual"], given["audio"])
    theirs = golden(case, f"out_{mode}")
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        torch.testing.assert_close(ours[name], expected, rtol=0, atol=1e-5)


# a relu of a golden input lies within rounding of its kink: on its other side in float64 and by oneDNN of another torch
LATER = pytest.mark.skipif(not torch.__version__.startswith("2.14."), reason="a golden gradient at a kink")


@pytest.mark.parametrize("onednn", [False, pytest.param(True, marks=LATER)], ids=["torch's products", "oneDNN"])
@pytest.mark.parametrize("case", CASES)
def test_gradients(case, onednn, monkeypatch):
    build, run, rename = CASES[case]
    head = build().train()
    given = {name: tensor.requires_grad_() for name, tensor in golden(case, "in").items()}
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", onednn)
    scalar(*run(head, given["visual"], given["audio"]).values()).backward()
    of_inputs = {name: tensor.grad for name, tensor in given.items()}
    assert not unlike(of_inputs, golden(case, "grad_in"), relative=1e-4)
    of_parameters = {name: digest(parameter.grad) for name, parameter in head.named_parameters()}
    assert not unlike(of_parameters, rename(golden(case, "grad_param_digest")), relative=1e-4)


@pytest.mark.parametrize("case", [pytest.param("ave_temporal_attention", marks=pytest.mark.slow), "ave_cmbs"])
def test_gradients_against_float64_differences(case):
    """By both inputs and every parameter, in training mode; with dropout 0 it is evaluation mode too."""
    build, run, _ = CASES[case]
    head = build().double().train()
    given = {name: tensor.double().requires_grad_() for name, tensor in golden(case, "in").items()}

    def value() -> Tensor:
        return scalar(*run(head, given["visual"], given["audio"]).values())

    for name, (exact, measured) in differences(value, given | dict(head.named_parameters())).items():
        assert measured == pytest.approx(exact, rel=1e-5, abs=1e-6), name
