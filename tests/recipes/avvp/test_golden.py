"""The parsing systems equal the published codes, number for number: outputs, losses, gradients, decoding, scores."""

from functools import partial

import golden_baselines
import golden_parsing
import pytest
import torch
from golden_numbers import digest
from torch import nn

from crossmodal.checkpoints.load_strict import load_strict
from crossmodal.checkpoints.parsing import (
    first_of,
    front_rule,
    gate_rule,
    grouping_head_rule,
    import_han,
    import_mgn,
)
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.rules import prefix_rules
from crossmodal.data.llp_rows import LLP_CLASSES
from crossmodal.data.parsed_clip import ParsedClip
from crossmodal.heads import grouping
from crossmodal.heads.class_groups import AsAssigned, ClassGroups
from crossmodal.heads.grouping import HardAssignment, SoftAssignment
from crossmodal.heads.motion import MotionFusion
from crossmodal.heads.parsing import Parsed, decode_parsing
from crossmodal.heads.sequence_gate import GatedBySound
from crossmodal.metrics import Parsing, parsing_columns, parsing_counts
from crossmodal.recipes.avvp.han import HAN
from crossmodal.recipes.avvp.mgn import MGN
from crossmodal.tasks.avvp import TASK
from crossmodal.tasks.parsing_system import losses_of, parsed_of, parsing_inputs

FEATURES = parsing_inputs("llp", "llp")
SMALL = partial(ClassGroups, depths=(1, 2, 1))
HARD = {"assignment": HardAssignment, "across": SoftAssignment, "extent": AsAssigned}
SYSTEMS = {
    "han": (HAN, import_han),
    "mgn": (MGN, import_mgn),
    "mgn_small": (partial(MGN, width=32, head=SMALL), import_mgn),
    "mgn_hard_small": (partial(MGN, width=32, head=partial(SMALL, **HARD)), import_mgn),
}
SMALL_CASES = ["han", "mgn_small", "mgn_hard_small"]
OUTPUTS = {"clip": "video", "audio": "audio", "visual": "visual", "audio_tokens": "token_audio"}
OUTPUTS |= {"visual_tokens": "token_visual"}
SEGMENTS = {"audio_segments": "frame_audio", "visual_segments": "frame_visual"}


class Streams(nn.Module):
    """What DG-SCT's parsing does behind the encoders, on widths of the golden cases."""

    def __init__(self, visual, audio, motion, width, feedforward, depths, **head):
        super().__init__()
        self.visual_in, self.audio_in = nn.Linear(visual, width), nn.Linear(audio, width)
        self.motion = MotionFusion(motion, width)
        self.gates = GatedBySound(width, feedforward=feedforward)
        self.head = ClassGroups(width, 25, depths=depths, **head)

    def score(self, visual, audio, st):
        seen, heard = self.gates(self.visual_in(visual), self.audio_in(audio))
        return self.head(heard, self.motion(seen, st))


TINY = partial(Streams, 40, 24, 20, 16, 12, (2, 1, 3))
RELEASED = {
    "avvp_tiny": TINY,
    "avvp_tiny_hard": partial(TINY, **HARD, joint=HardAssignment),
    "avvp_full": partial(Streams, 1536, 768, 512, 128, 1024, (3, 3, 6)),
}
SHORT = {"clip": "p_av", "audio": "p_a", "visual": "p_v", "audio_segments": "P_a", "visual_segments": "P_v"}
SHORT |= {"audio_tokens": "class_logits_audio", "visual_tokens": "class_logits_visual"}
TERMS = {"clip": "av", "audio": "a", "visual": "v", "audio_tokens": "class_audio", "visual_tokens": "class_visual"}


def without_dropout(system):
    """Nothing is drawn but the noise of assignments."""
    for part in system.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0
        elif hasattr(part, "mode"):  # stochastic depth
            part.p = 0.0
    return system


def golden_noise(monkeypatch, drawn):
    """Hands the stored noise over, call by call."""
    calls = iter(drawn)
    monkeypatch.setattr(grouping, "gumbel_noise", lambda scores: next(calls).squeeze(1).to(scores))


def named(outputs):
    """Outputs by our names."""
    tokens = {} if isinstance(outputs, Parsed) else outputs._asdict()
    return {**parsed_of(outputs)._asdict(), **tokens}


