"""`figure`: four panels of the same points, their numbers by oracles, the same again for the same seed."""

import csv
import shutil

import numpy as np
import pytest
import torch
from commands import crossmodal

from crossmodal.data import World
from crossmodal.evaluation.embedding import (
    LabelledFeatures,
    concatenate,
    labelled_features,
    most_frequent_classes,
    project,
)
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.tasks.ave import TASK as AVE
from crossmodal.training.run import load_run

pytest.importorskip("sklearn")
CLIPS = 5


@pytest.fixture(scope="module")
def drawn(lab, tmp_path_factory):
    """The command on the run of `lab`, told of more clips than it was trained on."""
    folder = tmp_path_factory.mktemp("figure")
    shutil.copytree(lab[0] / "runs/first", folder / "runs/first")
    config = folder / "runs/first/config.yaml"
    told = config.read_text().replace("held_out: 2", f"held_out: {CLIPS}")
    config.write_text(told.replace("clips: 4", f"clips: {CLIPS + 1}"))
    done = crossmodal(folder, "ave", "figure", "runs/first", "--out", "drawn")
    assert done.code == 0, done.err
    return folder / "drawn", done


def rows(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_all_panels_hold_the_same_seconds_with_an_event(drawn):
    world, found = World("test", clips=CLIPS), rows(drawn[0] / "test.csv")
    names = (*world.classes, "background")
    expected = [
        (str(clip), str(segment), names[label])
        for clip in range(CLIPS)
        for segment, label in enumerate(world[clip].labels.tolist())
        if names[label] != "background"
    ]
    assert [(row["clip"], row["segment"], row["class"]) for row in found] == expected
    assert len(found[0]) == 3 + 8  # two coordinates in each of four panels
    assert (drawn[0] / "test.png").read_bytes().startswith(b"\x89PNG")


def test_it_prints_what_it_writes_and_says_which_data(drawn):
    assert (drawn[0] / "test_scores.csv").read_text().strip() in drawn[1].out
    assert "the built-in world (seed 0, 6 training clips): procedural clips, no real data" in drawn[1].lines[0]
    assert [(row["stream"], row["features"]) for row in rows(drawn[0] / "test_scores.csv")] == [
        ("visual", "original"),
        ("visual", "guided"),
        ("audio", "original"),
        ("audio", "guided"),
    ]


def test_original_features_are_the_frozen_encoders_and_guided_ones_what_the_head_reads(lab):
    model, _ = load_run(lab[0] / "runs/first", AVE)
    world = World("test", clips=1)
    (found,) = labelled_features(model, AVE, world, 1)
    clip, shown = world[0], torch.from_numpy(found.segments)
    with torch.no_grad():
        guided = model.features(clip)
        alone = dg_sct().eval().coupled.encoder("visual")(clip.frames).mean(1)
    np.testing.assert_allclose(found.features["visual", "original"], alone[shown].numpy(), atol=1e-5)
    for stream in ("visual", "audio"):
        np.testing.assert_allclose(
            found.features[stream, "guided"], getattr(guided, stream)[0, shown].numpy(), atol=1e-5
        )
    silent = dg_sct().eval()
    (same,) = labelled_features(silent, AVE, world, 1)
    streams = silent.run(clip.frames[None], clip.wave[None]).streams  # closed gates: the frozen stream
    np.testing.assert_allclose(
        same.features["audio", "original"], streams["audio"].mean(1)[shown].detach().numpy(), atol=1e-5
    )


def made(count, seed, apart):
    """Seconds of two classes, `apart` standard deviations from each other."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    features = random.normal(size=(count, 4)) + apart * labels[:, None]
    return LabelledFeatures({("visual", "guided"): features}, labels, np.zeros(count, int), np.arange(count))


def slow_silhouette(features, labels):
    """Point by point: how much nearer its own class is than the other."""
    total = 0.0
    for at, point in enumerate(features):
        far = np.sqrt(((features - point) ** 2).sum(1))
        own = far[(labels == labels[at]) & (np.arange(len(labels)) != at)].mean()
        other = far[labels != labels[at]].mean()
        total += (other - own) / max(own, other)
    return total / len(features)


@pytest.mark.parametrize("apart", [0.0, 6.0])
def test_probe_and_silhouette_tell_classes_that_lie_apart(apart):
    train, asked = made(60, 0, apart), made(20, 1, apart)
    found = project(train, asked, ("visual", "guided"), seed=0)
    given = train.features["visual", "guided"]
    standard = (asked.features["visual", "guided"] - given.mean(0)) / given.std(0)
    assert found.silhouette == pytest.approx(slow_silhouette(standard, asked.labels))
    assert found.majority == 0.5
    assert found.probe == 1 if apart else found.probe < 0.8
    again = project(train, asked, ("visual", "guided"), seed=0)
    assert np.array_equal(again.points, found.points)


def test_some_classes_are_picked_by_their_seconds_or_names(lab):
    assert most_frequent_classes(np.array([4, 4, 1, 1, 1, 0]), 2) == [1, 4]
    some = concatenate([made(4, 0, 1.0)]).of([1])
    assert some.labels.tolist() == [0, 0]
    assert some.segments.tolist() == [1, 3]
    wrong = crossmodal(
        lab[0],
        "ave",
        "figure",
        "runs/first",
        "--classes",
        "green",
        "beige",
        "--clips=1",
        "--train_clips=1",
        "--out",
        "none",
    )
    assert wrong.code == 1
    assert "--classes 'beige' is none of red, green" in wrong.err
    assert not (lab[0] / "none").exists()


def test_too_few_classes_are_refused_in_words():
    with pytest.raises(ValueError, match="1 classes in 2 training points, 2 in 4 asked ones: a probe"):
        project(made(4, 0, 1.0).of([1]), made(4, 0, 1.0), ("visual", "guided"), seed=0)


def test_a_classifier_of_clips_has_a_point_per_clip(classified):
    done = crossmodal(classified, "classify", "figure", "--train_clips", 6)
    assert done.code == 0, done.err
    found = rows(classified / "runs/first/figure/test.csv")
    assert [(row["clip"], row["segment"]) for row in found] == [(str(clip), "0") for clip in range(5)]


def test_a_system_without_coupled_encoders_is_told_so(alone):
    done = crossmodal(alone, "ave", "figure", "runs/alone")
    assert (done.code, done.out) == (2, "")
    assert "ave figure: the system 'alone' has no coupled encoders, whose features are compared." in done.err
