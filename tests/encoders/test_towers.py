"""Towers and text encoders: what prompts rely on, laws of sections and sites, published sizes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from crossmodal.encoders import ClipText, RobertaText, TextEncoder, Tower, clap_model, clip_image, clip_model, cosines
from crossmodal.encoders.clip import CLIP_SIZES, clip_of_size
from crossmodal.encoders.htsat import htsat_tiny_audioset
from crossmodal.encoders.towers import ClassToken, DualEncoder, MeanToken, MlpPool
from crossmodal.testing import check_encoder

TOKENS = torch.tensor([[9, 3, 10, 1, 1], [9, 4, 5, 6, 10]])


def text_towers():
    torch.manual_seed(0)
    clip = ClipText(4, vocabulary=11, context=6, width=8, depth=3, heads=2)
    return {"clip": clip, "roberta": RobertaText(4, vocabulary=11, context=6, width=8, depth=3, heads=2, hidden=16)}


@pytest.mark.parametrize("kind", ["clip", "roberta"])
def test_embedded_texts_are_texts_and_padding_changes_nothing(kind):
    text = text_towers()[kind].eval()
    assert isinstance(text, TextEncoder)
    expected = text(TOKENS)
    assert torch.equal(text.encode(text.embed(TOKENS), TOKENS), expected)
    torch.testing.assert_close(text(TOKENS[:1, :3]), expected[:1])
    longer = torch.cat([TOKENS, torch.ones(2, 1, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(text(longer), expected)


@pytest.mark.parametrize("kind", ["clip", "roberta"])
def test_deep_prompts_enter_between_blocks_in_order(kind):
    text, seen = text_towers()[kind].eval(), []

    def between(index, stream):
        seen.append(index)
        return stream if index != 1 else torch.cat([stream[:, :1], prompt.expand(2, 1, -1), stream[:, 2:]], dim=1)

    prompt = torch.randn(8, requires_grad=True)
    prompted = text.encode(text.embed(TOKENS), TOKENS, between=between)
    assert seen == [0, 1, 2]
    assert not torch.allclose(prompted, text(TOKENS))
    assert torch.autograd.grad(prompted.sum(), prompt)[0].abs().min() > 0


@given(depth=st.integers(1, 3), rows=st.integers(1, 3), seed=st.integers(0, 99))
def test_a_tower_reads_what_its_sections_return(depth, rows, seed):
    torch.manual_seed(seed)
    encoder, seen = clip_image(4 * rows, patch=4, width=8, depth=depth, heads=2), []
    tower, frames = Tower(encoder, ClassToken(), nn.Linear(8, 5), 5), torch.randn(2, 3, 4 * rows, 4 * rows)
    stream = encoder.stem(frames)
    for site in encoder.sites[1:]:
        stream = encoder.section(site.name)(stream)
        assert stream.shape == (2, site.tokens, site.width)
    assert torch.equal(tower.read(stream), tower(frames))
    tower(frames, lambda index, stream: seen.append(index) or stream)
    assert seen == list(range(depth))


def test_visual_prompts_are_appended_before_the_norm_and_read_by_the_class_token():
    torch.manual_seed(0)
    encoder = clip_image(8, patch=4, width=8, depth=2, heads=2)
    tower, frames = Tower(encoder, ClassToken(), nn.Linear(8, 5), 5), torch.randn(2, 3, 8, 8)
    stem = encoder.stem
    assert torch.equal(stem(frames), stem.norm(stem.embed(frames)))
    more = stem.norm(torch.cat([stem.embed(frames), torch.randn(2, 3, 8)], dim=1))
    assert not torch.allclose(tower.read(tower.blocks(more)), tower(frames))


def test_the_image_tower_keeps_all_laws():
    encoder = clip_image(8, patch=4, width=8, depth=2, heads=2)
    check_encoder(encoder, torch.randn(2, 3, 8, 8))
    assert encoder.sites[0].prefix == 1
    assert encoder.sites[-1].extent == {"row": 2, "column": 2}


def test_logits_are_scaled_cosines():
    torch.manual_seed(0)
    model = clip_model(clip_image(8, patch=4, width=8, depth=1, heads=2), text_towers()["clip"])
    frames = torch.randn(3, 3, 8, 8)
    features, texts = model.tower(frames), model.text(TOKENS)
    expected = nn.functional.cosine_similarity(features[:, None], texts[None], dim=-1)
    torch.testing.assert_close(cosines(features, texts), expected)
    torch.testing.assert_close(model(frames, TOKENS), expected / 0.07)


@given(order=st.permutations(range(5)))
def test_pooling_ignores_the_order_of_tokens(order):
    torch.manual_seed(0)
    stream = torch.randn(2, 5, 6)
    for pool in (MeanToken(), MlpPool(6, 4)):
        torch.testing.assert_close(pool(stream[:, list(order)]), pool(stream))


@pytest.mark.parametrize(("name", "parameters"), [("clip_vit_b_32", 151_277_313), ("clip_vit_l_14", 427_616_513)])
def test_published_sizes_have_the_published_parameters(name, parameters):
    with torch.device("meta"):
        model = clip_of_size(CLIP_SIZES[name])
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_clap_has_the_parts_of_the_published_one():
    with torch.device("meta"):
        model = clap_model(htsat_tiny_audioset(), RobertaText())
    assert sum(parameter.numel() for parameter in model.text.parameters()) == 124_645_632 + 656_384
    assert model.tower(torch.empty(2, 1001, 64, device="meta")).shape == (2, 512)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: clip_image(9, patch=4), "ClipStem: patch=4 must divide size=9"),
        (lambda: clip_image(8, patch=4, width=6, heads=4), "TokenAttention: heads=4 must divide width=6"),
        (lambda: clip_image(8, patch=4, depth=0), "clip_image: depth=0 must be at least 1"),
        (lambda: text_towers()["clip"](torch.zeros(1, 7, dtype=torch.int64)), "7 positions, .* context=6: shorten"),
        (lambda: text_towers()["roberta"](torch.zeros(1, 7, dtype=torch.int64)), "7 positions, .* context=6: shorten"),
        (
            lambda: DualEncoder(
                Tower(clip_image(8, patch=4, width=8, depth=1, heads=2), ClassToken(), nn.Identity(), 8),
                text_towers()["clip"],
            ),
            r"DualEncoder: tower\.features=8 must equal text\.features=4",
        ),
        (lambda: clip_image(8, patch=4, width=8, depth=1, heads=2)(torch.zeros(1, 3, 9, 8)), r"picture is \(3, 9, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
