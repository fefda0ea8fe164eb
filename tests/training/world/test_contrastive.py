"""Tiny CLIP and tiny CLAP know what they are said to know, also of pairs that were held out of their training."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from crossmodal.data.world import World
from crossmodal.data.world.captions import PHOTO, held_out_pairs, is_held_out
from crossmodal.encoders.by_name import image_text, sound_text
from crossmodal.encoders.by_name.tiny import VISUAL, tiny_visual
from crossmodal.encoders.by_name.tiny_texts import CLAP, CLIP, tiny_clap, tiny_clip
from crossmodal.injection import fingerprint
from crossmodal.training.world import contrastive
from crossmodal.training.world.zero_shot import zero_shot


def claimed():
    with safe_open(CLIP, framework="pt") as file:
        return json.loads(file.metadata()["zero_shot"])


def test_they_are_small_and_stand_on_the_tiny_encoders():
    assert CLIP.stat().st_size + CLAP.stat().st_size <= 4e6
    assert fingerprint(tiny_clip().tower.encoder) == fingerprint(tiny_visual(weights=VISUAL))
    assert (
        image_text("tiny_clip").tokenizer(["a red dots."]).tolist()
        == sound_text("tiny_clap").tokenizer(["a red dots."]).tolist()
    )


def test_zero_shot_is_far_above_chance_also_on_pairs_that_no_caption_named():
    figures = zero_shot(tiny_clip().eval(), tiny_clap().eval(), World("val", clips=12, seed=1, answer="pair"))
    said = claimed()
    assert figures["CLIP: pair is seen"] > 3 * figures["CLIP: chance"]
    assert said["both: event"] > 20 * said["chance"]
    assert said["both: among held-out"] > 5 * said["chance among held-out"]
    assert figures["both: among held-out"] > 3 * figures["chance among held-out"]
    assert said["events"] > 2000
    assert figures["both: event"] == pytest.approx(said["both: event"], abs=0.2)


def test_nothing_of_the_training_shows_or_names_a_held_out_pair():
    world = World("train", clips=6, seed=3, answer="pair")
    clip, clap = tiny_clip(weights=None).eval(), tiny_clap(weights=None).eval()
    kept, all_ = (contrastive.frozen_seconds(world, clip, clap, held_out=held, every=5) for held in (False, True))
    hidden = torch.tensor([[is_held_out(t, c) for c in range(6)] for t in range(8)])
    assert hidden.sum(1).tolist() == [1] * 8
    assert not kept.seen.any(-1)[:, hidden].any()
    assert all_.seen.any(-1)[:, hidden].any(1).sum() == len(all_.tokens) - len(kept.tokens) > 0
    for captions in (
        contrastive.captions_of_frames(world, kept.seen),
        contrastive.captions_of_sounds(world, kept.heard),
    ):
        assert not [name for name in captions.names for pair in held_out_pairs() if pair in name]
        assert captions.true.shape == (len(kept.tokens), len(captions.names))


def test_captions_are_true_of_what_a_second_shows():
    seen = torch.zeros(1, 8, 6, 4, dtype=torch.bool)
    seen[0, 1, 2, 3] = True  # blue rows, a triangle
    world = World(clips=1)
    captions = contrastive.captions_of_frames(world, seen)
    true = {name for name, is_true in zip(captions.names, captions.true[0], strict=True) if is_true}
    assert true == {"rows", "blue", "blue rows", "blue rows triangle"}
    heard = torch.zeros(2, 8, dtype=torch.bool)
    heard[0, 1] = True
    captions = contrastive.captions_of_sounds(world, heard)
    true = [{captions.names[at] for at in np.flatnonzero(row)} for row in captions.true.numpy()]
    assert true[0] == {"rows", *(f"{colour} rows" for colour in ("red", "green", "blue", "yellow", "cyan"))}
    assert true[1] == {"background"}


def test_the_loss_takes_all_true_ones_as_targets_and_skips_rows_without_one():
    logits = torch.randn(3, 4, dtype=torch.float64)
    true = torch.tensor([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], dtype=torch.float64)
    rows, columns = logits.log_softmax(1), logits.log_softmax(0)
    by_row = -((rows[0, 0] + rows[0, 1]) / 2 + rows[2, 2]) / 2
    by_column = -(columns[0, 0] + columns[0, 1] + columns[2, 2]) / 3
    torch.testing.assert_close(contrastive.contrastive_loss(logits, true), (by_row + by_column) / 2)


def test_the_command_writes_both_and_they_are_read_back(tmp_path, capsys):
    contrastive.main(["--clips=3", "--steps=4", "--test-clips=1", f"--out={tmp_path}"])
    assert "Zero-shot, by second:" in capsys.readouterr().out
    model = tiny_clip(weights=tmp_path / CLIP.name)
    assert not any(name.startswith("tower.encoder.") for name in safe_open(tmp_path / CLIP.name, "pt").keys())  # noqa: SIM118
    assert PHOTO.format("red dots") == "a photo of a red dots."
    assert model.scale > 0
    with pytest.raises(FileNotFoundError, match="Tiny CLIP and CLAP: no weights at"):
        tiny_clap(weights=tmp_path / "none")
