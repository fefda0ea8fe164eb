"""Unmodified models cut into encoders: equal to the original, or refused in words."""

import copy
import pickle
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from third_party import CUTS, PICTURE, SOUND, Whisper, clap_audio, clip_vision, inject, timm_vit, vit
from torch import nn
from torch.utils.checkpoint import checkpoint

from crossmodal.injection import Encoder, fingerprint, freeze, sections_of
from crossmodal.site import folded_axes
from crossmodal.testing import check_encoder


@pytest.fixture(scope="module", params=CUTS)
def cut(request):
    build, given, patterns, expected = CUTS[request.param]
    torch.manual_seed(2)
    model = build().eval()
    return model, given, sections_of(model, patterns, given), expected


def first(output):
    return output if isinstance(output, torch.Tensor) else output[0]


def gradients(call, given, weights):
    given = given.clone().requires_grad_()
    output = first(call(given))
    blend = (output * torch.arange(1.0, output.numel() + 1).cos().view(output.shape)).sum()
    return output, torch.autograd.grad(blend, [given, *weights], allow_unused=True)


def test_law_9_the_encoder_is_the_model_bit_for_bit(cut):
    model, given, encoder, _ = cut
    for frames in (given, torch.randn(5, *given.shape[1:])):
        assert torch.equal(encoder(frames), first(model(frames)))
    weights = list(encoder.parameters())
    for ours, theirs in zip(*(gradients(call, given, weights)[1] for call in (encoder, model)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_sites_say_where_every_token_lies(cut):
    _, given, encoder, expected = cut
    for name, (rows, columns, prefix, stage, block, part) in expected.items():
        site = encoder.site(name)
        assert site.extent == {"row": rows, "column": columns}
        assert (site.prefix, site.stage, site.block, site.part) == (prefix, stage, block, part)
    stream = encoder.stem(given)
    for site in encoder.sites:
        stream = stream if site.name == "stem" else encoder.section(site.name)(stream)
        assert stream.shape == (len(given), site.tokens, site.width)


def test_what_changes_in_one_patch_moves_the_token_of_its_site():
    for name in ("vit", "timm registers", "swin", "convnext", "clip"):
        build, given, patterns, _ = CUTS[name]
        encoder = sections_of(build().eval(), patterns, given)
        site = encoder.sites[0]
        patch = given.shape[-1] // site.extent["column"]
        moved = given.clone()
        moved[..., patch : 2 * patch, 2 * patch : 3 * patch] += 1
        change = (encoder.stem(moved) - encoder.stem(given)).abs().amax((0, 2))
        token = int(change.argmax()) - site.prefix
        assert (site.axes["row"][token], site.axes["column"][token]) == (1, 2)


def test_the_rows_of_a_spectrogram_are_its_bands():
    build, given, patterns, _ = CUTS["ast"]
    encoder = sections_of(build().eval(), patterns, given, axes=partial(folded_axes, chunks=1))
    moved = given.clone()
    moved[:, 8:12, 4:8] += 1  # (frame, time, band), patches of 4
    change = (encoder.stem(moved) - encoder.stem(given)).abs().amax((0, 2))
    site, token = encoder.sites[0], int(change.argmax()) - encoder.sites[0].prefix
    assert (site.axes["frequency"][token], site.axes["time"][token]) == (1, 2)


def test_a_spectrogram_with_as_many_times_as_tokens_is_not_taken_for_their_grid():
    """Batch norm reads CLAP's log-mel as a column of 64 times; the 64 tokens lie on 8 × 8."""
    encoder = sections_of(clap_audio().eval(), "**.blocks.?", torch.rand(2, 1, 64, 16))
    assert [site.extent for site in encoder.sites[2:4]] == [{"row": 8, "column": 8}, {"row": 4, "column": 4}]


def test_parameters_live_once_and_are_those_of_the_model(cut):
    model, given, encoder, _ = cut
    kept = encoder.state_dict(keep_vars=True)
    assert len({id(tensor) for tensor in kept.values()}) == len(kept)
    used = {id(parameter) for parameter in model.parameters()}
    assert {id(parameter) for parameter in encoder.parameters()} <= used
    twin = copy.deepcopy(encoder)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert fingerprint(twin) != fingerprint(encoder)
    twin.load_state_dict(encoder.state_dict())
    for other in (twin, pickle.loads(pickle.dumps(freeze(twin)))):
        assert fingerprint(other) == fingerprint(encoder)
        torch.testing.assert_close(other(given), encoder(given))  # frozen, torch takes its own fast path


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CUTS if name not in ("timm registers", "ast")])
def test_law_10_compiled_and_checkpointed_equal_plain(name):
    build, given, patterns, _ = CUTS[name]
    torch.manual_seed(2)
    encoder = sections_of(build().eval(), patterns, given)
    torch.compiler.reset()
    calls = (
        torch.compile(encoder, fullgraph=True, backend="aot_eager"),
        partial(checkpoint, encoder, use_reentrant=False),
        encoder,
    )
    compiled, checkpointed, plain = (gradients(call, given, list(encoder.parameters())) for call in calls)
    torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-4)  # float32: CLAP's gradients reach 35
    torch.testing.assert_close(checkpointed, plain)


