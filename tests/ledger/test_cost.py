"""The ledger against torch's own counters on real tensors, and against arithmetic by hand."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from toys import toy_encoder

from crossmodal.adapters import Bottleneck, guided_adapter
from crossmodal.attention import CosineWindowAttention, WindowAttention
from crossmodal.checkpoints import save_adapters
from crossmodal.injection import Lockstep, couplers_for, freeze, paired_as_paper
from crossmodal.ledger import cost
from crossmodal.ledger.fused import FORMULAS

small_adapter = partial(guided_adapter, latents=2, bottleneck=partial(Bottleneck, reduction=2, groups=1))


def lockstep(frozen=True):
    encoders = {"visual": toy_encoder(), "audio": toy_encoder(width=6)}
    encoders = {name: freeze(encoder) if frozen else encoder for name, encoder in encoders.items()}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    steps = paired_as_paper(sites)
    return Lockstep(encoders, steps=steps, couplers=couplers_for(steps, sites, small_adapter))


def inputs(frames=3):
    return {name: torch.randn(frames, 8, 3) for name in ("visual", "audio")}


def ends(outputs):
    found = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs.streams.values())
    return sum(end.sum() for end in found)


def run_for_real(model, *given):
    """Operations and bytes of one training step on real tensors, by torch's counter and by addresses in memory."""
    kept = {}
    ours = {tensor.untyped_storage().data_ptr() for tensor in [*model.parameters(), *model.buffers()]}
    ours |= {t.untyped_storage().data_ptr() for v in given for t in (v.values() if isinstance(v, dict) else [v])}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in ours:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False, custom_mapping=FORMULAS) as counter:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            end = ends(model(*given))
        end.backward()
    return counter.get_total_flops(), sum(kept.values())


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (lockstep, inputs),
        (partial(lockstep, frozen=False), inputs),
        (partial(WindowAttention, 8, 2, (4, 4), window=2, shift=1), partial(torch.randn, 3, 16, 8)),
        (lambda: freeze(CosineWindowAttention(8, 2, (4, 4), window=4)), lambda: torch.randn(3, 16, 8) + torch.ones(())),
        (partial(nn.TransformerEncoderLayer, 8, 2, 16, batch_first=True), partial(torch.randn, 3, 5, 8)),
        (partial(nn.Conv1d, 3, 4, 3), partial(torch.randn, 2, 3, 9)),
    ],
    ids=["lockstep", "lockstep, all trained", "window", "cosine window, frozen", "transformer layer", "convolution"],
)
def test_the_ledger_agrees_with_a_real_step(model, given):
    torch.manual_seed(0)
    model, given = model().train(), given()
    if not any(parameter.requires_grad for parameter in model.parameters()):
        model = nn.Sequential(nn.Linear(8, 8), model)
    counted = cost(model, given, loss=ends).total
    operations, saved = run_for_real(model, given)
    assert counted.step == pytest.approx(operations, rel=0.02)
    assert counted.saved == pytest.approx(saved, rel=0.02)


def test_two_layers_by_hand():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 7))
    found = cost(model, torch.zeros(4, 3))
    first, second = 2 * 4 * 3 * 5, 2 * 4 * 5 * 7
    assert (found["0"].forward, found["0"].backward) == (first, first)  # nothing asks for the input's gradient
    assert (found["2"].forward, found["2"].backward) == (second, 2 * second)
    assert (found["1"].forward, found["1"].backward, found["1"].saved) == (0, 0, 4 * 4 * 5)
    assert (found["0"].saved, found["2"].saved) == (0, 0)  # an input, and what the ReLU keeps already
    assert found["0"].parameters == found["0"].trained == 3 * 5 + 5
    assert found.total == found["0"] + found["1"] + found["2"]


def test_what_is_frozen_before_everything_trained_costs_no_backward():
    model = nn.Sequential(freeze(nn.Linear(3, 5)), nn.Linear(5, 7), freeze(nn.Linear(7, 2)))
    found = cost(model, torch.zeros(4, 3))
    assert (found["0"].trained, found["0"].backward) == (0, 0)
    assert (found["2"].trained, found["2"].backward) == (0, 2 * 4 * 7 * 2)  # on the way to what is trained


