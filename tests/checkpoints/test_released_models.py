"""Whole released models: every tensor arrives where the schedule says, at full size by names and shapes."""

import re

import pytest
import torch
from released_layouts import exported, randomised, released, small_events, small_names, small_released
from systems import full_size

from crossmodal.checkpoints import import_dg_sct_ave, import_lavish
from crossmodal.checkpoints.released_models import dg_sct_ave_rule, lavish_rule
from crossmodal.encoders import swin_v2, swin_v2_large
from crossmodal.injection import fingerprint
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lavish import lavish_shared


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small_events()


@pytest.fixture(scope="module")
def state(model):
    return small_released(model)


def test_a_small_one_arrives_and_gives_the_same_events(model, state):
    torch.manual_seed(1)
    other, clips = small_events(), (torch.randn(1, 10, 3, 32, 32), torch.randn(1, 10, 16_000) / 10)
    report = import_dg_sct_ave(other, state)
    assert fingerprint(other) == fingerprint(model)
    assert set(report.mapped) == set(model.state_dict())
    assert set(report.mapped.values()) | set(report.dropped) == set(state)
    with torch.no_grad():
        assert all(
            torch.equal(ours, theirs) for ours, theirs in zip(other.score(*clips), model.score(*clips), strict=True)
        )


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("audio_adapter_blocks_p1.0.gate", "stages0_0_attention.visual_audio"),
        ("vis_adapter_blocks_p2.0.gate", "stages0_0_mlp.audio_visual"),
        ("vis_adapter_blocks_p1.1.gate", "stages1_2_attention.audio_visual"),
        ("audio_adapter_blocks_p2.1.gate", "stages1_2_mlp.visual_audio"),
    ],
)
def test_an_adapter_arrives_at_its_pair(state, name, place):
    other = small_events()
    import_dg_sct_ave(other, {**state, name: torch.tensor([7.0])})
    gates = {key: gate for key, gate in other.state_dict().items() if key.endswith("finish.gate.scale")}
    assert [key for key, gate in gates.items() if gate == 7] == [
        f"coupled.couplers.{place}.bottleneck.finish.gate.scale"
    ]


def test_with_the_prefix_of_data_parallel(model, state):
    other = small_events()
    report = import_dg_sct_ave(other, {"model": {f"module.{name}": tensor for name, tensor in state.items()}})
    assert fingerprint(other) == fingerprint(model)
    assert report.notes[:2] == ("tensors under 'model'", "the prefix 'module.' of DataParallel taken off")
    assert report.notes[2] == "its mel filters are NOT those of LogMel() (htsat.logmel_extractor.melW)"


def test_damage_is_named_and_nothing_is_loaded(model, state):
    other = small_events()
    before = fingerprint(other)
    broken = {**state, "CMBS.video_cas.bias": torch.ones(29), "CMBS.audio_cas.wait": torch.ones(1)}
    del broken["vis_adapter_blocks_p1.1.bn2.running_var"]
    with pytest.raises(ValueError, match="does not fit this AudioVisualEvents, nothing was loaded") as caught:
        import_dg_sct_ave(other, broken)
    assert [re.sub("  +", " | ", line.strip()) for line in str(caught.value).splitlines()[-3:]] == [
        "head.visual_activation.bias ← CMBS.video_cas.bias | torch.float32 (29,) | torch.float32 (28,)",
        "CMBS.audio_cas.wait | torch.float32 (1,) | missing",
        "coupled.couplers.stages1_2_attention.audio_visual.bottleneck.up_norm.running_var | missing | "
        "torch.float32 (32,)",
    ]
    assert fingerprint(other) == before


def test_another_recipe_is_told_by_its_couplers(state):
    with pytest.raises(
        ValueError, match=r"the file has 2 pairs of adapters.* the model has 8 couplers.*dg_sct_released"
    ):
        import_dg_sct_ave(small_events(dg_sct), state)


def test_a_model_without_a_lockstep_is_refused(state):
    with pytest.raises(TypeError, match=r"import_dg_sct_ave: model\.coupled is a Linear, expected a Lockstep"):
        import_dg_sct_ave(torch.nn.ModuleDict({"coupled": torch.nn.Linear(1, 1)}), state)


