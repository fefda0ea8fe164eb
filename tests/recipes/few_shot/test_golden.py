"""DG-SCT on class names against the released few-shot, pre-training and zero-shot code."""

from functools import cache, partial

import pytest
import torch
from golden_prompts import close, facts, hashed, numbers
from torch import nn

from crossmodal.adapters import Bottleneck
from crossmodal.checkpoints.load_strict import compare
from crossmodal.checkpoints.raw_checkpoint import read_weights
from crossmodal.checkpoints.released_names import dg_sct_names_rule, import_dg_sct_names
from crossmodal.data import AVE_CLASSES, Preprocess
from crossmodal.data.llp_rows import LLP_CLASSES
from crossmodal.encoders import ClipText, DualEncoder, MeanToken, Tower, clip_image, clip_model, htsat
from crossmodal.guidance import SegmentGuidance
from crossmodal.heads.matched_clips import (
    as_stored,
    contrastive_losses,
    doubled_sum,
    matched_event_loss,
    released_quotient,
    weighed_by_schedule,
)
from crossmodal.injection import paired_after_attention
from crossmodal.prompts import FixedPrompts, Sentences, StaticPrompts, at_end, at_front, in_middle
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.tasks.matched_pair import MatchedPair

FILE = "golden_fewshot"
SAID = {"AVE": AVE_CLASSES, "LLP": LLP_CLASSES}


class Table(nn.Module):
    """Stands in for RoBERTa: row i of a table, projected."""

    def __init__(self, rows):
        super().__init__()
        self.features, self.rows = 16, rows
        self.projection = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 16))

    def forward(self, tokens):
        return self.projection(self.rows[tokens[:, 0]])


@cache
def _released_state():
    state = dict(numbers(FILE, "fewshot_ave", "state"))
    state["token_embedding.weight"] = torch.from_numpy(0.3 * hashed(49408 * 16, 900)).float().view(49408, 16)
    return state


def released_state():
    return dict(_released_state())


def bpe(names, data):
    """The sentences of class names, by the ids that are stored."""
    of = facts(FILE)["prompts"]["datasets"][data]
    chosen = [of["names"].index(name) for name in names]
    rows = [of["bpe_ids_with_start_and_end"][at] for at in chosen]
    longest = max(map(len, rows))
    ids = tuple(tuple(row) + (0,) * (longest - len(row)) for row in rows)
    return Sentences(ids, tuple(of["name_lens"][at] for at in chosen), 4)


class Stored(nn.Module):
    """A stem that hands over stored tokens."""

    def __init__(self, tokens):
        super().__init__()
        self.tokens = tokens

    def forward(self, x):
        return self.tokens[: len(x)]


def build(names, data="AVE", *, alpha=0.2, beta=0.05, gamma=0.01, rule=doubled_sum):
    state = released_state()
    rows = state.pop("clap_text_encoder.text_branch.pool")
    clip = clip_model(clip_image(28, patch=4, width=32, depth=4, heads=2), ClipText(16, width=16, depth=2, heads=2))
    audio = htsat(64, mels=32, patch=4, width=8, depths=(1, 2, 1), heads=(1, 2, 4), window=4, augment=nn.Identity)
    projection = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 16))
    clap = DualEncoder(Tower(audio, MeanToken(), projection, 16), Table(rows))
    coupling = partial(
        dg_sct_released,
        temporal=SegmentGuidance,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        latents=2,
        bottleneck=partial(Bottleneck, reduction=2),
        pairing=paired_after_attention,
    )
    system = MatchedPair(
        clip,
        clap,
        coupling=coupling,
        sound=nn.Identity(),
        preprocess=Preprocess(28, 2560),
        speak=lambda names: StaticPrompts(torch.zeros(4, 16), bpe(names, data)),
        speak_of_sound=lambda names: FixedPrompts(torch.arange(len(names))[:, None]),
        classes=names,
        rule=rule,
        weighing=weighed_by_schedule,
        audio_scale=as_stored,
    )
    import_dg_sct_names(system, state, audio_log_scale=4.5)
    return system.eval(), state


def with_tokens(system, kind="mid_eval"):
    """The system from the stored tokens on: front ends have tests of their own."""
    visual = numbers(FILE, "fewshot_ave", "mid_eval")["visual_tokens"]
    audio = numbers(FILE, "fewshot_ave", kind)["audio_tokens"]
    system.coupled.encoder("visual").stem, system.coupled.encoder("audio").stem = Stored(visual), Stored(audio)
    return system


def run(system, clips=2):
    return system(Batch(torch.zeros(clips, 10, 3, 28, 28), torch.zeros(clips, 10, 2560)))


class Batch(tuple):
    """Frames and waves."""

    def __new__(cls, frames, wave):
        return super().__new__(cls, (frames, wave))

    frames, wave = property(lambda self: self[0]), property(lambda self: self[1])


CASES = {
    "fewshot_ave": ((*AVE_CLASSES, "background"), {}),
    "fewshot_ave_class": (AVE_CLASSES, {"gamma": 0.05}),
    "fewshot_llp_class": (LLP_CLASSES, {"data": "LLP", "gamma": 0.05}),
}


