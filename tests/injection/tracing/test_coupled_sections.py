"""Two unmodified models, cut and coupled: as hooks on the models themselves would have it, or refused in words."""

import pytest
import torch
from third_party import PICTURE, SPECTRUM, Whisper, spectrogram_transformer, timm_vit
from torch import nn

from crossmodal.injection import couple, paired_as_paper, sections_of


def hooked(visual, audio, inputs, couplers):
    """The visual model's output, guided by the audio model, by hooks on their blocks: no section and no lockstep."""
    said, handles = [], []
    for layer in audio.layers:
        handles.append(layer.register_forward_pre_hook(lambda _, args: said.append(args[0])))
    outputs = {"audio": audio(inputs["audio"])}
    for block, guide, coupler in zip(visual.blocks, said, couplers, strict=True):
        handles.append(
            block.register_forward_hook(
                lambda _, args, output, guide=guide, coupler=coupler: (
                    output + coupler.audio_visual(args[0], guide).residual
                )
            )
        )
    outputs["visual"] = visual(inputs["visual"])
    for handle in handles:
        handle.remove()
    return outputs


def test_it_equals_hooks_on_the_models_in_outputs_and_gradients():
    torch.manual_seed(1)
    visual, audio = timm_vit().eval(), spectrogram_transformer().eval()
    inputs = {"visual": PICTURE.clone().requires_grad_(), "audio": SPECTRUM.clone().requires_grad_()}
    encoders = {
        "visual": sections_of(visual, "blocks.*", PICTURE),
        "audio": sections_of(audio, "layers.*", SPECTRUM),
    }
    model = couple(*encoders.values(), adapter=Whisper, pairing=paired_as_paper, edges=[("audio", "visual")])
    streams = model(inputs).streams
    ours = [encoders[name].head(streams[name]) for name in encoders]
    outputs = hooked(visual, audio, inputs, model.couplers.values())
    theirs = [outputs["visual"], outputs["audio"][0]]
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))
    wanted = [*inputs.values(), *model.couplers.parameters()]
    found, expected = (
        torch.autograd.grad(sum(o.sin().sum() for o in of), wanted, allow_unused=True) for of in (ours, theirs)
    )
    torch.testing.assert_close(found, expected)


def test_a_residual_outside_of_the_modules_that_are_cut_is_refused():
    """The one kind that could be stopped half-way, yet cannot be cut: the stream passes beside its blocks."""

    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, x):
            for block in self.blocks:
                x = x + block(x).tanh()
            return x

    with pytest.raises(ValueError, match=r"sections_of: what runs up to .* needs .* besides the stream"):
        sections_of(Blocks(), "blocks.*", torch.randn(2, 5, 4))
