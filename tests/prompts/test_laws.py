"""Laws of prompt learners over a small text tower."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.encoders import ClipText
from crossmodal.encoders.text_tokens import WordTokenizer
from crossmodal.prompts import (
    ConditionalPrompts,
    DeepPrompts,
    FeatureAdapter,
    FixedPrompts,
    StaticPrompts,
    at_end,
    at_front,
    context_from_words,
    context_per_class,
    in_middle,
    sentences,
    shared_context,
    template_tokens,
)

WORDS = ("a", "photo", "of", "red", "blue", "dots", "bell", "rows", ".", "x")
NAMES = ("red dots", "bell", "blue_rows dots", "dots")


def tower(seed=0):
    torch.manual_seed(seed)
    tokenizer = WordTokenizer(WORDS, context=16)
    text = ClipText(6, vocabulary=tokenizer.vocabulary, context=16, width=8, depth=2, heads=2).double()
    return text.requires_grad_(False), tokenizer


seeds = st.integers(0, 2**16)
layouts = st.sampled_from([at_end, in_middle, at_front])


def test_an_untrained_learner_from_words_equals_the_plain_prompt():
    text, tokenizer = tower()
    context = context_from_words(text, tokenizer, len(NAMES), words="a photo of a")
    prompts = StaticPrompts(context, sentences(tokenizer, NAMES, context=len(context)))
    names = [name.replace("_", " ") for name in NAMES]
    plain = FixedPrompts(template_tokens(tokenizer, names, "a photo of a {}."))
    torch.testing.assert_close(prompts.class_features(text), plain.class_features(text))
    deep = DeepPrompts(context[:2], sentences(tokenizer, NAMES, context=2, before="of a"), visual_widths=(4,)).double()
    torch.testing.assert_close(deep.class_features(text), plain.class_features(text))


@settings(max_examples=10)
@given(seeds, layouts, st.integers(1, 5), st.permutations(range(len(NAMES))))
def test_the_order_of_classes_permutes_their_features(seed, layout, length, order):
    text, tokenizer = tower(seed)
    context = shared_context(text, tokenizer, 4, length=length).double()
    names = [NAMES[at] for at in order]
    first, other = (
        StaticPrompts(context, sentences(tokenizer, of, context=length), layout=layout).class_features(text)
        for of in (NAMES, names)
    )
    torch.testing.assert_close(other, first[list(order)])


@settings(max_examples=10)
@given(seeds, layouts, st.integers(0, 3))
def test_vectors_of_one_class_touch_no_other(seed, layout, moved):
    text, tokenizer = tower(seed)
    context = context_per_class(text, tokenizer, len(NAMES), length=3).double()
    prompts = StaticPrompts(context, sentences(tokenizer, NAMES, context=3), layout=layout)
    before = prompts.class_features(text).detach()
    with torch.no_grad():
        prompts.context[moved] += torch.randn_like(prompts.context[moved])  # a constant is lost in the norms
    apart = (prompts.class_features(text) - before).abs().amax(1) > 1e-9
    assert apart.tolist() == [at == moved for at in range(len(NAMES))]


def test_a_picture_shifts_its_own_prompts_and_no_shift_is_the_static_prompt():
    text, tokenizer = tower()
    spoken = sentences(tokenizer, NAMES, context=2)
    context = shared_context(text, tokenizer, 4, length=2).double()
    prompts = ConditionalPrompts(context, spoken, features=6, reduction=2).double()
    pictures = torch.randn(3, 6, dtype=torch.float64)
    found = prompts.features_for(text, pictures)
    for at in range(3):
        torch.testing.assert_close(prompts.features_for(text, pictures[at : at + 1])[0], found[at])
    torch.nn.init.zeros_(prompts.leave.weight)
    torch.nn.init.zeros_(prompts.leave.bias)
    static = StaticPrompts(context, spoken).class_features(text)
    torch.testing.assert_close(prompts.features_for(text, pictures), static.expand(3, -1, -1))


def test_deep_vectors_replace_their_places_alone_and_pictures_reach_them():
    text, tokenizer = tower()
    context = shared_context(text, tokenizer, 4, length=2).double()
    prompts = DeepPrompts(context, sentences(tokenizer, NAMES, context=2), visual_widths=(4, 4)).double()
    before = prompts.class_features(text)
    with torch.no_grad():
        prompts.deep[0] += torch.randn_like(prompts.deep[0])
    assert ((prompts.class_features(text) - before).abs().amax(1) > 1e-9).all()
    (slope,) = torch.autograd.grad(prompts.visual_tokens()[1].sum(), prompts.deep[0])
    assert slope.abs().sum() > 0


@given(seeds)
def test_an_adapter_without_a_share_is_the_identity_and_adds_nothing_negative(seed):
    torch.manual_seed(seed)
    features = torch.randn(5, 8)
    assert torch.equal(FeatureAdapter(8, share=0.0)(features), features)
    assert (FeatureAdapter(8, share=0.5)(features) - 0.5 * features >= -1e-6).all()


def test_misfits_are_named():
    text, tokenizer = tower()
    own = context_per_class(text, tokenizer, 4, length=2)
    prompts = StaticPrompts(own, sentences(tokenizer, NAMES, context=2))
    with pytest.raises(ValueError, match="vectors of 4 classes, but there are 1"):
        prompts.speak_of(sentences(tokenizer, NAMES[:1], context=2))
    with pytest.raises(ValueError, match="3 placeholders, but context has 2"):
        prompts.speak_of(sentences(tokenizer, NAMES, context=3))
    with pytest.raises(ValueError, match="none that is empty"):
        sentences(tokenizer, ["red", " "], context=2)
    with pytest.raises(ValueError, match="must hold one"):
        template_tokens(tokenizer, NAMES, "a photo")
