"""The event baselines equal the published codes, number for number: outputs, losses, gradients, decoding."""

from functools import partial

import pytest
import torch
from golden_baselines import facts, inputs, numbers, state
from golden_numbers import digest
from torch.nn import functional as F

from crossmodal.checkpoints.event_baselines import import_avel, import_avsdn, import_cmbs, import_cmran
from crossmodal.data import AVE_CLASSES, LabelledClip
from crossmodal.heads.additive import AdditiveAttention, per_position
from crossmodal.heads.cross_encoding import ProductInteraction
from crossmodal.heads.guided_pooling import SelfGuidedPooling
from crossmodal.heads.objectives import WeakSupervision, clip_margin, segment_margin
from crossmodal.heads.suppression import GatedByOther, gate_itself, squashed_gate
from crossmodal.recipes.ave.avel import AVEL
from crossmodal.recipes.ave.avsdn import AVSDN
from crossmodal.recipes.ave.cmbs import CMBS
from crossmodal.recipes.ave.cmbs_weak import WeakCMBS
from crossmodal.recipes.ave.cmran import CMRAN
from crossmodal.tasks.frozen_features import FrozenFeatures

FEATURES = FrozenFeatures(None, 512, 128, 49)
CODED = partial(AdditiveAttention, add=per_position)
WEAK = partial(WeakSupervision, clip_margin)
CMBS_PARTS = {"width": 256, "gamma": 0.3, "pooling": SelfGuidedPooling, "gates": GatedByOther}
LOGITS = F.binary_cross_entropy_with_logits

SYSTEMS = {
    "avel_att": (partial(AVEL, attention=CODED, objective=segment_margin), import_avel),
    "avel_att_weak": (partial(AVEL, attention=CODED, objective=clip_margin), import_avel),
    "avsdn_cpsp": (partial(AVSDN, attention=CODED), import_avsdn),
    "avsdn_cpsp_weak": (partial(AVSDN, attention=CODED, supervision=WEAK), import_avsdn),
    "cmran": (CMRAN, import_cmran),
    "cmran_weak": (
        partial(CMRAN, supervision=WEAK, interaction=partial(ProductInteraction, heads=2)),
        import_cmran,
    ),
    "cmbs": (partial(CMBS, **CMBS_PARTS, gate_loss=LOGITS), import_cmbs),
    "cmbs_weak": (
        partial(WeakCMBS, width=256, gamma=0.5, objective=clip_margin, decoded_gate=squashed_gate),
        import_cmbs,
    ),
}


def built(case, dtype):
    """Our system with the published weights and no dropout; its inputs and labels; the import's report."""
    build, load = SYSTEMS[case]
    with torch.device("meta"):
        system = build(FEATURES, AVE_CLASSES).to(dtype)
    report = load(system, state(case))
    for part in system.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        elif isinstance(part, torch.nn.MultiheadAttention):
            part.dropout = 0.0
    labels = numbers(case, "label")["segments"].argmax(2)
    if case.endswith("weak"):  # the published files give a clip of the weak setting a label of its own
        labels[numbers(case, "label")["video"].argmax(1) == 28] = 28
    given = {name: tensor.to(dtype).requires_grad_() for name, tensor in inputs(case).items()}
    return system, given, labels, report


def by_name(case, outputs):
    """Our outputs by the golden names."""
    if case.startswith("avel"):
        weak = case.endswith("weak")
        clip = outputs.amax(1).softmax(1)
        return {"scores": outputs, "video": clip} if weak else {"scores": outputs.softmax(2)}
    found = {"event": outputs[0], "classes": outputs.event}
    if case == "cmbs":
        found |= {"gate": outputs.gate, "activation": outputs.activation}
    if case.endswith("weak"):
        relevance = outputs[0] if case == "cmbs_weak" else outputs.relevance.sigmoid()
        found["video"] = (relevance[:, :, None] * outputs.event[:, None]).amax(1).softmax(1)
    return found


TERMS = {"relevance": "is_event", "event": "event_class", "segments": "margin", "clip": "margin"}


EXACT = [
    pytest.param(case, torch.float64, 1e-11, marks=[pytest.mark.slow] if case[0] == "c" else [], id=f"{case}-float64")
    for case in SYSTEMS
]
ROUNDED = [pytest.param(case, torch.float32, 1e-5, id=f"{case}-float32") for case in SYSTEMS]


@pytest.mark.parametrize(("case", "dtype", "apart"), EXACT + ROUNDED)
def test_outputs_losses_gradients_and_decoding(case, dtype, apart):
    system, given, labels, report = built(case, dtype)
    assert {*report.dropped} == {*facts(case)["no_gradient_from_loss"]}
    outputs = system.score(given["visual"], given["audio"])
    ours = by_name(case, outputs)
    for name, expected in numbers(case, "out_eval").items():
        torch.testing.assert_close(ours[name].double(), expected, rtol=apart, atol=apart)
    terms = system.loss(outputs, LabelledClip(None, None, labels))
    for name, term in terms.items():
        expected = numbers(case, "loss")[TERMS.get(name, name)][0]
        torch.testing.assert_close(term.double(), expected, rtol=apart, atol=apart)
    assert torch.equal(system.predict(outputs).labels, numbers(case, "decoded")["prediction"])
    parameters = dict(system.named_parameters())
    gradients = torch.autograd.grad(sum(terms.values()), [*given.values(), *parameters.values()])
    compare(case, dict(zip([*(f"in:{name}" for name in given), *parameters], gradients, strict=True)), report, apart)


def compare(case, gradients, report, apart):
    """Gradients of the loss, each relative to its own norm, or to the largest where it is zero but for rounding."""
    ours = {theirs: name for name, theirs in report.mapped.items()}
    theirs = numbers(case, "grad_loss")
    largest = max(entry[1] for entry in theirs.values())
    assert len(theirs) == len(gradients)
    for name, expected in theirs.items():
        found = digest(gradients[ours.get(name, name)])
        allowed = 5 * apart * max(expected[1], largest / 1000)
        assert (found - expected).abs()[[1, *range(3, 16)]].max() <= allowed, name


def test_the_published_decoding_of_weak_cmbs_never_says_background_by_its_gate():
    """The careful one compares the gate itself with one half."""
    system, given, _, _ = built("cmbs_weak", torch.float32)
    outputs = system.score(given["visual"], given["audio"])
    assert (squashed_gate(outputs.gate) > 0.5).all()
    outputs = outputs._replace(event=torch.eye(3, 29))
    assert torch.equal(system.predict(outputs).labels, torch.arange(3)[:, None].expand(3, 10))
    system.decoded_gate = gate_itself
    assert torch.equal(system.predict(outputs).labels == 28, outputs.gate <= 0.5)
    assert (outputs.gate <= 0.5).any()


def test_attention_as_coded_refuses_another_grid():
    with pytest.raises(ValueError, match="units=49, but the stream has 16 tokens"):
        CODED(4, 3)(torch.zeros(1, 16, 4), torch.zeros(1, 3))