@pytest.mark.parametrize("name", [name for name in CUTS if name.startswith("transformers")] + ["clip", "clap", "ast"])
def test_injected_into_transformers_equals_the_original_without_a_guide(name):
    build, given, patterns, _ = CUTS[name]
    model = build().eval()
    guided = inject(model, given, {patterns: Whisper})
    assert torch.equal(guided(given)[0], model(given)[0])
    outputs = [first(call(given, guide=SOUND)) for call in (guided, partial(checkpoint, guided, use_reentrant=False))]
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], model(given)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CUTS if name not in ("timm registers", "ast")])
def test_law_10_injected_compiled_equals_plain(name):
    build, given, patterns, _ = CUTS[name]
    points = [patterns] if isinstance(patterns, str) else patterns
    guided = inject(freeze(build()), given, dict.fromkeys(points, Whisper))
    torch.compiler.reset()
    compiled = torch.compile(guided, fullgraph=True, backend="aot_eager")
    weights = list(guided.adapters.parameters())
    results = [gradients(partial(call, guide=SOUND), given, weights) for call in (compiled, guided)]
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(first(compiled(given)), first(guided(given)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm vit", "swin", "clap"])
def test_all_laws_of_encoders_hold(name):
    build, given, patterns, _ = CUTS[name]
    torch.manual_seed(2)
    model = build().eval()
    check_encoder(sections_of(model, patterns, given), given, original=None if name == "clap" else model)


def test_another_output_of_the_model_can_be_named():
    model = clip_vision().eval()
    pictures = PICTURE[..., :32]
    encoder = sections_of(model, "encoder.layers.*", pixel_values=pictures, output=lambda out: out.pooler_output)
    assert torch.equal(encoder(pictures), model(pictures).pooler_output)


def test_it_is_cut_as_in_evaluation_mode_and_leaves_the_model_as_it_was():
    model = vit().train()
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    encoder = sections_of(model, "encoder.layers.*", PICTURE[..., :32])
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert all(module.training for module in model.modules())
    assert all(not any(v for k, v in vars(module).items() if "hooks" in k) for module in model.modules())
    assert torch.equal(encoder.eval()(PICTURE[..., :32]), model.eval()(PICTURE[..., :32]))


def test_another_size_is_refused_and_cut_again():
    build = partial(timm_vit, dynamic_img_size=True)
    model = build().eval()
    encoder = sections_of(model, "blocks.*", PICTURE)
    larger = torch.randn(3, 3, 48, 64)
    with pytest.raises(
        ValueError, match=r"given has shape \(3, 3, 48, 64\).*cut for \(frame, 3, 32, 64\).*cut the model again"
    ):
        encoder(larger)
    again = sections_of(model, "blocks.*", larger)
    assert torch.equal(again(larger), model(larger))
    assert again.sites[0].extent == {"row": 6, "column": 8}


def tokens():
    return torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))


