"""LAVisH on AVE equals its released code, number for number, its release arrives by name, and its gates are closed."""

from functools import partial

import pytest
import torch
from golden_avs import facts, given, numbers, sample, state
from golden_numbers import digest
from torch.nn import functional as F

from crossmodal.adapters import Bottleneck, NormThenGate
from crossmodal.attention.latent import LatentTokens
from crossmodal.audio.fbank import FbankPicture
from crossmodal.checkpoints import import_lavish_ave
from crossmodal.data import AVE_CLASSES, LabelledClip, Preprocess
from crossmodal.encoders import swin_v2, swin_v2_large
from crossmodal.heads import SegmentHead
from crossmodal.heads.objectives import segment_binary_cross_entropy
from crossmodal.injection import fingerprint
from crossmodal.recipes.ave.lavish import lavish
from crossmodal.recipes.ave.lavish_shared import lavish_shared
from crossmodal.recipes.lavish import lavish as couple_two
from crossmodal.recipes.lavish import lavish_shared as couple_shared
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.event_system import CoupledSegments

CASE = "lavish_ave"
LABELS = torch.tensor([[3, 3, 28, 28]])
SMALL = partial(swin_v2, 64, width=16, depths=(2, 2, 2, 1), heads=(1, 2, 4, 4), window=4)


def weights():
    """The released names and their golden weights; the golden files leave the counters of batch norms out."""
    found = state(CASE, "lavish")
    counters = {name.replace("running_mean", "num_batches_tracked") for name in found if name.endswith("running_mean")}
    return {**found, **{name: torch.tensor(0) for name in counters}}


def small(dtype=torch.float32):
    """The system of the golden case with its weights, the report of the import and the pictures."""
    with torch.device("meta"):
        pair = Pair(couple_shared(SMALL()), (128, 128), FbankPicture(64), Preprocess(64, 16_000))
        system = CoupledSegments(
            pair, head=SegmentHead(128, 128, 29), classes=AVE_CLASSES, objective=segment_binary_cross_entropy
        )
    report = import_lavish_ave(system, weights())
    pictures = {
        ours: given(CASE, theirs, facts(CASE, "lavish")["shapes"][f"in/{theirs}"]).to(dtype).requires_grad_()
        for ours, theirs in (("visual", "vis"), ("audio", "audio"))
    }
    return system.to(dtype), pictures, report


def scores(system, pictures):
    streams = {"visual": pictures["visual"][0], "audio": pictures["audio"][0, :, None].expand(-1, 3, -1, -1)}
    return system.head(*system.pool_streams(system.coupled(streams), 1))


def test_inputs_are_those_of_the_golden_numbers():
    _, pictures, _ = small()
    for ours, theirs in (("visual", "vis"), ("audio", "audio")):
        assert torch.equal(sample(pictures[ours]), numbers(CASE, "in_sample", "lavish")[theirs])


def test_probabilities_and_loss():
    system, pictures, report = small()
    assert {*report.dropped} == {"swin.head.weight", "swin.head.bias"}
    for kind, training in (("out_eval", False), ("out_train", True)):
        outputs = scores(system.train(training), pictures)
        expected = numbers(CASE, kind, "lavish")
        torch.testing.assert_close(outputs[0].softmax(1), expected["probabilities"], rtol=1e-5, atol=1e-6)
        if not training:
            loss = system.loss(outputs, LabelledClip(None, None, LABELS))["segments"]
            torch.testing.assert_close(loss, expected["loss"], rtol=1e-5, atol=1e-6)
    after = numbers(CASE, "state_after", "lavish")
    places = {theirs: ours for ours, theirs in report.mapped.items()}
    found = dict(system.named_buffers())
    for name, expected in after.items():
        torch.testing.assert_close(found[places[name]], expected, rtol=1e-5, atol=1e-6)


