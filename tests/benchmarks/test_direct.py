"""Law 11 for the whole model: what is evaluated fast equals what is evaluated directly, in float64."""

import pytest
import torch
from systems import tiny

from crossmodal.adapters import Adapted
from crossmodal.heads import event_loss
from crossmodal.injection import freeze
from crossmodal.recipes.dg_sct_released import dg_sct_released

direct = pytest.importorskip("benchmarks.direct")
windows = pytest.importorskip("benchmarks.direct_windows")


def woken(model):
    """Every scale that starts at zero moved, norms and running statistics too."""
    with torch.no_grad():
        for parameter in model.coupled.couplers.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
        for name, buffer in model.coupled.couplers.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return model


def step(model, training):
    """Outputs, gradients by name, and buffers after one step."""
    torch.manual_seed(1)
    frames, wave = torch.rand(1, 10, 3, 64, 64).double(), torch.randn(1, 10, 16_000).double()
    model.train(training)
    events = model.score(frames, wave)
    event_loss(events, torch.randint(0, 7, (1, 10))).backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    return (
        events,
        gradients,
        {name: buffer for name, buffer in model.state_dict().items() if name.endswith("running_var")},
    )


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_the_tiny_model_is_the_directly_evaluated_one(training):
    torch.manual_seed(0)
    fast = woken(tiny(coupling=dg_sct_released).double())
    slow = tiny(coupling=direct.direct).double()
    slow.load_state_dict(fast.state_dict())
    assert isinstance(slow.coupled.couplers.stages0_0_mlp.audio_visual, direct.DirectAdapter)
    found, expected = step(fast, training), step(slow, training)
    for name, our, their in zip(expected[0]._fields, found[0], expected[0], strict=True):
        torch.testing.assert_close(our, their, rtol=1e-10, atol=1e-10, msg=lambda text, at=name: f"{at}: {text}")
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        if training and name.endswith("bottleneck.before.bias"):
            continue  # a bias before batch norm: zero, but for rounding
        assert (found[1][name] - gradient).norm() <= 1e-10 * gradient.norm(), name
    for name, buffer in expected[2].items():
        torch.testing.assert_close(found[2][name], buffer, rtol=1e-10, atol=1e-12)


def test_frozen_windows_share_their_parameters_and_keep_their_keys():
    from crossmodal.encoders import htsat

    encoder = htsat(64, mels=32, width=8, depths=(2,), heads=(2,), window=4)
    before = {name: tensor.data_ptr() for name, tensor in encoder.state_dict().items()}
    assert windows.written_out(encoder) is encoder
    assert {name: tensor.data_ptr() for name, tensor in encoder.state_dict().items()} == before
    bodies = [type(encoder.section(site.name).body) for site in encoder.sites if site.part == "attention"]
    assert bodies == [windows.DirectWindows] * 2
    assert not any(parameter.requires_grad for parameter in freeze(encoder).parameters())


def test_an_adapter_of_another_kind_is_named():
    class Other(torch.nn.Module):
        def forward(self, stream, guide):
            return Adapted(stream, {})

    with pytest.raises(TypeError, match=r"evaluated_directly: Other is no GuidedAdapter"):
        direct.evaluated_directly(lambda stream, guide: Other())(None, None)
