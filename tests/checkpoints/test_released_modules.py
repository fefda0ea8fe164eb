"""The names of released modules and ours: one for one, and nothing passes unknown."""

import pytest
import torch
from golden_numbers import golden, hashed_state

from crossmodal.adapters import Bottleneck, Gate, GuidedAdapter, NormThenGate, guided_adapter, modulation_of
from crossmodal.alignment import learned_alignment
from crossmodal.checkpoints import from_released_adapter, from_released_events, from_released_temporal
from crossmodal.checkpoints.released_modules import ADAPTER, ADAPTER_UNUSED
from crossmodal.guidance import ChannelGuidance, SegmentGuidance, SpatialGuidance
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.site import Site, grid_axes

STREAM, GUIDE = Site("stream", 24, grid_axes(4, 4)), Site("guide", 32, grid_axes(3, 3))


def ours(*, norms=True, temporal=False):
    """An adapter with every part that a released one can have, or without norms, or with a segment's gate."""
    guidance = {"channel": (ChannelGuidance, 0.3), "spatial": (SpatialGuidance, 0.05)}
    guidance |= {"temporal": (SegmentGuidance, 0.1)} if temporal else {}
    plain = {} if norms else {"before": torch.nn.Identity, "norm": torch.nn.Identity}
    return guided_adapter(
        STREAM,
        GUIDE,
        align=learned_alignment,
        latents=8,
        modulation=lambda site: modulation_of(site.width, guidance),
        bottleneck=lambda width: Bottleneck(width, reduction=4, finish=NormThenGate if norms else Gate, **plain),
        order=GuidedAdapter,
    )


ADAPTERS = {
    "ave_adapter": ours(),
    "ave_adapter_nobn_noln": ours(norms=False),
    "fewshot_adapter": ours(temporal=True),
}
HEADS = {
    "ave_temporal_attention": (from_released_temporal, TemporalAttention(1536, 768)),
    "ave_cmbs": (from_released_events, EventHead()),
}


def unused(name):
    """What the released heads hold besides: parts never called, and copies that containers keep of their layers."""
    parts = ("AVInter.", "VAInter.", "video_norm.", "audio_norm.", "encoder_layer.", "decoder_layer.")
    return any(part in name for part in parts) or "decoder.decoder.layers.0.self_attn." in name


@pytest.mark.parametrize("case", ADAPTERS)
def test_an_adapter_is_filled_one_for_one(case):
    released, state = golden(case, "state"), ADAPTERS[case].state_dict()
    used = {name: tensor for name, tensor in released.items() if name.partition(".")[0] not in ADAPTER_UNUSED}
    renamed = from_released_adapter(released)
    assert len(renamed) == len(used)
    assert {name: tensor.shape for name, tensor in renamed.items()} == {n: t.shape for n, t in state.items()}


@pytest.mark.parametrize("case", ADAPTERS)
def test_an_adapter_is_filled_with_the_very_numbers(case):
    """Each released tensor arrives once, whichever name it has: all 1×1 kernels flattened, nothing transposed."""
    used = {n: t for n, t in golden(case, "state").items() if n.partition(".")[0] not in ADAPTER_UNUSED}
    for at, (name, tensor) in enumerate(used.items()):
        marked = {other: torch.full_like(value, -1) for other, value in used.items()}
        marked[name] = torch.full_like(tensor, at)
        arrived = [ours for ours, value in from_released_adapter(marked).items() if (value == at).all()]
        assert len(arrived) == 1, name


def test_no_two_released_names_mean_one_of_ours():
    assert len(set(ADAPTER.values())) == len(ADAPTER)
    assert not set(ADAPTER) & set(ADAPTER_UNUSED)


@pytest.mark.parametrize("case", HEADS)
def test_a_head_is_filled_one_for_one(case):
    rename, module = HEADS[case]
    released, state = hashed_state(case), module.state_dict()
    used = [name for name in released if not unused(name)]
    renamed = rename(released)
    assert len(renamed) == len(used)
    assert {name: tensor.shape for name, tensor in renamed.items()} == {n: t.shape for n, t in state.items()}


@pytest.mark.parametrize(
    ("rename", "name"),
    [
        (from_released_adapter, "fc_affine_audio_3.weight"),
        (from_released_adapter, "audio_adapter_blocks_p1.0.fc.weight"),
        (from_released_adapter, "align.mix.weight"),
        (from_released_temporal, "v_fc.0.weight"),
        (from_released_temporal, "temporal_attn.v_fc.weight"),
        (from_released_temporal, "video_encoder.encoder.layers.2.linear1.weight"),
        (from_released_events, "localize_module.weight"),
        (from_released_events, "CMBS.video_cas.weight"),
    ],
)
def test_an_unknown_name_is_an_error_that_says_it(rename, name):
    with pytest.raises(KeyError, match=f"{rename.__name__}: '{name}' is no parameter of (a|the) released"):
        rename({name: torch.zeros(1)})


@pytest.mark.parametrize("rename", [from_released_adapter, from_released_temporal, from_released_events])
def test_one_unknown_name_among_known_ones_is_an_error(rename):
    known = {
        from_released_adapter: lambda: golden("ave_adapter", "state"),
        from_released_temporal: lambda: hashed_state("ave_temporal_attention"),
        from_released_events: lambda: hashed_state("ave_cmbs"),
    }[rename]()
    with pytest.raises(KeyError, match="surprise"):
        rename({**known, "surprise": torch.zeros(1)})