def test_loss_and_all_gradients_in_float64():
    system, pictures, report = small(torch.float64)
    loss = system.train().loss(scores(system, pictures), LabelledClip(None, None, LABELS))["segments"]
    torch.testing.assert_close(loss, numbers(CASE, "out_train_float64", "lavish")["loss"], rtol=1e-11, atol=0)
    parameters = {name: tensor for name, tensor in system.named_parameters() if tensor.requires_grad}
    gradients = torch.autograd.grad(loss, [*parameters.values(), *pictures.values()])
    theirs = facts(CASE, "lavish")["grad_param_rows"]
    ours = dict(zip((report.mapped[name] for name in parameters), gradients, strict=False))
    assert set(ours) == set(theirs)
    expected = numbers(CASE, "grad_param", "lavish")["digests"]
    largest = expected[:, 1].max()
    for name, row in zip(theirs, expected, strict=True):
        allowed = 1e-9 * max(row[1], largest / 1000)
        assert (digest(ours[name]) - row).abs()[[1, *range(3, 16)]].max() <= allowed, name
    for name, gradient in zip(("vis", "audio"), gradients[-2:], strict=True):
        expected = numbers(CASE, "grad_in_sample", "lavish")[name]
        torch.testing.assert_close(sample(gradient).float(), expected, rtol=1e-5, atol=1e-8)


def test_the_loss_is_the_binary_cross_entropy_of_probabilities():
    logits = torch.randn(2, 3, 5)
    labels = torch.randint(5, (2, 3))
    expected = F.binary_cross_entropy(logits.softmax(2), F.one_hot(labels, 5).float())
    assert torch.equal(segment_binary_cross_entropy(logits, labels), expected)


@pytest.mark.slow
def test_full_size_has_the_published_parameters():
    """238,808,610 less the encoder's own classifier of 21,841 classes, which nothing reads."""
    with torch.device("meta"):
        pair = Pair(couple_shared(swin_v2_large()), (1536, 1536), FbankPicture(192), Preprocess(192, 16_000))
        system = CoupledSegments(pair, head=SegmentHead(1536, 1536, 29), classes=AVE_CLASSES)
    trained = sum(tensor.numel() for tensor in system.parameters() if tensor.requires_grad)
    assert trained == 10_036_061
    assert sum(tensor.numel() for tensor in system.parameters()) == 238_808_610 - 1537 * 21_841


def test_weights_of_another_head_are_refused_and_nothing_is_loaded():
    system, _, _ = small()
    before = fingerprint(system)
    with pytest.raises(ValueError, match=r"head\.readout\.bias ← mlp_class_2\.bias"):
        import_lavish_ave(system, {**weights(), "mlp_class_2.bias": torch.zeros(28)})
    assert fingerprint(system) == before


def test_both_streams_are_one_encoder_and_frames_stay_their_own():
    system = lavish_shared().eval()
    size = system.preprocess.size
    frames, wave = torch.rand(1, 2, 3, size, size), torch.randn(1, 2, 16_000)
    assert system.coupled.streams == {"visual": "shared", "audio": "shared"}
    batch = LabelledClip(frames, wave, torch.zeros(1, 2).long())
    both = system(batch)
    alone = system(LabelledClip(frames[:, 1:], wave[:, 1:], batch.labels[:, 1:]))
    torch.testing.assert_close(both[:, 1:], alone)


GATES = [((0.0, 0.0), set()), ((0.0, 0.3), {"gate"}), ((0.3, 0.3), {"gate", "guide"})]


@pytest.mark.parametrize(("gates", "reached"), GATES)
def test_behind_two_closed_gates_nothing_of_the_guide_has_a_gradient(gates, reached):
    """Gates of latent tokens and of the bottleneck stand in series: docs/recipes/ave.md says what follows."""
    coupling = partial(
        couple_two,
        latents=partial(LatentTokens, start=gates[0]),
        bottleneck=partial(Bottleneck, finish=partial(NormThenGate, start=gates[1])),
    )
    system = lavish(coupling=coupling)
    size = system.preprocess.size
    batch = LabelledClip(torch.rand(1, 2, 3, size, size), torch.randn(1, 2, 16_000), torch.tensor([[0, 6]]))
    sum(system.loss(system(batch), batch).values()).backward()
    parts = {"gate": "latents.gate", "guide": ".align."}
    moved = {
        part
        for part, key in parts.items()
        for name, tensor in system.named_parameters()
        if key in name and tensor.grad is not None and tensor.grad.any()
    }
    assert moved == reached