def test_a_module_that_runs_twice_pays_twice_and_has_its_parameters_once():
    layer = nn.Linear(4, 4)
    once, twice = (cost(nn.Sequential(*[layer] * times), torch.zeros(2, 4)).total for times in (1, 2))
    assert (twice.parameters, twice.forward) == (once.parameters, 2 * once.forward)


def test_parts_add_up_and_are_found_by_their_path():
    found = cost(lockstep(), inputs())
    parts = [found[part] for part in ("encoders", "couplers")]
    assert parts[0] + parts[1] + found.shares[""] == found.total
    assert found["couplers.stages0_0_mlp"].step > found["couplers.stages0_0_mlp.audio_visual"].step > 0
    assert found["encoders"].trained == 0
    with pytest.raises(KeyError, match=r"module 'coupler' does not exist; nearest: 'couplers'"):
        found["coupler"]


def test_the_floor_is_both_encoders_forwards_and_to_their_activations():
    model = lockstep()
    found = cost(model, inputs(frames=3))
    sections = sum(
        3 * 2 * 8 * w * w * 2 + 3 * 2 * 4 * (2 * w) ** 2 * 3 for w in (4, 6)
    )  # two before, merge, two behind
    stems = sum(3 * 2 * 8 * 3 * w for w in (4, 6))
    assert (found.floor.forward, found.floor.backward) == (stems + sections, sections)
    assert (found.floor.parameters, found.floor.trained) == (found["encoders"].parameters, 0)
    assert found.over_floor == found.total.step / found.floor.step > 1
    assert cost(model.encoders["visual"], inputs()["visual"]).floor is None


def test_a_model_without_weights_costs_the_same_and_neither_is_touched():
    torch.manual_seed(0)
    model = lockstep().eval()
    with torch.device("meta"):
        empty = lockstep()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert cost(model, inputs()) == cost(empty, inputs())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_backward_starts_from_the_loss_where_one_is_given():
    found = cost(lockstep(), inputs(), loss=lambda coupled: coupled.streams["visual"].sum())
    last = "couplers.stages1_0_mlp"
    assert found[f"{last}.audio_visual"].backward > found[f"{last}.visual_audio"].backward == 0


def test_frozen_encoders_alone_have_nothing_to_go_back_for():
    found = cost(freeze(toy_encoder()), torch.zeros(2, 8, 3)).total
    assert (found.backward, found.saved, found.trained) == (0, 0, 0)


def test_the_adapter_file_is_as_large_as_said(tmp_path):
    model = lockstep()
    save_adapters(model, tmp_path / "adapters.safetensors")
    header = int.from_bytes((tmp_path / "adapters.safetensors").read_bytes()[:8], "little")
    assert cost(model, inputs()).adapter_file + 8 + header == (tmp_path / "adapters.safetensors").stat().st_size


def test_a_model_that_looks_at_values_is_named():
    class Picky(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"cost: Picky cannot run on tensors without data: .*meta"):
        cost(Picky(2, 2), torch.ones(1, 2))


@pytest.mark.parametrize("varied", ["frames", "tokens"])
def test_an_adapter_grows_linearly(varied):
    """No product of tokens by tokens: equal steps in size are equal steps in operations and in bytes."""
    from crossmodal.alignment import learned_alignment
    from crossmodal.site import Site, grid_axes

    found = []
    for size in (4, 8, 12):
        frames, tokens = (size, 6) if varied == "frames" else (2, size)
        stream, guide = Site("stream", 8, grid_axes(tokens, 1)), Site("guide", 6, grid_axes(5, 1))
        adapter = guided_adapter(stream, guide, align=learned_alignment, bottleneck=partial(Bottleneck, reduction=2))
        found.append(cost(adapter, torch.zeros(frames, tokens, 8), torch.zeros(frames, 5, 6)).total)
    small, middle, large = found
    assert middle.step - small.step == large.step - middle.step > 0
    assert middle.saved - small.saved == large.saved - middle.saved > 0