@pytest.mark.parametrize("case", CASES)
def test_features_logits_and_scores_equal_the_released_model(case):
    names, options = CASES[case]
    system = with_tokens(build(names, **options)[0])
    with torch.no_grad():
        found = run(system)
        visual, audio = system.features_of(torch.zeros(2, 10, 3, 28, 28), torch.zeros(2, 10, 2560))
        seen, heard = system.logits(visual, audio)
    mid = numbers(FILE, case, "mid_eval")
    close(visual.flatten(0, 1), mid["visual_feature"], 3e-5)
    close(audio.flatten(0, 1), mid["audio_feature"], 3e-5)
    close(seen, mid["logits_v"], 3e-5)
    close(heard, mid["logits_a"], 3e-5)
    out = numbers(FILE, case, "out_eval")
    close(found.scores.flatten(0, 1), out["scores"], 3e-5)
    close(found.contrast, out["logits_audio_image"], 3e-5)
    close(found.contrast.mT, out["logits_image_audio"], 3e-5)


def test_zero_shot_in_evaluation_and_as_released():
    """As released the adapters' batch norms take the statistics of the test batch."""
    system = with_tokens(build(AVE_CLASSES, alpha=0.3, beta=0.01, gamma=0.05, rule=released_quotient)[0])
    system.names.prompts.context.data = numbers(FILE, "zero_shot", "in")["ctx_half"].float()
    for kind, mode in (("out_all_eval", system.eval), ("out_released", system.coupled.train)):
        mode()
        with torch.no_grad():
            visual, audio = system.features_of(torch.zeros(2, 10, 3, 28, 28), torch.zeros(2, 10, 2560))
            seen, heard = system.logits(visual, audio)
        expected = numbers(FILE, "zero_shot", kind)["scores"]
        regular = (seen + heard).abs() > 1  # the released rule is singular near v = -a
        # prompts were in half precision there
        apart = (released_quotient(seen, heard) - expected)[regular].abs().max() / expected[regular].abs().max()
        assert apart < 2e-3, (kind, apart)
        contrast = system.contrast(visual, audio, system.names.log_scale.exp())
        close(contrast, numbers(FILE, "zero_shot", kind)["logits_audio_image"], 3e-5)


def test_the_released_training_step():
    system, _ = build((*AVE_CLASSES, "background"))
    with_tokens(system, "mid_train").train()
    found = run(system)
    out = numbers(FILE, "fewshot_ave", "out_train")
    close(found.scores.flatten(0, 1), out["scores"], 3e-5)
    target = numbers(FILE, "fewshot_ave", "in")["labels"]
    terms = {"event": matched_event_loss(found.scores, target), **contrastive_losses(found.contrast)}
    total = sum(weighed_by_schedule(terms, 1).values())
    expected = facts(FILE)["fewshot_ave"]["loss"]
    assert total.item() == pytest.approx(expected["total"], rel=1e-5)
    total.backward()
    gradients = mapped(system, numbers(FILE, "fewshot_ave", "grad_loss_param"))
    ours = {name: parameter.grad for name, parameter in system.named_parameters() if parameter.requires_grad}
    assert ours.keys() == gradients.keys()
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        if gradient.abs().max() > 1e-6 * largest:
            close(ours[name], gradient, 1e-3)
    after = mapped(system, numbers(FILE, "fewshot_ave", "state_after"))
    buffers = dict(system.named_buffers())
    for name, value in after.items():
        if name in buffers and name.startswith("coupled.couplers"):
            close(buffers[name], value, 3e-5)


def mapped(system, tensors):
    """Tensors by released names under ours, as the importer maps weights."""
    rule = dg_sct_names_rule([*released_state()], system.coupled)
    found = {}
    for name, tensor in tensors.items():
        result = rule(name, tensor)
        if isinstance(result, dict):
            found.update(result)
    return found


@pytest.mark.parametrize("layout", [at_end, in_middle, at_front])
def test_prompts_and_their_features_at_every_place(layout):
    of = facts(FILE)["prompts"]
    rows, lengths = [], []
    for name in of["names"]:
        data = of["datasets"]["AVE" if name in of["datasets"]["AVE"]["names"] else "LLP"]
        at = data["names"].index(name)
        rows.append(data["bpe_ids_with_start_and_end"][at])
        lengths.append(data["name_lens"][at])
    longest = max(map(len, rows))
    ids = tuple(tuple(row) + (0,) * (longest - len(row)) for row in rows)
    prompts = StaticPrompts(numbers(FILE, "prompts", "in")["ctx"], Sentences(ids, tuple(lengths), 4), layout=layout)
    state = numbers(FILE, "prompts", "state") | {"token_embedding.weight": released_state()["token_embedding.weight"]}
    text = ClipText(16, width=16, depth=2, heads=2)
    from crossmodal.checkpoints import import_clip_text

    import_clip_text(text, state)
    name = {at_end: "end", in_middle: "middle", at_front: "front"}[layout]
    embedded = prompts(text.embed(prompts.sentences.on(torch.device("cpu"))))
    torch.testing.assert_close(embedded, numbers(FILE, "prompts", "out")[name][:, :longest])
    close(prompts.class_features(text), numbers(FILE, "prompts", "text")[name], 3e-5)


def test_every_released_tensor_has_a_place_or_a_reason():
    system, state = build(AVE_CLASSES)
    checkpoint = read_weights({**state, "logit_scale_a": torch.tensor(4.5)})
    rule = dg_sct_names_rule(checkpoint.tensors, system.coupled)
    _, report, _ = compare(system, checkpoint, rule, layout="")
    assert not report.differences
    assert set(report.mapped.values()) | set(report.dropped) == set(checkpoint.tensors)
