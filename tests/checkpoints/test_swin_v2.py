"""Swin-V2 of others: the same outputs under every naming; every kind of damage said by name."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from released_layouts import microsoft, randomised, released, timm_before_0_9

from crossmodal.checkpoints import import_swin_v2
from crossmodal.encoders import swin_v2, swin_v2_large
from crossmodal.injection import fingerprint, freeze

SIZES = {"embed_dim": 16, "depths": (2, 2, 3), "num_heads": (2, 4, 4), "window_size": 4}
NAMINGS = {
    "as timm names it since 0.9": lambda state: state,
    "as timm named it before 0.9": timm_before_0_9,
    "as Microsoft names it": microsoft,
}


@pytest.fixture(scope="module")
def theirs():
    timm = pytest.importorskip("timm.models.swin_transformer_v2")
    torch.manual_seed(0)
    return randomised(timm.SwinTransformerV2(img_size=64, num_classes=7, **SIZES)).double()


def ours():
    return swin_v2(64, width=16, depths=(2, 2, 3), heads=(2, 4, 4), window=4).double().eval()


@pytest.mark.parametrize("naming", NAMINGS)
def test_after_import_the_outputs_are_those_of_timm(theirs, naming):
    encoder, frames = ours(), torch.randn(2, 3, 64, 64, dtype=torch.float64)
    report = import_swin_v2(encoder, NAMINGS[naming](theirs.state_dict()))
    with torch.no_grad():
        expected = theirs.forward_features(frames).flatten(1, 2)
        torch.testing.assert_close(encoder(frames), expected, atol=1e-10, rtol=0)
    assert report.differences == ()
    assert report.layout == f"Swin-V2 {naming}"
    assert set(report.mapped) == set(encoder.state_dict())


@pytest.mark.parametrize("naming", NAMINGS)
def test_every_tensor_of_the_file_is_in_the_report(theirs, naming):
    state = NAMINGS[naming](theirs.state_dict())
    report = import_swin_v2(ours(), state)
    assert set(report.mapped.values()) | set(report.dropped) == set(state)
    assert not set(report.mapped.values()) & set(report.dropped)
    ends = {name.split(".", 4)[-1] if name.startswith("layers") else "head" for name in report.dropped}
    assert (
        ends
        == {
            "as timm names it since 0.9": {"head"},
            "as timm named it before 0.9": {"head", "attn_mask"},
            "as Microsoft names it": {
                "head",
                "attn_mask",
                "attn.relative_coords_table",
                "attn.relative_position_index",
            },
        }[naming]
    )


def test_the_report_reads_as_a_table(theirs):
    assert str(import_swin_v2(ours(), timm_before_0_9(theirs.state_dict()))).splitlines() == [
        "the mapping: Swin-V2 as timm named it before 0.9",
        "  the window that its position networks were trained with first is not in the file: taken for [4]; "
        "published weights with `to` in their name need pretrained_windows=",
        "  mapped   131 tensors of the file to 145 of the model",
        "  dropped  2: the encoder's own classifier, which no recipe uses (head.weight, head.bias)",
        "  dropped  1: the mask of shifted windows, computed here (layers.*.blocks.*.attn_mask)",
        "  missing  0",
    ]


DAMAGE = {
    "missing": (
        lambda state: state.pop("layers.1.blocks.0.mlp.fc1.weight"),
        "sections.stages1_0_mlp.body.0.weight | missing | torch.float64 (128, 32)",
    ),
    "part of a fused one missing": (
        lambda state: state.pop("layers.1.blocks.0.attn.qkv.weight"),
        "sections.stages1_0_attention.body.key.weight | missing | torch.float64 (32, 32)",
    ),
    "left over": (
        lambda state: state.update({"layers.1.blocks.7.norm1.weight": torch.ones(32)}),
        "layers.1.blocks.7.norm1.weight | torch.float32 (32,) | missing",
    ),
    "unheard of": (
        lambda state: state.update({"layers.1.blocks.0.attn.extra": torch.ones(1)}),
        "layers.1.blocks.0.attn.extra | torch.float32 (1,) | missing",
    ),
    "of another shape": (
        lambda state: state.update({"norm.weight": torch.ones(48)}),
        "head.weight ← norm.weight | torch.float32 (48,) | torch.float64 (64,)",
    ),
    "without a shape": (
        lambda state: state.update({"layers.0.blocks.0.attn.qkv.weight": torch.tensor(1.0)}),
        "sections.stages0_0_attention.body.query.weight ← layers.0.blocks.0.attn.qkv.weight | torch.float32 () | "
        "torch.float64 (16, 16)",
    ),
    "whole numbers": (
        lambda state: state.update({"norm.weight": torch.ones(64, dtype=torch.int32)}),
        "head.weight ← norm.weight | torch.int32 (64,) | torch.float64 (64,)",
    ),
    "not a number": (
        lambda state: state.update({"norm.bias": torch.full((64,), torch.nan)}),
        "head.bias ← norm.bias | NaN or infinite | torch.float64 (64,)",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_and_nothing_is_loaded(theirs, damage):
    do, said = DAMAGE[damage]
    encoder, state = ours(), dict(theirs.state_dict())
    do(state)
    before = fingerprint(encoder)
    with pytest.raises(ValueError, match="does not fit this Encoder, nothing was loaded") as caught:
        import_swin_v2(encoder, state)
    assert said in [re.sub("  +", " | ", line.strip()) for line in str(caught.value).splitlines()]
    assert fingerprint(encoder) == before


@given(st.integers(0, 6))
def test_what_the_dtype_of_the_model_cannot_hold_is_named_and_nothing_is_loaded(theirs, digits):
    encoder, state = ours().half(), dict(theirs.state_dict())
    state["norm.bias"] = torch.full((64,), 10.0**digits)
    before = fingerprint(encoder)
    if 10.0**digits <= torch.finfo(torch.float16).max:
        import_swin_v2(encoder, state)
        assert encoder.head.bias[0] == 10.0**digits
        return
    with pytest.raises(ValueError, match="does not fit this Encoder, nothing was loaded") as caught:
        import_swin_v2(encoder, state)
    assert f"torch.float32 (64,), up to {10.0**digits:.4g}: too large" in str(caught.value)
    assert fingerprint(encoder) == before


def test_a_load_that_is_interrupted_leaves_the_model_as_it_was(theirs, monkeypatch):
    encoder, state, copy, copied = ours(), theirs.state_dict(), torch.Tensor.copy_, []

    def interrupted(self, source):
        copied.append(source)
        if len(copied) == 20:
            raise KeyboardInterrupt
        return copy(self, source)

    before = fingerprint(encoder)
    monkeypatch.setattr(torch.Tensor, "copy_", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_swin_v2(encoder, state)
    assert fingerprint(encoder) == before
    assert len(copied) > 20  # those that put the values back


def test_long_tables_are_cut():
    with torch.device("meta"):
        encoder = swin_v2(64, width=16, depths=(2, 2, 3), heads=(2, 4, 4), window=4)
    with pytest.raises(ValueError, match=r"  … and \d+ more") as caught:
        import_swin_v2(encoder, {"norm.weight": torch.ones(64)})
    assert len(str(caught.value).splitlines()) < 30


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (
            ["sed_model.bn0.weight", "sed_model.logmel_extractor.melW"],
            r"\. It looks like HTS-AT as released: import_htsat",
        ),
        (
            ["vis_adapter_blocks_p1.0.fc.bias", "audio_adapter_blocks_p1.0.fc.bias"],
            "like a released DG-SCT model: import_dg",
        ),
        (
            ["coupled.couplers.stages0_0_mlp.audio_visual.align.mix.bias"],
            "It looks like an adapter file of ours: load_ad",
        ),
        (["conv1.weight"], r"\(its first: conv1.weight\)\.$"),
    ],
)
def test_a_file_of_another_kind_is_said_to_be_one(names, hint):
    with pytest.raises(ValueError, match=r"none of its . names is one of such a file") as caught:
        import_swin_v2(ours(), {name: torch.ones(1) for name in names})
    assert caught.match(hint)


def test_it_may_be_half_precision_and_frozen(theirs):
    encoder = freeze(swin_v2(64, width=16, depths=(2, 2, 3), heads=(2, 4, 4), window=4))
    import_swin_v2(encoder, {name: tensor.half() for name, tensor in theirs.state_dict().items()})
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}
    assert torch.equal(encoder.head.weight, theirs.norm.weight.half().float())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_on_the_meta_device_it_gets_tensors_of_its_own(theirs):
    with torch.device("meta"):
        encoder = swin_v2(64, width=16, depths=(2, 2, 3), heads=(2, 4, 4), window=4)
    import_swin_v2(encoder, theirs.state_dict())
    frames = torch.randn(1, 3, 64, 64)
    encoder.eval()(frames)
    storages = [parameter.untyped_storage().data_ptr() for parameter in encoder.parameters()]
    assert len(set(storages)) == len(storages)
    assert all(parameter.requires_grad and parameter.is_contiguous() for parameter in encoder.parameters())


@pytest.mark.parametrize("title", ["swin_v2_timm_0.6", "swin_v2_timm_1.0"])
def test_names_and_shapes_of_the_published_large_one_fit(title):
    with torch.device("meta"):
        encoder = swin_v2_large()
        report = import_swin_v2(encoder, released(title, device="meta"))
    assert len(set(report.mapped.values())) == 423
    assert len(report.dropped) == {"swin_v2_timm_0.6": 4, "swin_v2_timm_1.0": 2}[title]


@given(st.sampled_from([(2, 4), (4, 2), (4, 4), (8, 4), (8, 2), (8, 6)]), st.booleans(), st.integers(0, 9))
@settings(max_examples=8)
def test_weights_of_another_first_window_give_their_outputs(windows, table, seed):
    timm = pytest.importorskip("timm.models.swin_transformer_v2")
    window, first = windows
    torch.manual_seed(seed)
    sizes = {"embed_dim": 8, "depths": (1, 1), "num_heads": (1, 2), "window_size": window, "img_size": 32}
    sizes["pretrained_window_sizes"] = (first, 2)
    theirs = randomised(timm.SwinTransformerV2(num_classes=0, **sizes)).double()
    told = {} if table else {"pretrained_windows": (first, 2)}
    encoder = swin_v2(32, width=8, depths=(1, 1), heads=(1, 2), window=window, **told).double().eval()
    state = microsoft(theirs.state_dict(), **sizes) if table else theirs.state_dict()
    import_swin_v2(encoder, {name: tensor for name, tensor in state.items() if "mask" not in name})
    frames = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs.forward_features(frames).flatten(1, 2)
        torch.testing.assert_close(encoder(frames), expected, atol=1e-6, rtol=0)


def test_a_name_that_says_another_window_and_a_table_that_clashes_are_refused(theirs, tmp_path):
    from safetensors.torch import save_file

    file = tmp_path / "swinv2_tiny_window2to4_16to64.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in theirs.state_dict().items()}, file)
    before = fingerprint(encoder := ours())
    with pytest.raises(ValueError, match=r"build it with pretrained_windows=\(2, 2, 1, 0\)"):
        import_swin_v2(encoder, file)
    built = swin_v2(64, width=16, depths=(2, 2, 3), heads=(2, 4, 4), window=4, pretrained_windows=(2, 2, 2))
    with pytest.raises(ValueError, match=r"pretrained window 4\s+pretrained window 2"):
        import_swin_v2(built, microsoft(theirs.state_dict()))
    assert fingerprint(encoder) == before


def test_what_a_file_says_otherwise_is_noted(theirs):
    state = microsoft(theirs.state_dict())
    state["layers.0.blocks.1.attn_mask"] = torch.zeros(16, 16, 16)
    state["layers.0.blocks.0.attn.relative_position_index"] = torch.arange(256).reshape(16, 16)
    notes = import_swin_v2(ours(), state).notes
    assert any("mask of shifted windows is NOT" in note for note in notes)
    assert any("index of relative positions is NOT" in note for note in notes)


def test_one_first_window_a_stage():
    with pytest.raises(ValueError, match=r"pretrained_windows=\(4,\) must give one window for each of the 2 stages"):
        swin_v2(32, width=8, depths=(1, 1), heads=(1, 2), window=4, pretrained_windows=(4,))
