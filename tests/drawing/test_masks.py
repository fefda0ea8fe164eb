"""Masks in pictures and files: what was found, missed and wrong has its colour; the video lasts as long as the film."""

import av
import numpy as np
import pytest
import torch
from PIL import Image

from crossmodal.data.clip import Clip, Preprocess
from crossmodal.drawing.mask_figure import FOUND, MISSED, WRONG, envelope, overlaid
from crossmodal.heads.masks import DecodedMasks
from crossmodal.tasks.avs import TASK
from crossmodal.tasks.pictures import with_pictures
from crossmodal.tasks.task import Clips


def clip(seconds=3, side=32):
    return Clip(torch.zeros(seconds, 3, side, side), torch.sin(torch.arange(seconds * 8000.0)).view(seconds, 8000))


def test_found_missed_and_wrong_pixels_have_their_colours():
    found, true = torch.tensor([[[1.0, 0.0, 1.0, 0.0]]]), torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    (painted,) = overlaid(torch.zeros(1, 1, 4, 3), found, true, opacity=1.0)
    expected = torch.tensor([FOUND, MISSED, WRONG, (0.0, 0.0, 0.0)])
    torch.testing.assert_close(painted[0], expected)
    (alone,) = overlaid(torch.zeros(1, 1, 4, 3), found, opacity=1.0)
    torch.testing.assert_close(alone[0, 2], torch.tensor(FOUND))


def test_the_figure_has_a_row_for_what_is_known():
    prediction = DecodedMasks(torch.rand(1, 3, 16, 16))
    drawn = TASK.draw(prediction, clip(), (), start=7)
    assert [text.get_text() for text in drawn.texts][:3] == ["7 s", "8 s", "9 s"]
    assert len(drawn.axes) == 3 * 3 + 1
    low, high = envelope(clip().wave, points=10)
    assert len(low) == len(high) == 30
    assert high.max() == pytest.approx(1, abs=0.01)


def test_files_of_a_film(tmp_path):
    probability = torch.zeros(1, 3, 16, 16)
    probability[0, 1, 4:8] = 0.9
    said = TASK.write_files(tmp_path / "masks", tmp_path / "film.mp4", [(clip(), DecodedMasks(probability))])
    assert said.startswith("3 masks and film_overlay.mp4")
    masks = [np.asarray(Image.open(tmp_path / "masks" / f"film_{second:04d}.png")) for second in range(3)]
    assert [int(mask.sum()) for mask in masks] == [0, 255 * 4 * 16, 0]
    with av.open(str(tmp_path / "masks/film_overlay.mp4")) as made:
        assert sum(1 for _ in made.decode(video=0)) == 3
    with av.open(str(tmp_path / "masks/film_overlay.mp4")) as made:
        assert sum(frame.samples for frame in made.decode(audio=0)) / 44_100 == pytest.approx(3, abs=0.1)


def test_lines_of_a_film():
    probability = torch.zeros(1, 2, 4, 4)
    probability[0, 1, 0] = 0.8
    lines = [told.line for told in TASK.tell([(clip(2), DecodedMasks(probability))], ())]
    assert "0.0 % of the frame sounds" in lines[0]
    assert "25.0 % of the frame sounds   surest pixel 0.80" in lines[1]


def test_masks_of_a_longer_film_before_do_not_stay(tmp_path):
    for name in ("film_0000.png", "film_0001.png", "film_0009.png", "film_0009b.png", "other_0009.png"):
        (tmp_path / name).touch()
    TASK.write_files(tmp_path, tmp_path / "film.mp4", [(clip(2), DecodedMasks(torch.zeros(1, 2, 16, 16)))])
    found = sorted(file.name for file in tmp_path.glob("*.png"))
    assert found == ["film_0000.png", "film_0001.png", "film_0009b.png", "other_0009.png"]


def test_frames_are_drawn_as_they_were_before_any_normalisation(tmp_path):
    """Whatever mean and standard deviation a system's encoder asks for."""
    original = torch.rand(2, 3, 32, 32)
    for numbers in ({}, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}):
        preprocess = Preprocess(32, 8000, **numbers)
        system = torch.nn.Module()
        system.inputs = Clips(preprocess)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preprocess.mean, preprocess.std))
        item = clip(2)._replace(frames=(original - mean) / std)
        torch.testing.assert_close(with_pictures(item, system).frames, original)
    features = clip(2)._replace(frames=torch.rand(2, 7, 7, 64))
    assert with_pictures(features, system) is features