def test_shared_modules_have_one_home():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
            self.norm = nn.LayerNorm(4)

        def forward(self, x):
            for block in self.blocks:
                x = block(self.norm(x))
            return self.norm(x)

    model = Shared()
    encoder = sections_of(model, "blocks.*", tokens())
    assert len(list(encoder.parameters())) == len(encoder.state_dict()) == 6
    twin = copy.deepcopy(encoder)
    assert torch.equal(twin(tokens()), model(tokens()))
    with torch.no_grad():
        twin.stem.norm.weight.fill_(3.0)  # the one home
    model.norm.weight.data.fill_(3.0)
    assert torch.equal(twin(tokens()), model(tokens()))


def test_it_prints_what_its_parts_run():
    encoder = sections_of(timm_vit(), "blocks.*", PICTURE)
    assert isinstance(encoder, Encoder)
    assert "runs=['patch_embed', 'expand', 'cat', 'add', " in repr(encoder.stem)
    assert "writes=TensorLayout('stem', width=16, tokens=4×8" in repr(encoder.stem)


TOKENS = st.sampled_from(["none", "front", "behind"])


class Ordered(nn.Module):
    """Patches of a picture in an order of its own, with a class token in front or behind, and a merge of neighbours."""

    def __init__(self, side, order, *, token="none"):
        super().__init__()
        self.embed, self.token = nn.Conv2d(3, 8, 4, stride=4), token
        self.register_buffer("order", order)
        self.register_buffer("places", torch.randn(1, side * side, 8))
        self.register_buffer("cls", torch.randn(1, 1, 8))
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.GELU()) for _ in range(2))

    def forward(self, picture):
        stream = self.embed(picture).flatten(2).mT[:, self.order] + self.places
        extra = self.cls.expand(len(picture), -1, -1)
        if self.token != "none":
            stream = torch.cat([extra, stream] if self.token == "front" else [stream, extra], dim=1)
        for block in self.blocks:
            stream = block(stream)
        return stream


@given(st.sampled_from([4, 6, 8]), st.sampled_from(["rows", "columns", "units", "drawn"]), TOKENS, st.integers(0, 9))
@settings(max_examples=15)
def test_a_site_says_where_tokens_look_or_that_it_is_not_known(side, order, token, seed):
    torch.manual_seed(seed)
    cells = torch.arange(side * side).view(side, side)
    orders = {
        "rows": cells.flatten(),
        "columns": cells.T.flatten(),
        "units": cells.view(side // 2, 2, side // 2, 2).transpose(1, 2).flatten(),
        "drawn": torch.randperm(side * side),
    }
    model = Ordered(side, orders[order], token=token).eval()
    encoder = sections_of(model, "blocks.*", torch.rand(2, 3, 4 * side, 4 * side))
    known = order == "rows" and token != "behind"
    extents = {tuple(site.extent) for site in encoder.sites}
    assert extents == ({("row", "column")} if known else {("token",)})


def test_an_order_of_its_own_that_the_caller_says_is_taken():
    side, units = 4, torch.arange(16).view(2, 2, 2, 2).transpose(1, 2).flatten()
    model = Ordered(side, units).eval()

    def axes(rows, columns):
        return {"row": tuple((units // columns).tolist()), "column": tuple((units % columns).tolist())}

    encoder = sections_of(model, "blocks.*", torch.rand(2, 3, 16, 16), axes=axes)
    assert encoder.sites[-1].axes == axes(4, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "patterns", "known"),
    [
        ("hiera_tiny_224", "blocks.*", False),
        ("mvitv2_tiny", "stages.*.blocks.*", True),
        ("nest_tiny", "levels.*", True),
    ],
)
def test_token_orders_of_timm(name, patterns, known):
    timm = pytest.importorskip("timm")
    model = timm.create_model(name, num_classes=0, global_pool="").eval()
    found = sections_of(model, patterns, torch.rand(1, 3, 224, 224)).sites
    assert {tuple(site.axes) for site in found} == ({("row", "column")} if known else {("token",)})
