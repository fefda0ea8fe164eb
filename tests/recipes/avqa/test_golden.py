"""Question answering equals the published codes: ids, outputs, losses, gradients, scores."""

import json
from functools import partial

import golden_questions as golden
import pytest
import torch
from golden_numbers import digest
from torch import nn

from crossmodal.checkpoints.answers import GROUNDING_NAMES, answering_rule, import_grounding
from crossmodal.checkpoints.load_strict import load_strict
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.rules import rename_rule
from crossmodal.data.questions import encode_words, question_words
from crossmodal.heads.answers import GroundedAnswers, answer_loss, answer_losses
from crossmodal.heads.grounding import MeanGrounding, SoundGrounding, match_loss
from crossmodal.metrics.answers import answer_columns, answer_counts, question_kind

SMALL = partial(SoundGrounding, hidden=(16, 12, 8))
HEADS = {
    "avqa_tiny": partial(GroundedAnswers, 24, 93, 42, width=32, grounder=SMALL),
    "avqa_full": partial(GroundedAnswers, 768, 93, 42, width=1536),
    "st_avqa": partial(GroundedAnswers, 128, 93, 42),
    "st_avqa_plain": partial(
        GroundedAnswers, 128, 93, 42, grounder=partial(SoundGrounding, grounding=MeanGrounding), mean=0.0
    ),
}
PLAIN_UNUSED = ("fc_gl", "fc1", "fc2", "fc3", "fc4")


def loaded(case, dtype):
    """The head with the published weights, without dropout."""
    head = HEADS[case]().to(dtype)
    weights = golden.state(case)
    if case == "st_avqa_plain":  # its network has the match head, and never runs it
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("fc_gl.")}
    report = load_strict(head, read_weights(weights), answering_rule, layout="published", importer="test")
    for part in head.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        elif isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0
    return head, report


def by_published_name(report, gradients):
    return {report.mapped[name]: gradient for name, gradient in gradients.items() if gradient is not None}


def test_ids_of_real_questions():
    said = golden.facts("question_tokens")
    words = {word: at for at, word in enumerate(said["vocabulary"])}
    for question in said["questions"]:
        asked = question_words(question["question_content"], json.loads(question["templ_values"]))
        assert encode_words(asked, words, "test").tolist() == question["ids"]
        assert said["answers"].index(question["anser"]) == question["answer_id"]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        ("avqa_tiny", torch.float32),
        ("st_avqa", torch.float64),
        pytest.param("st_avqa_plain", torch.float64, marks=pytest.mark.slow),
        pytest.param("avqa_full", torch.float32, marks=pytest.mark.slow),
    ],
)
def test_heads(case, dtype):
    head, report = loaded(case, dtype)
    unused = set(golden.facts(case).get("unused", golden.facts(case).get("unused_params")))
    assert {*report.dropped} <= unused
    named = {"visual": "visual", "negative": "negative", "question": "questions"}
    if case.startswith("st_"):
        named = {"visual": "visual_posi", "negative": "visual_nega", "question": "question"}
    visual = golden.given(case, named["visual"]).to(dtype)
    other = golden.given(case, named["negative"]).to(dtype) if case != "st_avqa_plain" else None
    audio = golden.given(case, "audio").to(dtype).requires_grad_()
    streams = [audio, visual.requires_grad_(), *([] if other is None else [other.requires_grad_()])]
    tokens = [maps if maps.ndim == 4 else maps.flatten(3).mT for maps in streams[1:]]
    question = golden.given(case, named["question"]).long()
    answer = golden.numbers(case, "in").get("answers", torch.tensor([7, 41])).long()
    outputs = head(tokens[0], tokens[1] if other is not None else None, audio, question)
    names = {"answer": "answer", "right": "match_positive", "wrong": "match_negative"}
    if case.startswith("st_"):
        names = {"answer": "answer_logits", "right": "match_posi", "wrong": "match_nega"}
    expected = golden.numbers(case, "out_train_float64") or golden.numbers(case, "out_eval")
    apart = 1e-5 if dtype is torch.float32 else 1e-6
    for ours, theirs in names.items():
        if theirs in expected:
            torch.testing.assert_close(getattr(outputs, ours), expected[theirs].to(dtype), rtol=apart, atol=apart)
    terms = answer_losses(outputs, answer)
    total = expected["loss"] if "loss" in expected else golden.numbers(case, "loss")["total"]
    torch.testing.assert_close(sum(terms.values()), total.to(dtype), rtol=apart, atol=apart)
    assert (outputs.where.sum(2) - 1).abs().max() < 1e-5
    assert (outputs.seen.sum(1) - 1).abs().max() < 1e-5
    parameters = dict(head.named_parameters())
    found = torch.autograd.grad(sum(terms.values()), [*parameters.values(), *streams], allow_unused=True)
    gradients = by_published_name(report, dict(zip(parameters, found, strict=False)))
    theirs = {name: digest(tensor) for name, tensor in golden.numbers(case, "grad_loss_param").items()}
    theirs |= golden.numbers(case, "grad_loss_param_digest")
    if not theirs:
        rows = golden.numbers(case, "grad_param")["digests"]
        theirs = dict(zip(golden.facts(case)["grad_param_rows"], rows, strict=True))
    assert {*theirs} - unused == {*gradients}
    golden.compare_gradients(gradients, {name: theirs[name] for name in gradients}, 2e-4 if apart == 1e-5 else 2e-6)


