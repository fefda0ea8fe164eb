"""Blocks of segmentation equal the released ones, and TPAVI without its matrix equals TPAVI with it."""

from functools import partial

import golden_avs
import pytest
import torch
from golden_numbers import digest, scalar
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crossmodal.checkpoints.load_strict import load_strict
from crossmodal.checkpoints.parsing import first_of
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.rules import prefix_rules, rename_rule
from crossmodal.checkpoints.segmentation import (
    dilated_rule,
    level_gate_rule,
    segmentation_head_rule,
    tpavi_block_rule,
    unread_rule,
)
from crossmodal.heads.level_gates import LevelGates, Ungated
from crossmodal.heads.mask_decoder import FusionStage, MaskDecoder, doubled
from crossmodal.heads.mask_pyramid import DilatedLevel, pyramid_sides
from crossmodal.heads.masks import MaskHead, Segmented, mask_cross_entropy, matching_divergence
from crossmodal.heads.tpavi import TPAVI
from crossmodal.site import Site, grid_axes

UNIT = rename_rule(
    {
        f"resConfUnit{unit}.conv{conv}": f"{ours}.{name}"
        for unit, ours in ((1, "skip_unit"), (2, "unit"))
        for conv, name in ((1, "first"), (2, "second"))
    }
)


def direct(block, stream, audio):
    """The published form: every position of a clip with every other, by a matrix of N × N."""
    clips, segments = audio.shape[:2]
    heard = block.project_audio(audio)
    tokens = stream.shape[1]

    def whole(values):
        return values.unflatten(0, (clips, segments)).flatten(1, 2)

    key = block.key(heard).repeat_interleave(tokens, dim=1)
    affinity = whole(block.query(stream)) @ key.mT / (segments * tokens)
    read = (affinity @ whole(block.value(stream))).unflatten(1, (segments, tokens)).flatten(0, 1)
    return block.norm(block.write_norm(block.write(read)) + stream), heard


def trained(block):
    """Weights of which every one matters."""
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    return block


