"""Guidance into unmodified models: added exactly where it was promised, and only there."""

import copy
from functools import partial

import pytest
import torch
from third_party import PICTURE, SOUND, Recursive, Whisper, convnext, inject, silent, swin, timm_swin
from torch import nn

from crossmodal.adapters import Adapted, Bottleneck, guided_adapter
from crossmodal.injection import Injected, fingerprint, freeze, sites
from crossmodal.site import Site, vector_axes


class Wrapped(nn.Module):
    """The oracle: a module rewritten by hand to add what the adapter says of its input."""

    def __init__(self, inner, adapter, guide):
        super().__init__()
        self.inner, self.adapter, self.guide = inner, adapter, guide

    def forward(self, x, *args, **kwargs):
        out = self.inner(x, *args, **kwargs)
        if x.ndim == 4 and x.shape[1] == self.adapter.stream.in_features:
            stream = x.flatten(2).transpose(1, 2)
            residual = self.adapter(stream, self.guide).residual.transpose(1, 2).unflatten(2, x.shape[2:])
        else:
            stream = x.reshape(len(x), -1, x.shape[-1])
            residual = self.adapter(stream, self.guide).residual.view(x.shape)
        return (out[0] + residual, *out[1:]) if isinstance(out, tuple) else out + residual


def test_the_residual_is_added_as_if_the_module_had_been_rewritten(case):
    model, picture, _, name = case
    guided = inject(model, picture, {name: Whisper})
    rewritten = copy.deepcopy(model)
    parent, _, child = name.rpartition(".")
    adapter = copy.deepcopy(guided.adapters[name.replace(".", "_")])
    setattr(rewritten.get_submodule(parent), child, Wrapped(rewritten.get_submodule(name), adapter, SOUND))
    out, expected = guided(picture, guide=SOUND), rewritten(picture)
    torch.testing.assert_close(out, expected)
    assert (out - model(picture)).abs().max() > 1e-4
    expected.sin().sum().backward()
    out.sin().sum().backward()
    for ours, theirs in zip(guided.adapters.parameters(), adapter.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_no_guide_equals_the_original_bit_for_bit(case):
    model, picture, pattern, _ = case
    for mode in (False, True):
        twin = copy.deepcopy(model).train(mode)
        guided = inject(copy.deepcopy(model), picture, {pattern: Whisper}).train(mode)
        for gradients in (False, True):
            with torch.set_grad_enabled(gradients):
                torch.manual_seed(3)
                expected = twin(picture)
                torch.manual_seed(3)
                assert torch.equal(guided(picture), expected)


def test_law_1_a_gate_at_zero_equals_the_original_bit_for_bit(case):
    model, picture, pattern, _ = case
    assert torch.equal(inject(model, picture, {pattern: silent})(picture, guide=SOUND), model(picture))


def test_the_guided_adapter_of_this_library_fits():
    factory = partial(guided_adapter, bottleneck=partial(Bottleneck, reduction=2))
    guided = inject(freeze(swin()), PICTURE, {"features.*.*.mlp": factory})
    with guided.recording() as maps:
        assert torch.equal(guided(PICTURE, guide=SOUND), guided(PICTURE))
    assert maps.keys() == {f"features.{stage}.{block}.mlp" for stage in (1, 3) for block in (0, 1)}
    assert maps["features.3.0.mlp"]["spatial"].shape == (2, 32, 1)


def test_law_7_only_adapters_learn_when_the_model_is_frozen(case):
    model, picture, pattern, _ = case
    guided = inject(freeze(model), picture, {pattern: Whisper}).train()
    before = fingerprint(guided.model)
    optimizer = torch.optim.SGD(guided.parameters(), lr=0.1)
    guided(picture, guide=SOUND).square().sum().backward()
    assert all(parameter.grad is None for parameter in guided.model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in guided.adapters.parameters())
    optimizer.step()
    assert fingerprint(guided.model) == before


def test_reads_names_the_module_whose_input_is_read():
    model, block = timm_swin().eval(), "layers.1.blocks.1"
    flowed = {}
    handles = [
        model.get_submodule(f"{block}.mlp").register_forward_pre_hook(lambda _, args: flowed.update(read=args[0])),
        model.get_submodule(block).register_forward_hook(lambda _, args, out: flowed.update(written=out)),
    ]
    model(PICTURE)
    for handle in handles:
        handle.remove()
    guided = inject(
        model, PICTURE, {"layers.1.blocks.?": Whisper}, reads={"layers.1.blocks.?": "layers.1.blocks.?.mlp"}
    )
    with torch.no_grad():
        guided.adapters["layers_1_blocks_0"].gate.zero_()
    residual = guided.adapters["layers_1_blocks_1"](flowed["read"], SOUND).residual  # tokens in a row: before the norm
    expected = model.forward_head(model.norm(flowed["written"] + residual.view(flowed["written"].shape)))  # a grid
    torch.testing.assert_close(guided(PICTURE, guide=SOUND), expected)


def test_what_is_read_is_what_flowed_in_even_where_the_module_overwrites_it():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
    x = torch.randn(2, 5, 4)
    guided = inject(model, x, {"1": Whisper})
    before = model[0](x)
    expected = before.relu() + guided.adapters["1"](before, SOUND).residual
    torch.testing.assert_close(guided(x, guide=SOUND), expected)


def test_a_module_inside_itself_keeps_its_residuals_apart():
    x = torch.randn(2, 5, 4)
    model = Recursive()
    guided = inject(model, x, {"block": Whisper})
    adapter = guided.adapters["block"]
    one = model.block.linear(x)
    two = model.block.linear(one) + adapter(one, SOUND).residual
    torch.testing.assert_close(guided(x, guide=SOUND), two.tanh() + adapter(x, SOUND).residual)


def test_nested_forwards_keep_their_guides_apart():
    x = torch.randn(2, 5, 4)
    guided = inject(Recursive(), x, {"block": Whisper})
    expected, plain, other = guided(x, guide=SOUND), guided(x), guided(x, guide=SOUND + 1)
    inner = []

    def between(x):
        inner.extend([guided(x), guided(x, guide=SOUND + 1)])

    torch.testing.assert_close(guided(x, between, guide=SOUND), expected)
    torch.testing.assert_close(inner, [plain, other])
    torch.testing.assert_close(guided(x, between), plain)


def test_an_exception_leaves_nothing_behind():
    x = torch.randn(2, 5, 4)
    guided = inject(Recursive(), x, {"block": Whisper})
    expected = guided(x, guide=SOUND)

    def fail(x):
        raise KeyError("inside")

    for guide in (SOUND, None):
        with pytest.raises(KeyError, match="inside"), guided.recording():
            guided(x, fail, guide=guide)
    assert torch.equal(guided.model(x), guided(x))
    assert torch.equal(guided(x, guide=SOUND), expected)


def test_two_injected_share_a_model():
    x, model = torch.randn(2, 5, 4), Recursive()
    plain = model(x)
    one, two = inject(model, x, {"block": Whisper}), inject(model, x, {"block.linear": Whisper})
    first, second = one(x, guide=SOUND), two(x, guide=SOUND)
    assert not torch.equal(first, second)
    assert torch.equal(model(x), plain)
    two.detach()
    assert torch.equal(one(x, guide=SOUND), first)
    assert torch.equal(
        inject(copy.deepcopy(model), x, {"block": lambda *_: one.adapters["block"]})(x, guide=SOUND), first
    )


def test_law_5_frames_do_not_leak():
    guided = inject(swin().eval(), PICTURE, {"features.*.*.mlp": Whisper})
    moved = torch.stack([SOUND[0], SOUND[1] + 1])
    one, other = guided(PICTURE, guide=SOUND), guided(PICTURE, guide=moved)
    assert torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


class Wrong(nn.Module):
    """An adapter that returns whatever it was built to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, stream, guide):
        return self.answer(stream)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda stream: stream, TypeError, "the adapter of 'features.1.0' returned Tensor; an adapter returns Adapted"),
        (
            lambda stream: Adapted(stream[:, :1], {}),
            ValueError,
            r"residual of shape \(2, 1, 8\) for a stream of shape \(2, 128, 8\)",
        ),
    ],
)
def test_an_adapter_that_breaks_its_contract_is_named(answer, error, message):
    guided = inject(convnext(), PICTURE, {"features.1.0": lambda stream, guide: Wrong(answer)})
    with pytest.raises(error, match=message):
        guided(PICTURE, guide=SOUND)


@pytest.mark.parametrize("moment", ["before", "after", "between", "first of all"])
def test_a_hook_of_the_user_sees_what_the_next_module_reads(moment):
    """Whenever it was registered, and whatever ran before: Grad-CAM and hidden states of other libraries are hooks."""
    torch.manual_seed(0)
    model, seen, read = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), [], []

    def register(prepend=False):
        model[0].register_forward_hook(lambda module, given, output: seen.append(output.detach()), prepend=prepend)

    if moment == "before":
        register()
    stream, guide = torch.randn(2, 3, 4), torch.randn(2, 1, 5)
    adapter = partial(guided_adapter, bottleneck=partial(Bottleneck, reduction=2), latents=2)
    found = Site("guide", 5, vector_axes())
    injected = Injected(model, {"0": adapter}, guide=found, sites=sites(model, stream)).eval()
    for parameter in injected.adapters.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    model[1].register_forward_pre_hook(lambda module, given: read.append(given[0].detach()))
    if moment in ("after", "first of all"):
        register(prepend=moment == "first of all")
    seen.clear()
    with torch.no_grad():
        injected(stream, guide=guide)
        injected(stream)
        if moment == "between":
            register()
        injected(stream, guide=guide)
        injected(stream)
        injected(stream, guide=guide)
    if moment == "first of all":  # the user asked to be in front of everyone, and stays there
        assert all(torch.equal(each, seen[0]) for each in seen)
        return
    assert not torch.equal(read[0], read[1])
    assert all(torch.equal(*pair) for pair in zip(seen, read[-len(seen) :], strict=True))
