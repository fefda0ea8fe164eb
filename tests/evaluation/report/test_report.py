"""`report.html` and the page of a film: whole, self-contained, true to the files beside them, and never in the way."""

import csv
import json
import re
import shutil
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from commands import FITTED, SMALL, crossmodal
from html_pages import Read, checked, said

from crossmodal.data import Clip
from crossmodal.drawing import unfold_map
from crossmodal.evaluation.films import Window
from crossmodal.evaluation.report import film_page, map_figures
from crossmodal.evaluation.report.film_page import DRAWN, MAPPED, write_film
from crossmodal.evaluation.report.map_figures import ItemMaps
from crossmodal.evaluation.report.page import render
from crossmodal.evaluation.report.report import evenly_spaced, read_scores, share_in_words, write_page
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.dg_sct import dg_sct as couple
from crossmodal.recipes.lavish import lavish as couple_lavish
from crossmodal.tasks.ave import TASK as AVE
from crossmodal.tasks.coupled_system import final_token_maps
from crossmodal.tasks.resolve import find_task
from crossmodal.testing.ave_layout import write_ave


def words_of(pictures):
    return said(Read("".join(picture.svg for picture in pictures)))


def test_the_report_says_what_the_files_say(lab):
    run = lab[0] / "runs/first"
    words, summary = said(checked(run / "report.html")), json.loads((run / "summary.json").read_text())
    for share in (summary["test"]["accuracy"], summary["chance"]["accuracy"]):
        assert f"{100 * share:.1f} %" in words
    for part in ("dg_sct (visual tiny, audio tiny)", "the built-in world", f"torch {summary['versions']['torch']}"):
        assert part in words
    assert "seed 0" in words
    assert "crossmodal ave test --run runs/first" in words
    assert "crossmodal ave fit --runs runs --name first --resume true" in words
    assert "crossmodal ave look --run runs/first crossmodal ave figure --run runs/first" in words