def test_the_whole_release_fits_by_names_and_shapes():
    """2646 tensors: 2487 have a place, 159 are dropped, each for one of eleven reasons; pairs meet as in spec A.1."""
    with torch.device("meta"):
        report = import_dg_sct_ave(full_size(coupling=dg_sct_released), released("dg_sct_ave", device="meta"))
    assert len(set(report.mapped.values())) == 2487
    assert len(report.dropped) == 2646 - 2487
    assert len(set(report.dropped.values())) == 11
    assert len(str(report).splitlines()) == 14
    stages = [0] * 2 + [1] * 2 + [2] * 6 + [3] * 2
    for pair, (stage, block) in enumerate(zip(stages, [0, 1, 0, 1, 2, 5, 8, 11, 14, 17, 0, 1], strict=True)):
        for part, half in ((1, "attention"), (2, "mlp")):
            for side, edge in (("audio", "visual_audio"), ("vis", "audio_visual")):
                place = f"coupled.couplers.stages{stage}_{block}_{half}.{edge}.align.mix.weight"
                assert report.mapped[place] == f"{side}_adapter_blocks_p{part}.{pair}.conv_adapter.weight"


@pytest.mark.slow
def test_the_whole_release_made_of_random_numbers_arrives_and_comes_back(tmp_path):
    """1.85 GB through a file of torch.save, every tensor compared bit for bit: about 5 GB and a minute of a core."""
    file = tmp_path / "best_82.18.pt"
    torch.save(released("dg_sct_ave"), file)
    model = full_size(coupling=dg_sct_released, weights=file)
    names = released("dg_sct_ave", device="meta")
    rule = dg_sct_ave_rule(names, model.coupled)
    kept = {name: like for name, like in names.items() if isinstance(rule(name, like), dict)}
    state, back = torch.load(file, mmap=True, weights_only=True), exported(model, rule, kept)
    assert len(back) == 2487
    assert [name for name, tensor in back.items() if not torch.equal(tensor, state[name])] == []


# LAVisH: its names are those of its public code; no manifest of a release was at hand.


def lavish():
    torch.manual_seed(0)
    return randomised(lavish_shared(swin_v2(32, width=16, depths=(1, 2), heads=(2, 4), window=4)))


def lavish_names(blocks):
    """The names of the released LAVisH, from those of DG-SCT, whose adapters grew out of it."""
    unlike = ("fc", "conv_adapter")
    found = {}
    for name, tensor in small_names().items():
        adapter = re.match(r"(audio|vis)_adapter_blocks_p[12]\.(\d+)\.(\w+)", name)
        if adapter and adapter[2] == "0" and not adapter[3].startswith(unlike):
            found |= {name.replace(".0.", f".{block}.", 1): tensor for block in range(blocks)}
        elif name.startswith("adapter_token_downsampler.") or (name.startswith("swin.") and "1.blocks.2" not in name):
            found[name] = tensor
    shapes = {"mlp_class.weight": (512, 3072), "mlp_class.bias": (512,), "mlp_class_2.weight": (29, 512)}
    return {**found, **{name: torch.empty(shape, device="meta") for name, shape in shapes.items()}}


def test_lavish_arrives_in_the_shared_form():
    model, names = lavish(), lavish_names(3)
    state = exported(model, lavish_rule(names, model), names)
    other = lavish_shared(swin_v2(32, width=16, depths=(1, 2), heads=(2, 4), window=4)).eval()
    report = import_lavish(other, state)
    assert fingerprint(other) == fingerprint(model)
    heads = [name for name, why in report.dropped.items() if why.startswith("the two linear layers that label seconds")]
    assert heads == ["mlp_class.weight", "mlp_class.bias", "mlp_class_2.weight"]
    place = "couplers.stages1_1_mlp.audio_visual.bottleneck.finish.gate.scale"
    assert report.mapped[place] == "vis_adapter_blocks_p2.2.gate"


def test_lavish_at_full_size_has_24_blocks():
    with torch.device("meta"):
        coupled = lavish_shared(swin_v2_large())
    state = {"audio_adapter_blocks_p1.22.gate": torch.zeros(1)}
    with pytest.raises(
        ValueError, match=r"import_lavish: the file has 23 pairs of adapters.* the model has 48 couplers"
    ):
        import_lavish(coupled, state)
