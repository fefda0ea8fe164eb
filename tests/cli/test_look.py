"""`look`: what it scores is what the model says and the world knows, second by second."""

import csv
import re
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from commands import crossmodal

from crossmodal.adapters import shuffled
from crossmodal.cli import look as verb
from crossmodal.data import LabelledClip, World
from crossmodal.drawing import read_sites, unfold_map
from crossmodal.evaluation.counterfactuals import MISSING, SILENCED, guide_effects
from crossmodal.evaluation.items import batch_of
from crossmodal.evaluation.pointing import (
    ANY,
    BEST,
    SOUNDING,
    WorldEffects,
    mean_probabilities,
    pointing_rows,
    pointing_text,
)
from crossmodal.evaluation.report.guide_figure import guide_figure
from crossmodal.heads import Events, decode_events
from crossmodal.metrics import pointing_game
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.classify.dg_sct import dg_sct as classifier
from crossmodal.recipes.dg_sct import dg_sct as couple
from crossmodal.recipes.lavish import lavish as couple_lavish
from crossmodal.tasks.ave import TASK as AVE
from crossmodal.tasks.classify import TASK as CLASSIFY
from crossmodal.training.run import load_run

WORLD = World("test", clips=2)


def brief(clip=0, length=3):
    """The first seconds of a clip: a whole one takes three times as long."""
    return LabelledClip(*(part[:length] for part in WORLD[clip]))


def effects_on(model, length=3, task=AVE):
    """What `world_effects` yields, of the first seconds of a clip."""
    clip, truth = brief(0, length), WORLD.truth(0)
    masks = (torch.from_numpy(mask[:length]) for mask in (truth.event_mask, truth.masks.any(axis=1)))
    batch = batch_of(clip, model)
    return WorldEffects(guide_effects(model, batch), *masks, task.labels(batch, model.classes), [0])


@pytest.fixture(scope="module")
def seen(lab):
    """The command on the first test clip of a finished run, and where it wrote."""
    folder, _ = lab
    done = crossmodal(folder, "ave", "look", "runs/first", "--figures", 1, "--clips", 1, "--out", "seen")
    assert done.code == 0, done.err
    return folder / "seen", done


def rows(file):
    with file.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_scores_are_those_of_the_model(lab, seen):
    model, _ = load_run(lab[0] / "runs/first", AVE)
    found = rows(seen[0] / "scores.csv")
    assert len(found) == 10
    names = [*model.classes, "background"]
    clip = WORLD[0]
    with torch.no_grad():
        scores = model.probabilities(model(batch_of(clip, model)))[0]
    for row, label, score in zip(found, clip.labels.tolist(), scores, strict=True):
        assert (row["clip"], row["truth"]) == ("0", names[label])
        assert float(row["guided"]) == pytest.approx(score[label].item(), abs=1e-4)


def test_the_pointing_game_is_played_on_what_the_model_returns(lab, seen):
    model, _ = load_run(lab[0] / "runs/first", AVE)
    with torch.no_grad():
        maps = model.run(WORLD[0].frames[None], WORLD[0].wave[None]).maps
    sites = read_sites(model.coupled)
    mask = torch.from_numpy(WORLD.truth(0).event_mask)
    played = {(row["coupler"], row["what"], row["target"]): row for row in rows(seen[0] / "pointing.csv")}
    for coupler, by_edge in maps.items():
        grid = unfold_map(by_edge["audio", "visual"]["spatial"], sites[coupler]["visual"])
        expected, row = pointing_game(grid, mask), played[coupler, "spatial map", SOUNDING]
        assert float(row["accuracy"]) == pytest.approx(expected.accuracy.item(), abs=1e-5)
        assert float(row["chance"]) == pytest.approx(expected.chance.item(), abs=1e-5)
        assert float(played[coupler, BEST, ANY]["accuracy"]) >= float(played[coupler, MISSING, ANY]["accuracy"])
    shown = int(mask.flatten(1).any(1).sum())
    assert f"{shown} seconds in which a visible object sounds" in seen[1].lines


def test_it_draws_as_many_clips_as_asked(seen):
    folder, done = seen
    assert sorted(file.name for file in folder.iterdir()) == [
        "maps.csv",
        "pointing.csv",
        "scores.csv",
        "world-0-test-0.png",
    ]
    assert (folder / "world-0-test-0.png").read_bytes().startswith(b"\x89PNG")
    assert done.lines[-1] == "written to seen/"


def test_closed_gates_change_nothing_and_score_alike():
    found = effects_on(dg_sct().eval()).effects
    for stream in ("visual", "audio"):
        for kind in (MISSING, SILENCED):
            assert all((change == 0).all() for change in found.values[stream][kind].values())
    for name, scores in found.probabilities.items():
        if name.endswith("missing"):
            assert torch.equal(scores, found.probabilities["guided"])
    assert list(found.probabilities)[:3] == ["guided", "audio → visual missing", "audio → visual silenced"]


def test_one_edge_and_a_model_without_maps():
    one = dg_sct(coupling=partial(couple, edges=(("visual", "audio"),))).eval()
    part = effects_on(one)
    assert list(part.effects.values) == ["audio"]
    assert pointing_rows(one, [part]) == []  # nothing guides the frames
    bare = dg_sct(coupling=couple_lavish).eval()
    heads = pointing_text(pointing_rows(bare, [effects_on(bare)]), SOUNDING).splitlines()[1]
    assert re.split(" {2,}", heads.strip()) == ["coupler", "grid", MISSING, SILENCED, BEST]


