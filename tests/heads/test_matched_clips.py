"""Losses of matched clips against the released training steps, and their laws."""

import pytest
import torch
from golden_prompts import close, facts, hash_input, numbers
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.shots import classified
from crossmodal.heads.matched_clips import (
    ClipContrast,
    contrastive_losses,
    matched_event_loss,
    released_quotient,
    weighed_as_ave_classes_released,
    weighed_by_schedule,
    weighed_by_size,
    weighed_dynamically,
    weighed_dynamically_released,
)
from crossmodal.metrics.matched import matched_counts, matched_scores

FILE = "golden_fewshot"
CASES = {
    "loss_fewshot_ave": weighed_by_schedule,
    "loss_fewshot_ave_class": weighed_as_ave_classes_released,
    "loss_fewshot_llp_class": weighed_dynamically_released,
    "loss_pretrain": weighed_dynamically_released,
}


def target_of(case, labels, scores, *, by_second=("loss_fewshot_ave",)):
    if case in by_second:
        return labels
    if labels.ndim == 2:
        return labels[:, None]
    background = labels.shape[2] - 1
    of_clips = [classified(clip.argmax(-1), scores.shape[-1], background=background) for clip in labels]
    return torch.stack(of_clips)


@pytest.mark.parametrize("case", CASES)
def test_terms_total_and_gradients_equal_the_released_step(case):
    given_ = {name: tensor.clone() for name, tensor in numbers(FILE, case, "in").items()}
    labels = given_.pop("labels")
    for epoch, expected in facts(FILE)[case]["epochs"].items():
        inputs = {name: tensor.clone().requires_grad_() for name, tensor in given_.items()}
        scores = inputs["scores"].unflatten(0, (2, 10))
        contrast = inputs["logits_audio_image"], inputs["logits_image_audio"]
        # pre-training learns every second, background included, and is scored by whole clips
        target = target_of(case, labels, scores, by_second=("loss_fewshot_ave", "loss_pretrain"))
        terms = {"event": matched_event_loss(scores, target)}
        terms["audio_image"] = contrastive_losses(contrast[0])["audio_image"]
        terms["image_audio"] = contrastive_losses(contrast[1])["audio_image"]
        for name, value in terms.items():
            assert value.item() == pytest.approx(expected[name], rel=1e-5)
        total = sum(CASES[case](terms, int(epoch)).values())
        assert total.item() == pytest.approx(expected["total"], rel=1e-5)
        total.backward()
        for name, tensor in inputs.items():
            close(tensor.grad, numbers(FILE, case, f"epoch_{epoch}")[f"grad_{name}"], 1e-5)


@pytest.mark.parametrize("case", CASES)
def test_accuracy_of_the_released_batches(case):
    of = numbers(FILE, case, "eval_in")
    scores = of["scores"].unflatten(0, (5, 10))
    target = target_of(case, of["labels"], scores)
    read = scores if target.shape[1] > 1 else scores.mean(1, keepdim=True)
    parts = [
        matched_scores(matched_counts(read[a:b], target[a:b])).accuracy for a, b in facts(FILE)[case]["eval_batches"]
    ]
    assert 100 * torch.stack(parts).mean().item() == pytest.approx(facts(FILE)[case]["eval_accuracy_percent"])


def test_contrast_equals_the_released_head():
    block = ClipContrast(16)
    state = numbers(FILE, "contrastive", "state")
    block.load_state_dict({"audio.weight": state["fc_a1.weight"], "audio.bias": state["fc_a1.bias"]})
    given_ = numbers(FILE, "contrastive", "in")
    visual, audio = (given_[name].unflatten(0, (3, 10)) for name in ("visual", "audio"))
    logits = block(visual, audio, torch.tensor(2.0).exp())
    close(logits, numbers(FILE, "contrastive", "out")["logits_audio_image"], 1e-5)
    close(logits.mT, numbers(FILE, "contrastive", "out")["logits_image_audio"], 1e-5)


def test_detached_weights_have_the_released_value_and_the_gradient_of_the_terms():
    terms = {name: torch.tensor(value, requires_grad=True) for name, value in (("event", 2.0), ("audio_image", 0.5))}
    careful, released = (sum(weigh(terms, 3).values()) for weigh in (weighed_dynamically, weighed_dynamically_released))
    torch.testing.assert_close(careful, released)
    (slope,) = torch.autograd.grad(careful, terms["event"])
    torch.testing.assert_close(slope, torch.tensor(2.0 / 5.5 + 1 / 3))


@given(st.integers(0, 2**16))
def test_the_careful_score_rule_is_bounded_and_equals_the_released_one_on_positive_logits(seed):
    visual, audio = (hash_input(seed + at, 3, 4).double() for at in (0, 1))
    mixed = weighed_by_size(visual, audio)
    assert (mixed >= torch.minimum(visual, audio)).all()
    assert (mixed <= torch.maximum(visual, audio)).all()
    torch.testing.assert_close(weighed_by_size(visual.abs(), audio.abs()), released_quotient(visual.abs(), audio.abs()))