def test_every_second_of_a_shown_clip_is_in_both_strips(lab):
    words = said(checked(lab[0] / FITTED))
    with (lab[0] / "runs/first/predictions.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    for name in {row["clip"] for row in rows}:
        of = [row for row in rows if row["clip"] == name]
        axis = " ".join(f"{second} s" for second in range(10))
        truth = " ".join(row["truth"] for row in of)
        cells = [
            f"{'✗ ' * (row['truth'] != row['prediction'])}{row['prediction']} {float(row['score']):.2f}" for row in of
        ]
        assert f"{axis} truth {truth} predicted {' '.join(cells)}" in words.split(f"{name}: ")[1]


def test_it_names_the_maps_it_draws(lab):
    words = said(checked(lab[0] / FITTED))
    assert words.count("spatial map, audio → visual, coupler stages1_1_mlp") == 2
    assert words.count("spatial map, visual → audio, coupler stages1_1_mlp") == 2
    assert "last coupler that has one" in words


def test_a_classifier_of_clips_has_neither_events_nor_background(classified, clip):
    words = said(checked(classified / "runs/first/report.html"))
    assert "Classes of clips: first" in words
    assert re.search(r"world-0-test-\d: (right|wrong) truth \w+ predicted", words)
    assert not re.search(r"event|background|segments", words.split("Every option")[0])
    done = crossmodal(classified, "classify", "predict", clip(1.0))
    assert done.code == 0, done.err
    film = said(checked(classified / "runs/first/predictions/1.0.html"))
    assert not re.search(r"event|background", film)
    assert all(line.split()[0] in film for line in done.lines[1:-1])


def test_a_system_without_couplers_has_a_page_too(alone, clip):
    words = said(checked(alone / "runs/alone/report.html"))
    assert "This system has no coupled encoders: there are no maps to draw." in words
    assert "truth" in words
    assert "map, " not in words
    assert "ave test --run runs/alone" in words
    assert "ave look" not in words
    assert crossmodal(alone, "ave", "predict", clip(1.0)).code == 0
    assert checked(alone / "runs/alone/predictions/1.0.html").elements.count("image") == 1  # the frame


def test_test_rewrites_it(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/rewritten")
    file = folder / "runs/rewritten/report.html"
    before = (folder / FITTED).read_text()
    file.unlink()
    assert crossmodal(folder, "ave", "test", "--run", "runs/rewritten", drawn=5).code == 0
    pictures = [re.findall("<svg.*?</svg>", text, flags=re.DOTALL) for text in (before, file.read_text())]
    assert len(pictures[0]) > 8
    assert pictures[0] == pictures[1]  # the same again, byte for byte


@pytest.mark.parametrize("missing", ["matplotlib", "jinja2"])
def test_without_a_library_the_run_is_whole_and_says_what_to_install(lab, monkeypatch, missing):
    from crossmodal.evaluation.report.page import _environment

    _environment.cache_clear()
    folder, _ = lab
    run = folder / "runs" / f"without-{missing}"
    shutil.copytree(folder / "runs/first", run)
    (run / "report.html").unlink()
    (run / "predictions.csv").unlink()
    monkeypatch.setitem(sys.modules, missing, None)
    done = crossmodal(folder, "ave", "test", "--run", run)
    assert done.code == 0
    assert f"{run}/report.html was not written: ImportError" in done.err
    assert 'pip install "crossmodal-blocks[recipes]"' in done.err
    assert done.lines[-1] == f"written to         {run}/"
    assert (run / "predictions.csv").is_file()
    assert not (run / "report.html").exists()


def test_a_page_that_fails_is_told_and_one_that_was_asked_for_is_an_error(tmp_path, capsys):
    def broken():
        raise RuntimeError("no ink")

    assert not write_page(tmp_path / "a.html", broken)
    assert "a.html was not written: RuntimeError: no ink" in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="no ink"):
        write_page(tmp_path / "a.html", broken, needed=True)


def test_predict_writes_its_page_elsewhere_where_it_is_told_to(lab, clip):
    done = crossmodal(lab[0], "ave", "predict", clip(3.0), "--run", "runs/first", "--out", "new/page.html")
    assert done.code == 0, done.err
    assert done.lines[-1] == "written to         new/page.html, .json, .csv"
    read = checked(lab[0] / "new/page.html")
    assert read.words.count("3.0.mp4") == 2  # title and heading
    assert "0–3 s" in read.words
    assert all(line.strip() in said(read) or line.split()[2] in said(read) for line in done.lines[1:-1])


def test_a_page_that_cannot_be_written_where_it_is_wanted_is_an_error(lab, clip):
    (lab[0] / "file").touch()
    done = crossmodal(lab[0], "ave", "predict", clip(1.0), "--run", "runs/first", "--out", "file/page.html")
    assert done.code == 1
    assert "file" in done.err


def couplings():
    yield pytest.param(couple, ("visual", "audio"), id="both")
    yield pytest.param(partial(couple, edges=[("audio", "visual")]), ("visual",), id="one edge")
    yield pytest.param(partial(couple, edges=[]), (), id="no edges")
    yield pytest.param(partial(couple, spatial=None), (), id="no spatial")
    yield pytest.param(couple_lavish, (), id="lavish")


@pytest.mark.parametrize(("coupling", "guided"), list(couplings()))
def test_clips_of_every_kind_of_coupling_are_drawn(coupling, guided):
    system = dg_sct(coupling=coupling).eval()
    found = map_figures.item_maps(system, Clip(torch.zeros(2, 3, 64, 64), torch.zeros(2, 16_000)), name="clip", start=7)
    words = words_of(found.rows)
    for stream in ("visual", "audio"):
        assert (f"→ {stream}, coupler stages1_1_mlp" in words) == (stream in guided)
    assert "7 s 8 s" in words


def test_a_system_of_double_precision_is_drawn():
    system = dg_sct().double().eval()
    found = map_figures.item_maps(system, Clip(torch.zeros(2, 3, 64, 64), torch.zeros(2, 16_000)), name="clip")
    assert "→ visual, coupler stages1_1_mlp" in words_of(found.rows)


def test_items_without_pictures_are_not_drawn():
    system = SimpleNamespace(inputs=dg_sct().inputs)
    assert map_figures.item_maps(system, SimpleNamespace(frames=torch.zeros(2, 8)), name="a").rows == []
    assert map_figures.item_maps(system, SimpleNamespace(question="?"), name="a").rows == []


def test_the_last_map_over_tokens_is_the_one_that_pools_the_stream():
    system = dg_sct().eval()
    frames, wave = torch.rand(1, 2, 3, 64, 64), torch.rand(1, 2, 16_000)
    coupled = system.run(frames, wave)
    for stream, extent in (("visual", {"row": 4, "column": 4}), ("audio", {"frequency": 2, "time": 8})):
        found = map_figures.drawable_map(system, coupled.maps, stream)
        assert found.values is final_token_maps(coupled, stream)["spatial"]
        assert found.site.extent == extent
        assert unfold_map(found.values, found.site).shape == (2, *extent.values())


def test_the_stretch_of_sound_that_is_drawn_is_the_one_that_the_encoder_sees():
    log_mel = torch.arange(9.0).view(1, 9, 1)
    for length, kept in ((4, [2, 3, 4, 5]), (8, list(range(8))), (9, list(range(9))), (20, list(range(9)))):
        assert map_figures.seen_stretch(log_mel, length)[0, :, 0].tolist() == kept
    stem = dg_sct().coupled.encoder("audio").stem.eval()
    log_mel = torch.rand(1, stem.length + 5, 32)
    torch.testing.assert_close(stem(log_mel), stem(map_figures.seen_stretch(log_mel, stem.length)))


def test_on_data_in_the_layout_of_ave_with_hostile_names(tmp_path):
    classes = ["<b>1</b> $x$", "5 % Dog <em>", 'it\'s "so" {{ 1 }}']
    write_ave(tmp_path / "AVE", {"train": 3, "val": 2, "test": 2}, classes=classes)
    done = crossmodal(
        tmp_path, "ave", "fit", "--data.root", "AVE", "--name", "a b", *SMALL[2:], "--trainer.max_epochs=1", drawn=5
    )
    assert done.code == 0, done.err
    assert "was not written" not in done.err
    read = checked(tmp_path / "runs/a b/report.html")
    shown = {name for name in classes if name in read.words}
    assert shown
    assert "b" not in read.elements[read.elements.index("h2") :]
    assert any("$x$" in word for word in read.words if word.startswith(("<b>", "✗ <b>")))
    assert "crossmodal ave test --run 'runs/a b'" in said(read)
    assert "data set AVE" in said(read)


def test_a_long_film_is_drawn_as_far_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.setattr(film_page, "item_maps", lambda *given, **named: ItemMaps([], None, named["name"]))
    system = dg_sct().eval()
    clip = Clip(torch.zeros(2, 3, 64, 64), torch.zeros(2, 16_000))
    with torch.inference_mode():
        prediction = system.predict(system(AVE.ask(clip, (), system.classes)))
    windows = [Window(clip, prediction)] * (DRAWN + 2)
    write_film(tmp_path / "page.html", system, AVE, tmp_path / "<b> 5 % $.mp4", tmp_path / "run", windows)
    read = checked(tmp_path / "page.html")
    assert sum(word.startswith("window ") for word in read.words) == MAPPED
    assert f"Maps are drawn for the first {MAPPED} windows only." in said(read)
    assert f"Predictions are drawn for the first {DRAWN} windows; those of all {DRAWN + 2} are in words." in said(read)
    assert read.elements.count("svg") == DRAWN
    assert "<b> 5 % $.mp4" in read.words
    assert f"{2 * DRAWN - 2}–{2 * DRAWN} s" in read.words


def test_items_are_picked_evenly_and_never_twice():
    assert evenly_spaced("abcdefghi", 5) == ["a", "c", "e", "g", "i"]
    assert evenly_spaced("ab", 5) == ["a", "b"]
    assert evenly_spaced("", 5) == []
    assert all(len(set(evenly_spaced(range(many), 5))) == min(many, 5) for many in range(50))


def test_how_much_of_an_item_is_right():
    assert share_in_words(1.0, 1.0, find_task("classify")) == "right"
    assert share_in_words(0.0, 1.0, find_task("classify")) == "wrong"
    assert share_in_words(0.24, 1.0, find_task("avvp")) == "type_at_av 24 %"  # a clip has no clips
    assert share_in_words(0.7, 10.0, find_task("ave")) == "70 % of its segments"
    assert share_in_words(0.0, 5.0, find_task("avs")) == "overlap 0 %"


def test_the_monitored_score_comes_first_and_chance_beside_it():
    summary = {"test": {"a": 0.25, "monitor": 0.5}, "chance": {"monitor": 0.75}}
    first, other = read_scores(summary, "monitor")
    assert first == ("monitor", "50.0 %", "75.0 %", "25.0 points below chance.")
    assert other == ("a", "25.0 %", "", "")


def test_words_are_escaped():
    page = render(
        "film.html", title="<b>&", facts={"<i>": "</dd>"}, remarks=["{{ 1 }}"], lines=["<u>"], few=3, windows=[]
    )
    assert "<title>&lt;b&gt;&amp;</title>" in page
    assert {"<i>", "</dd>", "{{ 1 }}", "<u>"} <= set(Read(page).words)