def test_a_run_that_nothing_guides_is_refused_in_words():
    model = dg_sct(coupling=partial(couple, edges=())).eval()
    with pytest.raises(ValueError, match="this run has no edge: no stream guides another"):
        effects_on(model)


def test_a_system_without_adapters_is_told_so(alone):
    done = crossmodal(alone, "ave", "look", "runs/alone")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "crossmodal: ave look: the system 'alone' has no adapters: no stream guides another, and there is nothing to "
        "take away.\n"
    )


def test_a_classifier_of_clips_is_looked_at_clip_by_clip(classified):
    done = crossmodal(classified, "classify", "look", "--figures", 1, "--clips", 1)
    assert done.code == 0, done.err
    folder = classified / "runs/first/looking"
    assert sorted(file.name for file in folder.iterdir()) == [
        "maps.csv",
        "pointing.csv",
        "scores.csv",
        "world-0-test-0.png",
    ]
    model, _ = load_run(classified / "runs/first", CLASSIFY)
    world = World("test", clips=5)
    scored = rows(folder / "scores.csv")
    assert [(row["clip"], row["segment"]) for row in scored] == [("0", "0")]
    for index, row in enumerate(scored):
        batch = batch_of(world[index], model)
        label = int(CLASSIFY.labels(batch, model.classes))
        with torch.no_grad():
            assert float(row["guided"]) == pytest.approx(model(batch).softmax(1)[0, label].item(), abs=1e-4)
        assert row["truth"] == model.classes[label]


def test_a_picture_of_a_classified_clip_repeats_its_label():
    model = classifier().eval()
    figure = guide_figure(model, CLASSIFY, WORLD[0])
    label = model.classes[int(CLASSIFY.labels(batch_of(WORLD[0], model), model.classes))]
    titles = [text.get_text() for text in figure.texts][:5]
    assert titles == [f"{second} s: {label}" for second in (0, 2, 4, 7, 9)]


def test_a_picture_says_seconds_labels_and_scores():
    model, clip = dg_sct().eval(), brief()
    figure = guide_figure(model, AVE, clip, torch.from_numpy(WORLD.truth(0).event_mask[:3]))
    said = [text.get_text() for text in figure.texts]
    names = [*model.classes, "background"]
    assert said[:3] == [f"{second} s: {names[label]}" for second, label in enumerate(clip.labels.tolist())]
    assert said[3] == "frames"
    assert said[4].startswith("spatial map, audio → visual, coupler stages1_1_mlp: ")
    assert said[5] == "change of each token by the edge audio → visual: -0.500 … 0.500"  # all of it is zero
    legend = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert legend == ["P(label) guided", "audio → visual missing", "audio → visual silenced"]


def test_of_a_data_set_it_draws_clips_and_says_why_nothing_is_scored(tmp_path, monkeypatch):
    class Clips(list):
        names = ("a/1", "b", "c")

    model, clips = dg_sct().eval(), Clips([brief(0, 2)] * 3)
    trained = SimpleNamespace(data=SimpleNamespace(split=lambda name: clips), system="dg_sct")
    monkeypatch.setattr(verb, "find_run", lambda runs, run, task: run)
    monkeypatch.setattr(verb, "load_run", lambda run, task: (model, trained))
    monkeypatch.setattr(verb, "prepare_source_of_run", lambda source, system, folder, splits: source)
    done = crossmodal(tmp_path, "ave", "look", "here", "--figures", 2)
    assert done.code == 0, done.err
    assert "do not say where things are\n2 items drawn\n" in done.out
    assert sorted(file.name for file in (tmp_path / "here/looking").iterdir()) == ["a_1.png", "c.png"]


def test_a_placebo_is_not_drawn_and_says_why(tmp_path, capsys):
    model = dg_sct(coupling=partial(couple, guide=shuffled)).eval()
    verb.draw_guides(model, AVE, WORLD, 0, tmp_path)
    assert "world-0-test-0.png was not drawn: shuffled: guide has 10 frames" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_probabilities_are_what_is_decoded():
    torch.manual_seed(0)
    events = Events(torch.randn(3, 4), torch.randn(3, 5), torch.randn(3, 5), torch.rand(3, 4))
    scores = dg_sct().probabilities(events)
    torch.testing.assert_close(scores.sum(2), torch.ones(3, 4))
    decoded = decode_events(events)
    torch.testing.assert_close(scores.gather(2, decoded.labels[:, :, None])[:, :, 0], decoded.confidence)


def test_means_are_over_seconds_in_which_a_visible_object_sounds():
    effects = SimpleNamespace(probabilities={"guided": torch.tensor([[[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]]])})
    mask = torch.tensor([True, False, True]).view(3, 1, 1)
    part = WorldEffects(effects, mask, mask, torch.tensor([[1, 0, 0]]), [0])
    assert mean_probabilities([part])["guided"] == pytest.approx((0.8 + 0.9) / 2)
    effects = SimpleNamespace(probabilities={"guided": torch.tensor([[[0.2, 0.8]], [[0.6, 0.4]]])})
    mask = torch.tensor([[True, False], [False, False]]).view(4, 1, 1)
    part = WorldEffects(effects, mask, mask, torch.tensor([[1], [0]]), [0, 1])  # a label per clip; one that sounds
    assert mean_probabilities([part])["guided"] == pytest.approx(0.8)