def batch_of(present):
    return ParsedClip(None, None, None, present, None, None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", [*SMALL_CASES, pytest.param("mgn", marks=pytest.mark.slow)])
def test_published_codes(case, dtype, monkeypatch):
    build, load = SYSTEMS[case]
    apart = 1e-5 if dtype is torch.float32 else 1e-11
    system = build(FEATURES, LLP_CLASSES).to(dtype)
    report = load(system, golden_baselines.state(case))
    assert {*report.dropped} == {*golden_baselines.facts(case)["no_gradient_from_loss"]}
    without_dropout(system)
    given = {name: tensor.to(dtype).requires_grad_() for name, tensor in golden_baselines.inputs(case).items()}
    present = golden_baselines.numbers(case, "label")["video"].to(dtype)
    noise = golden_baselines.numbers(case, "noise")

    def outputs(mode):
        golden_noise(monkeypatch, 2 * [*noise.values()])  # the published run drew one noise for both class groupings
        return system.train(mode).score(given["visual"].unflatten(1, (10, 8)), given["audio"], given["motion"])

    names = OUTPUTS | SEGMENTS
    for mode, kind in ((False, "out_eval"), (True, "out_train")):
        found = named(outputs(mode))
        for name, theirs in names.items():
            if theirs in (expected := golden_baselines.numbers(case, kind)):
                torch.testing.assert_close(found[name].double(), expected[theirs].double(), rtol=apart, atol=apart)
    decoded = system.predict(outputs(False))
    for modality, expected in golden_baselines.numbers(case, "decoded").items():
        assert torch.equal(getattr(decoded, modality), expected.bool())
    terms = losses_of(outputs(True), batch_of(present), 0.9)
    for name, term in terms.items():
        torch.testing.assert_close(
            term.double(), golden_baselines.numbers(case, "loss")[OUTPUTS[name]][0], rtol=apart, atol=apart
        )
    parameters = dict(system.named_parameters())
    gradients = torch.autograd.grad(sum(terms.values()), [*given.values(), *parameters.values()])
    compare(
        dict(zip([*(f"in:{name}" for name in given), *parameters], gradients, strict=True)),
        golden_baselines.numbers(case, "grad_loss"),
        report,
        5 * apart,
    )


@pytest.mark.parametrize("case", ["avvp_tiny", "avvp_tiny_hard", pytest.param("avvp_full", marks=pytest.mark.slow)])
def test_dg_sct_behind_its_encoders(case, monkeypatch):
    system = RELEASED[case]()
    rule = first_of(
        prefix_rules({"temporal_attn.": (gate_rule, "gates.audio_gate.")}),
        front_rule("audio_in", "visual_in", "motion"),
        grouping_head_rule,
    )
    weights = read_weights(golden_parsing.state(case))
    report = load_strict(system, weights, rule, layout="the released model", importer="test")
    without_dropout(system)
    given = {name: tensor.requires_grad_() for name, tensor in golden_parsing.inputs(case).items()}
    present = golden_parsing.present(case)
    for mode, kind in ((False, "out_eval"), (True, "out_train")):
        golden_noise(monkeypatch, [tensor for _, tensor in sorted(golden_parsing.numbers(case, "noise").items())])
        found = named(outputs := system.train(mode).score(**given))
        for name, theirs in SHORT.items():
            expected = golden_parsing.numbers(case, kind)[theirs]
            torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-5)
    terms = losses_of(outputs, batch_of(present), 0.9)
    for name, term in terms.items():
        torch.testing.assert_close(term, golden_parsing.numbers(case, "loss")[TERMS[name]], rtol=1e-5, atol=1e-5)
    parameters = dict(system.named_parameters())
    gradients = torch.autograd.grad(sum(terms.values()), [*given.values(), *parameters.values()])
    by_name = dict(zip([*(f"in:{name}" for name in given), *parameters], gradients, strict=True))
    kind = "grad_loss_param_digest" if case == "avvp_full" else "grad_loss_param"
    whole = {f"in:{name}": tensor for name, tensor in golden_parsing.numbers(case, "grad_loss_in").items()}
    whole |= golden_parsing.numbers(case, kind)
    theirs = {name: tensor if tensor.dtype == torch.float64 else digest(tensor) for name, tensor in whole.items()}
    compare(by_name, theirs, report, 2e-4)


def compare(ours, theirs, report, apart):
    """Gradients by digests, relative to their norms, or to the largest where zero but for rounding.

    A tensor that the file keeps fused is compared part by part: its norm is that of the parts.
    """
    parts = {}
    for name, their_name in report.mapped.items():
        parts.setdefault(their_name, []).append(ours[name])
    largest = max(entry[1] for entry in theirs.values())
    for name, expected in theirs.items():
        given = [ours[name]] if name in ours else parts[name]
        found = digest(torch.cat([part.flatten() for part in given]))
        allowed = apart * max(expected[1], largest / 1000)
        assert (found - expected).abs()[[1, *range(3, 16)]].max() <= allowed, name


def test_golden_clips_are_decoded_and_scored():
    given = golden_parsing.numbers("avvp_metrics", "in")
    clip, audio, visual = given["p_av"], given["P_a"], given["P_v"]
    decoded = decode_parsing(Parsed(clip, clip, clip, audio, visual))
    expected = {name: tensor.mT.bool() for name, tensor in golden_parsing.numbers("avvp_metrics", "decoded").items()}
    assert torch.equal(decoded.audio, expected["SO_a"])
    assert torch.equal(decoded.visual, expected["SO_v"])
    truth = Parsing(expected["GT_a"], expected["GT_v"])
    scores = TASK.scores()
    scores.update(decoded, ParsedClip(None, None, None, None, *truth))
    found, said = scores.compute(), golden_parsing.facts("avvp_metrics")
    names = {"A": "audio", "V": "visual", "AV": "audio_visual", "Type": "type_at_av", "Event": "event_at_av"}
    for level, suffix in (("segment", ""), ("event", "_events")):
        for theirs, ours in names.items():
            assert 100 * found[ours + suffix] == pytest.approx(said["dataset_percent"][level][theirs], rel=1e-12)
    rows = list(TASK.rows(decoded, ParsedClip(None, None, None, None, *truth), LLP_CLASSES))
    for row, per_clip in zip(rows, said["per_clip"]["segment"], strict=True):
        assert row.value == pytest.approx((per_clip["A"] + per_clip["V"] + per_clip["AV"]) / 3)
    assert parsing_columns(parsing_counts(truth, truth))["type_at_av"] == 1