def test_grounding_stage_of_dg_sct():
    grounder = SMALL(24, 32)
    import_grounding(grounder, golden.numbers("grounding_stage1", "state"))
    given = golden.numbers("grounding_stage1", "in")
    audio = given["audio_tokens"].mean(1)
    match = [grounder(given[name], audio).match for name in ("positive", "negative")]
    expected = golden.numbers("grounding_stage1", "out_eval")["match"]
    torch.testing.assert_close(torch.stack(match, dim=1).flatten(0, 1), expected, rtol=1e-5, atol=1e-5)
    loss = match_loss(*match)
    torch.testing.assert_close(loss, golden.numbers("grounding_stage1", "loss")["match"], rtol=1e-5, atol=1e-5)
    parameters = dict(grounder.named_parameters())
    gradients = dict(zip(parameters, torch.autograd.grad(loss, parameters.values()), strict=True))
    named = {
        f"{theirs}.{leaf}": gradients[f"{ours}.{leaf}"]
        for theirs, ours in GROUNDING_NAMES.items()
        for leaf in ("weight", "bias")
    }
    theirs = {name: digest(tensor) for name, tensor in golden.numbers("grounding_stage1", "grad_loss_param").items()}
    golden.compare_gradients(named, theirs, 2e-4)


def test_grounding_stage_of_st_avqa():
    grounder = SoundGrounding(128, 512).double()
    import_grounding(grounder, golden.state("st_avqa_grounding"))
    audio, maps = (golden.given("st_avqa_grounding", name).double() for name in ("audio", "visual"))
    match = grounder(maps.flatten(3).mT.flatten(0, 1), audio.flatten(0, 1)).match
    expected = golden.numbers("st_avqa_grounding", "out_train_float64")
    torch.testing.assert_close(match, expected["match"].double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(match_loss(match[::2], match[1::2]), expected["loss"].double(), rtol=1e-6, atol=1e-6)


def test_golden_accuracies():
    said = golden.facts("type_accuracy")
    rows = said["questions"]
    columns = [torch.tensor([row[name] for row in rows]) for name in ("predicted", "label")]
    kinds = torch.tensor([question_kind(row["type"]) for row in rows])
    found = answer_columns(answer_counts(*columns, kinds))
    modalities = {"A": "audio", "V": "visual", "AV": "audio_visual"}
    for written, percent in said["percent_to_two_places"].items():
        modality, _, asked = written.partition(" ")
        name = "average" if written == "all" else "_".join([modalities[modality], *asked.lower().split()])
        assert 100 * float(found[name]) == pytest.approx(percent, abs=0.005)


def test_an_answer_that_is_none_is_left_out():
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    known = answer_loss(logits[:2], torch.tensor([1, 3]))
    torch.testing.assert_close(answer_loss(logits, torch.tensor([1, 3, 4])), known)
    assert answer_loss(logits, torch.tensor([4, 4, 4])) == 0
    assert rename_rule(GROUNDING_NAMES)("fc1.weight", logits) is not None