@settings(max_examples=15)
@given(clips=st.integers(1, 3), segments=st.integers(1, 4), tokens=st.integers(1, 6), seed=st.integers(0, 99))
def test_tpavi_equals_the_direct_form(clips, segments, tokens, seed):
    torch.manual_seed(seed)
    block = trained(TPAVI(6, 4)).double().eval()
    stream = torch.randn(clips * segments, tokens, 6, dtype=torch.float64, requires_grad=True)
    audio = torch.randn(clips, segments, 4, dtype=torch.float64, requires_grad=True)
    inputs = [stream, audio, *block.parameters()]
    ours, theirs = block(stream, audio), direct(block, stream, audio)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    for one, other in zip(*(torch.autograd.grad(scalar(*both), inputs) for both in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_frames_of_other_clips_are_named():
    with pytest.raises(ValueError, match="TPAVI: stream has 5 frames, but audio has 2 clips of 3 segments"):
        TPAVI(4, 2)(torch.zeros(5, 3, 4), torch.zeros(2, 3, 2))


def filled(block, case, rule, file="avs"):
    """A block with the weights of a golden case."""
    state = golden_avs.state(case, file)
    counts = [f"{name[:-12]}num_batches_tracked" for name in state if name.endswith("running_mean")]
    state = {**state, **{name: torch.tensor(0) for name in counts}}
    return load_strict(block, read_weights(state), rule, layout="released", importer="test")


@pytest.mark.parametrize("training", [False, True])
def test_golden_tpavi(training):
    block, case = TPAVI(8), golden_avs.numbers("tpavi", "in")
    report = filled(block, "tpavi", tpavi_block_rule)
    stream = case["x"].permute(0, 2, 3, 4, 1).flatten(0, 1).flatten(1, 2).requires_grad_()
    z, heard = block.train(training)(stream, case["audio"].requires_grad_())
    expected = golden_avs.numbers("tpavi", "out_train" if training else "out_eval")
    z = z.unflatten(0, (2, 5)).unflatten(2, (3, 4)).permute(0, 4, 1, 2, 3)
    torch.testing.assert_close(z, expected["z"], rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(heard, expected["audio_feature"], rtol=2e-5, atol=2e-5)
    if training:
        theirs = golden_avs.numbers("tpavi", "grad_param")
        gradients = torch.autograd.grad(scalar(z, heard), [*block.parameters()])
        for (name, _), gradient in zip(block.named_parameters(), gradients, strict=True):
            there = theirs[report.mapped[name]].flatten()
            # a bias before batch norm gets nothing but rounding
            torch.testing.assert_close(gradient.flatten(), there, rtol=1e-3, atol=1e-4)


def test_golden_fusions_and_readout():
    block = FusionStage(6)
    filled(block, "fusion", UNIT)
    case = golden_avs.numbers("fusion", "in")
    expected = golden_avs.numbers("fusion", "out_eval")
    torch.testing.assert_close(block(case["below"], case["skip"]), expected["output"], rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(case["skip"].relu(), expected["skip_after"])
    filled(block, "fusion_top", UNIT)
    top = doubled(block.unit(golden_avs.numbers("fusion_top", "in")["below"]))
    torch.testing.assert_close(top, golden_avs.numbers("fusion_top", "out_eval")["output"], rtol=2e-5, atol=2e-5)
    decoder = MaskDecoder(1, 256)
    readout = nn.ModuleDict({"entry": decoder.entry, "readout": decoder.readout})
    filled(readout, "output_conv", rename_rule({"0": "entry", "2": "readout.0", "4": "readout.2"}))
    x = golden_avs.given("output_conv", "x", (2, 256, 6, 5))
    wide = nn.functional.interpolate(decoder.entry(x), scale_factor=2, mode="bilinear", align_corners=False)
    theirs = golden_avs.numbers("output_conv", "out_eval")["logits"]
    torch.testing.assert_close(decoder.readout(wide), theirs, rtol=2e-5, atol=2e-5)


def test_golden_losses():
    """Cross-entropy of the first frame or of all, and the matching term, with their gradients."""
    logits = golden_avs.given("losses", "logits", (2, 5, 32, 32), 4.0).requires_grad_()
    maps = [
        golden_avs.given("losses", f"map{at}", (10, 12, side, side), 2.0) for at, side in enumerate((16, 8, 4, 2), 1)
    ]
    heard = [golden_avs.given("losses", f"audio_feature{at}", (2, 5, 12), 2.0) for at in (1, 2, 3, 4)]
    masks = golden_avs.numbers("losses", "in")["mask"].bool().view(2, 5, 32, 32)
    first = torch.tensor([True, False, False, False, False]).expand(2, 5)
    for tensor in (*maps, *heard):
        tensor.requires_grad_()
    s4 = mask_cross_entropy(logits, masks, first)
    every = mask_cross_entropy(logits, masks, torch.ones(2, 5, dtype=torch.bool))
    matching = matching_divergence(Segmented(logits, tuple(maps), tuple(heard)))
    expected = golden_avs.numbers("losses", "ms3")
    torch.testing.assert_close(s4, golden_avs.numbers("losses", "s4")["loss"])
    torch.testing.assert_close(every, golden_avs.numbers("losses", "ms3_bce_only")["loss"])
    torch.testing.assert_close(every + 0.5 * matching, expected["loss"])
    gradients = torch.autograd.grad(every + 0.5 * matching, [logits, *maps, *heard])
    digests, whole = golden_avs.numbers("losses", "ms3_grad_digest"), golden_avs.numbers("losses", "ms3_grad")
    names = ["logits", *(f"map{at}" for at in (1, 2, 3, 4)), *(f"audio_feature{at}" for at in (1, 2, 3, 4))]
    for name, gradient in zip(names, gradients, strict=True):
        theirs = digests[name] if name in digests else digest(whole[name])
        assert (digest(gradient) - theirs)[1:].abs().max() <= 1e-4 * theirs[1], name


class Holder(nn.Module):
    """Names the head as a system does."""

    def __init__(self, head):
        super().__init__()
        self.head = head


def released_head(gamma, *, times=1, size=96):
    """The head of DG-SCT at the sides of the golden cases, or at some times these."""
    sides = {width: times * side for width, side in SIDES.items()}
    sites = [Site(f"s{at}", width, grid_axes(side, side)) for at, (width, side) in enumerate(sides.items())]
    return MaskHead(sites, 768, size=size, gates=lambda *sizes: LevelGates(*sizes, gamma=gamma))


SIDES = {192: 16, 384: 8, 768: 4, 1536: 2}
RULE = first_of(prefix_rules({"temporal_attn.": (level_gate_rule, "head.gates.")}), segmentation_head_rule, unread_rule)


@pytest.mark.slow  # published widths in float64; what it is made of is tested above, and below at a small width
@pytest.mark.parametrize("case", ["s4_head", "ms3_head"])
def test_golden_heads(case):
    """Outputs in evaluation and training, loss and gradients of everything behind the encoders."""
    said = golden_avs.facts(case)
    system = Holder(released_head(said["gamma"])).double()
    report = filled(system, case, RULE)
    for part in system.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0
    streams = [
        golden_avs.given(case, f"map{at}", (10, side**2, width)).double().requires_grad_()
        for at, (width, side) in enumerate(SIDES.items(), 1)
    ]
    tokens = golden_avs.given(case, "audio_tokens", (10, 9, 768)).double()
    audio = (golden_avs.numbers(case, "in")["audio_scores"].double().softmax(-1) @ tokens).view(2, 5, 768)
    masks = torch.from_numpy(golden_avs.named_hash(f"{case}/in/mask", (2, 5, 96, 96))) > 1 - 2 * 0.35
    masks.flatten(0, 1)[said["black_frames"]] = False
    expected = golden_avs.numbers(case, "out_eval_digest")
    with torch.no_grad():  # before the training call, which moves the running statistics
        outputs = system.eval().head(streams, audio)
    same(outputs.logits, expected["logits"], 2e-5)
    for at, (map, heard) in enumerate(zip(*outputs[1:], strict=True), 1):
        same(map, expected[f"returned_map{at}"], 2e-5)
        same(heard, expected[f"audio_feature{at}"], 2e-5)
    outputs = system.train().head(streams, audio)
    same(outputs.logits, golden_avs.numbers(case, "out_train_digest")["logits"], 2e-5)
    supervised = torch.zeros(2, 5, dtype=torch.bool)
    supervised[:, : 1 if case == "s4_head" else 5] = True
    loss = mask_cross_entropy(outputs.logits, masks, supervised)
    if case == "ms3_head":
        loss = loss + 0.5 * matching_divergence(outputs)
    torch.testing.assert_close(loss, golden_avs.numbers(case, "out_train_float64")["loss"].double())
    theirs = dict(zip(said["grad_param_rows"], golden_avs.numbers(case, "grad_param")["digests"], strict=True))
    names = [name for name, _ in system.named_parameters()]
    gradients = torch.autograd.grad(loss, [*streams, *system.parameters()])
    for at, gradient in enumerate(gradients[:4], 1):
        same(gradient, golden_avs.numbers(case, "grad_in_digest")[f"map{at}"], 1e-6)
    largest = max(entry[1] for entry in theirs.values())
    assert {report.mapped[name] for name in names} == set(theirs)
    for name, gradient in zip(names, gradients[4:], strict=True):
        expected = theirs[report.mapped[name]]
        assert (digest(gradient) - expected)[1:].abs().max() <= 1e-6 * max(expected[1], largest / 1000), name


@pytest.mark.slow
def test_golden_head_of_published_size():
    """Sides 48, 24, 12, 6 become 56, 28, 14, 7 and logits of 224²."""
    case = "s4_head_full"
    system = Holder(released_head(0.05, times=3, size=224)).eval()
    filled(system, "s4_head", RULE)
    streams = [
        golden_avs.given(case, f"map{at}", (5, (3 * side) ** 2, width))
        for at, (width, side) in enumerate(SIDES.items(), 1)
    ]
    weights = golden_avs.given(case, "audio_scores", (5, 1, 64)).softmax(-1)
    audio = (weights @ golden_avs.given(case, "audio_tokens", (5, 64, 768))).view(1, 5, 768)
    with torch.no_grad():
        outputs = system.head(streams, audio)
    same(outputs.logits, golden_avs.numbers(case, "out_eval_digest")["logits"], 5e-5)


def same(found, expected, relative):
    """Compares by digest, relative to the norm."""
    assert (digest(found) - expected)[1:].abs().max() <= relative * expected[1]


@pytest.mark.parametrize("training", [False, True])
def test_golden_head_of_avsbench(training):
    """Dilated sums, TPAVI and decoder without gates; loss and gradients."""
    case, widths = "avsbench_head", {8: 24, 12: 12, 16: 6, 20: 3}
    sites = [Site(f"s{at}", width, grid_axes(side, side)) for at, (width, side) in enumerate(widths.items())]
    head = MaskHead(
        sites,
        128,
        size=96,
        channels=32,
        audio_channels=128,
        level=DilatedLevel,
        gates=Ungated,
        project_audio=lambda *_: nn.Identity(),
        decoder=partial(MaskDecoder, widths=(128, 32)),
    )
    system = Holder(head).double().train(training)
    report = filled(system, case, first_of(dilated_rule, segmentation_head_rule), "avsbench")
    streams = [
        golden_avs.given(case, f"map{at}", (10, width, side, side)).double().flatten(2).mT.requires_grad_()
        for at, (width, side) in enumerate(widths.items(), 1)
    ]
    audio = golden_avs.given(case, "audio", (10, 128)).double().view(2, 5, 128)
    outputs = head(streams, audio)
    kind = "out_train" if training else "out_eval"
    stored = golden_avs.numbers(case, f"{kind}_digest", "avsbench")
    same(outputs.logits, stored["logits"], 2e-5)
    for at, map in enumerate(outputs.maps, 1):
        same(map, stored[f"returned_map{at}"], 2e-5)
    if training:
        masks = torch.zeros(2, 5, 96, 96, dtype=torch.bool)
        masks[:, 0] = torch.from_numpy(golden_avs.named_hash(f"{case}/in/mask", (2, 96, 96))) > 0.3
        loss = mask_cross_entropy(outputs.logits, masks, torch.arange(5).expand(2, 5) == 0)
        torch.testing.assert_close(loss, golden_avs.numbers(case, "out_train_float64", "avsbench")["loss"].double())
        rows = golden_avs.facts(case, "avsbench")["grad_param_rows"]
        theirs = dict(zip(rows, golden_avs.numbers(case, "grad_param", "avsbench")["digests"], strict=True))
        largest = max(entry[1] for entry in theirs.values())
        gradients = torch.autograd.grad(loss, [*system.parameters()])
        for (name, _), gradient in zip(system.named_parameters(), gradients, strict=True):
            expected = theirs[report.mapped[name]]
            assert (digest(gradient) - expected)[1:].abs().max() <= 1e-6 * max(expected[1], largest / 1000), name


def test_sizes_that_cannot_be_halved_are_named():
    assert pyramid_sides(224, 4) == (56, 28, 14, 7)
    with pytest.raises(ValueError, match="size=200 of the masks must be a multiple of 32: 4 levels"):
        pyramid_sides(200, 4)
    with pytest.raises(ValueError, match=r"maps have the sides \[\(4, 4\), \(3, 3\)\]"):
        MaskDecoder(2, 8)([torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 3, 3)])
