"""Half precision comes near: how near was measured, and is written here. Couplers and statistics stay in full."""

import copy
import pickle
import warnings

import pytest
import torch
from small_events import clips, small_events
from torch import nn
from toys import Mix, toy_encoder

from crossmodal.injection import fingerprint, freeze, half_precision
from crossmodal.injection.execution.half_precision import times_as_long


def halved(model):
    for encoder in model.coupled.encoders.values():
        half_precision(encoder)
    return model


def step(model, autocast=False):
    """One training step: what the model says, its maps, and the gradients as one vector."""
    frames, wave = clips(48)  # batch statistics of few clips blow rounding up
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        coupled = model.run(frames, wave)
        events = model.score(frames, wave)
    sum(scores.float().square().sum() for scores in events).backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
    maps = [made for by_edge in coupled.maps.values() for named in by_edge.values() for made in named.values()]
    return events, maps, torch.cat([gradient.flatten() for gradient in gradients])


def statistics(model):
    return {name: buffer for name, buffer in model.named_buffers() if "running_" in name}


@pytest.mark.parametrize(("how", "scores", "gradient"), [("half", 0.005, 0.004), ("autocast", 0.04, 0.04)])
def test_it_comes_near(how, scores, gradient):
    """Measured 0.0025 and 0.0019 for half encoders, 0.0102 and 0.0072 for autocast, on 48 clips.

    Of four clips the gradient is 0.0006 to 0.014 apart, by the weights that are drawn.
    """
    model = small_events(depths=(1, 1)).train()
    near = copy.deepcopy(model)
    expected = step(model)
    found = step(halved(near) if how == "half" else near, autocast=how == "autocast")
    for one, other in zip(found[0], expected[0], strict=True):
        assert (one.float() - other).abs().max() < scores
    assert (found[2] - expected[2]).norm() < gradient * expected[2].norm()
    assert all(buffer.dtype == torch.float32 for buffer in statistics(near).values())
    for name, buffer in statistics(model).items():
        torch.testing.assert_close(statistics(near)[name], buffer, rtol=0.05, atol=0.005)


def test_maps_and_streams_stay_in_full_precision():
    model = halved(small_events()).train()
    coupled = model.run(*clips(2))
    maps = [made for by_edge in coupled.maps.values() for named in by_edge.values() for made in named.values()]
    assert {tensor.dtype for tensor in [*maps, *coupled.streams.values()]} == {torch.float32}


def test_weights_of_sections_alone_are_halved_and_names_stay():
    model = small_events()
    names = list(model.state_dict())
    halved(model)
    assert list(model.state_dict()) == names
    in_half = {name for name, tensor in model.state_dict().items() if tensor.dtype == torch.bfloat16}
    assert in_half == {name for name in names if ".encoders." in name and ".sections." in name}


def test_copies_and_pickles_are_in_half_precision_too():
    model = halved(small_events()).eval()
    frames, wave = clips(2)
    expected = model.score(frames, wave).event
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other.score(frames, wave).event, expected)


def test_a_residual_is_added_in_full_precision():
    """What is too small for the stream's eight bits is not lost before the next section rounds it."""
    encoder = half_precision(freeze(toy_encoder((1,))))
    stream = encoder.sections["stages0_0_attention"](torch.ones(1, 8, 4))
    assert stream.dtype == torch.float32
    assert torch.equal(stream.bfloat16().float(), stream)
    assert not torch.equal(stream + 1e-4, stream)


class Statistics(Mix):
    """A section with batch statistics."""

    def __init__(self, width):
        super().__init__(width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, stream):
        return super().forward(self.norm(stream.mT).mT)


def test_batch_norms_of_an_encoder_keep_their_statistics():
    encoder = toy_encoder((1,))
    encoder.sections["stages0_0_mlp"] = Statistics(4)
    encoder.sections["stages0_0_mlp"].norm.running_mean += 1 / 3
    expected = copy.deepcopy(encoder).eval()(torch.ones(2, 8, 3))
    half_precision(freeze(encoder))
    assert torch.equal(encoder.sections["stages0_0_mlp"].norm.running_mean, torch.full((4,), 1 / 3))
    torch.testing.assert_close(encoder(torch.ones(2, 8, 3)), expected, rtol=0.05, atol=0.05)


def test_frozen_weights_do_not_move():
    model = halved(small_events()).train()
    before = fingerprint(model.coupled.encoders)
    step(model)
    assert fingerprint(model.coupled.encoders) == before


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match=r"half_precision: 8 parameters of the encoder take gradients: freeze"):
        half_precision(toy_encoder((1,)))
    with pytest.raises(ValueError, match=r"half_precision: dtype=torch.float64 must be torch.bfloat16 or"):
        half_precision(freeze(toy_encoder()), torch.float64)
    encoder = half_precision(freeze(toy_encoder()))
    with pytest.raises(ValueError, match="half_precision: the encoder is in half precision already: call it once"):
        half_precision(encoder)


def test_a_weight_that_the_dtype_cannot_hold_is_named_and_nothing_is_converted():
    encoder = toy_encoder((1,))
    bias = encoder.sections["stages0_0_mlp"].linear.bias
    bias.data[0] = -1e5
    encoder.sections["stages0_0_mlp"].register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    before = fingerprint(freeze(encoder))
    with pytest.raises(
        ValueError, match=r"sections.stages0_0_mlp.linear.bias reaches 1e\+05, which torch.float16 cannot hold: take"
    ):
        half_precision(encoder, torch.float16)
    assert fingerprint(encoder) == before
    half_precision(encoder, torch.bfloat16)  # whose range is that of float32, and to which a mask is a mask


@pytest.mark.parametrize(("ratio", "said"), [(5.0, 1), (1.1, 0)])
def test_a_processor_that_is_slower_so_says_it(monkeypatch, ratio, said):
    seconds = {torch.bfloat16: ratio, torch.float32: 1.0}
    monkeypatch.setattr("crossmodal.injection.execution.half_precision.times_as_long", lambda dtype: seconds[dtype])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        half_precision(freeze(toy_encoder((1,))))
    assert len(caught) == said
    assert all("torch.bfloat16 takes 5.0 times as long as in float32" in str(one.message) for one in caught)


def test_the_ratio_is_that_of_two_products(monkeypatch):
    times_as_long.cache_clear()
    seconds = {torch.float16: 3.0, torch.float32: 2.0}
    monkeypatch.setattr("crossmodal.injection.execution.half_precision.time_of_product", seconds.get)
    assert times_as_long(torch.float16) == 1.5
    times_as_long.cache_clear()
