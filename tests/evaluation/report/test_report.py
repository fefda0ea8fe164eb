"""`report.html` and the page of a film: whole, self-contained, true to the files beside them, and never in the way."""

import csv
import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest
import torch
from commands import SMALL, crossmodal

from crossmodal.data import Clip
from crossmodal.drawing import unfold_map
from crossmodal.evaluation.report import looking
from crossmodal.evaluation.report.figures import confusion, curves
from crossmodal.evaluation.report.film_page import WINDOWS, Window, write_film
from crossmodal.evaluation.report.page import element, page, strip
from crossmodal.evaluation.report.report import chosen, write_page
from crossmodal.heads import decode_events
from crossmodal.recipes.ave import dg_sct as ave
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.lavish import lavish
from crossmodal.testing.ave_layout import write_ave

VOID = {"meta", "path", "use", "image", "rect", "br", "stop", "line", "circle"}


class Read(HTMLParser):
    """Elements in order, all attributes and all words; complains where elements are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.words, self.elements = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def checked(file):
    """The page, read; it loads nothing from anywhere."""
    text = file.read_text(encoding="utf-8")
    read = Read(text)
    assert text.startswith("<!doctype html>")
    for name, value in read.attributes:
        if name in ("src", "href", "xlink:href", "srcset", "data"):
            assert value.startswith(("data:image/", "#")), (name, value[:60])
    assert not re.findall(r"@import|url\((?!#)", text)
    assert not {"script", "link", "iframe", "object"} & set(read.elements)
    assert len(text) < 3_000_000
    return read


def said(read):
    return " ".join(" ".join(read.words).split())


def test_the_report_says_what_the_files_say(lab):
    run = lab[0] / "runs/first"
    words, summary = said(checked(run / "report.html")), json.loads((run / "summary.json").read_text())
    for share in (summary["test_accuracy"], summary["majority_accuracy"]):
        assert f"{100 * share:.1f} %" in words
    for part in ("dg_sct, tiny", "the built-in world", f"torch {summary['versions']['torch']}", "seed 0"):
        assert part in words
    assert "crossmodal ave test --run runs/first" in words
    assert "crossmodal ave fit --runs runs --name first --resume true" in words
    assert "crossmodal ave look runs/first crossmodal ave figure runs/first" in words


def test_every_second_of_a_shown_clip_is_in_both_strips(lab):
    text = (lab[0] / "runs/first/report.html").read_text()
    with (lab[0] / "runs/first/predictions.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    strips = re.findall(r'<div class="strip">(.*?)</div>', text)
    cells = [re.findall(r'title="(\d+) s: (\w+)( [\d.]+)?(, wrong)?"', found) for found in strips]
    assert [len(found) for found in cells] == [10] * 4  # the truth and the prediction of both test clips
    found = {}
    for truth, predicted in zip(cells[::2], cells[1::2], strict=True):
        for (second, named, _, _), (_, guessed, score, wrong) in zip(truth, predicted, strict=True):
            found.setdefault(int(second), []).append((named, guessed, score.strip(), bool(wrong)))
    for row in rows:
        wrong = row["truth"] != row["prediction"]
        assert (row["truth"], row["prediction"], f"{float(row['score']):.2f}", wrong) in found[int(row["segment"])]


def test_it_names_the_maps_it_draws(lab):
    words = said(checked(lab[0] / "runs/first/report.html"))
    assert words.count("spatial map, audio → visual, coupler stages1_1_mlp") == 2
    assert words.count("spatial map, visual → audio, coupler stages1_1_mlp") == 2
    assert "last coupler that has one" in words


def test_test_rewrites_it(lab):
    folder, _ = lab
    shutil.copytree(folder / "runs/first", folder / "runs/rewritten")
    file = folder / "runs/rewritten/report.html"
    before = file.read_text()
    file.unlink()
    assert crossmodal(folder, "ave", "test", "--run", "runs/rewritten").code == 0
    assert file.read_text().count("<svg") == before.count("<svg")


@pytest.mark.parametrize("missing", ["matplotlib", "matplotlib.figure"])
def test_without_matplotlib_the_run_is_whole_and_says_what_to_install(lab, monkeypatch, missing):
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
    assert done.lines[-1] == "written to         new/page.html"
    read = checked(lab[0] / "new/page.html")
    assert read.words.count("3.0.mp4") == 1
    assert "0–3 s" in read.words


def test_a_page_that_cannot_be_written_where_it_is_wanted_is_an_error(lab, clip):
    (lab[0] / "file").touch()
    done = crossmodal(lab[0], "ave", "predict", clip(1.0), "--run", "runs/first", "--out", "file/page.html")
    assert done.code == 1
    assert "file" in done.err


def recipes():
    yield pytest.param(dg_sct, ("visual", "audio"), id="both")
    yield pytest.param(lambda v, a: dg_sct(v, a, edges=[("audio", "visual")]), ("visual",), id="one edge")
    yield pytest.param(lambda v, a: dg_sct(v, a, edges=[]), (), id="no edges")
    yield pytest.param(lambda v, a: dg_sct(v, a, spatial=None), (), id="no spatial")
    yield pytest.param(lavish, (), id="lavish")


@pytest.mark.parametrize(("coupled", "guided"), list(recipes()))
def test_clips_of_every_kind_of_recipe_are_drawn(coupled, guided):
    model = ave.tiny(coupled=coupled).eval()
    clip = Clip(torch.zeros(2, 3, 64, 64), torch.zeros(2, 16_000))
    read = Read(looking.look(model, clip, name="clip", start=7))
    for stream in ("visual", "audio"):
        assert (f"→ {stream}, coupler stages1_1_mlp" in said(read)) == (stream in guided)
    assert "7 s" in read.words
    assert "8 s" in read.words


def test_a_model_of_double_precision_is_drawn():
    model = ave.tiny().double().eval()
    clip = Clip(torch.zeros(2, 3, 64, 64), torch.zeros(2, 16_000))
    read = Read(looking.look(model, clip, name="clip"))
    assert "→ visual, coupler stages1_1_mlp" in said(read)


def test_the_last_map_over_tokens_is_the_one_that_pools_the_stream():
    model = ave.tiny().eval()
    frames, wave = torch.rand(1, 2, 3, 64, 64), torch.rand(1, 2, 16_000)
    coupled = model.run(frames, wave)
    for stream, extent in (("visual", {"row": 4, "column": 4}), ("audio", {"frequency": 2, "time": 8})):
        pointing = looking.last_pointing(model, coupled.maps, stream)
        assert pointing.values is last_token_map(coupled, stream)
        assert pointing.site.extent == extent
        assert unfold_map(pointing.values, pointing.site).shape == (2, *extent.values())


def test_the_stretch_of_sound_that_is_drawn_is_the_one_that_the_encoder_sees():
    log_mel = torch.arange(9.0).view(1, 9, 1)
    for length, kept in ((4, [2, 3, 4, 5]), (8, list(range(8))), (9, list(range(9))), (20, list(range(9)))):
        assert looking.covered(log_mel, length)[0, :, 0].tolist() == kept
    stem = ave.tiny().coupled.encoder("audio").stem.eval()
    log_mel = torch.rand(1, stem.length + 5, 32)
    torch.testing.assert_close(stem(log_mel), stem(looking.covered(log_mel, stem.length)))


def test_on_data_in_the_layout_of_ave_with_hostile_names(tmp_path):
    classes = ["<script>alert(1)</script>", "Dog <em>", 'it\'s "so"']
    write_ave(tmp_path / "AVE", {"train": 3, "val": 2, "test": 2}, classes=classes)
    done = crossmodal(tmp_path, "ave", "fit", "--data.root", "AVE", "--name", "a b", *SMALL, "--trainer.max_epochs=1")
    assert done.code == 0, done.err
    assert "was not written" not in done.err
    read = checked(tmp_path / "runs/a b/report.html")
    assert classes[0] in " ".join(read.words)
    assert "crossmodal ave test --run 'runs/a b'" in said(read)
    assert "data set AVE" in said(read)


def test_a_long_film_is_drawn_as_far_as_the_page_says(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "crossmodal.evaluation.report.film_page.look", lambda model, clip, *, name, start: element("i", name)
    )
    model = ave.tiny().eval()
    clip = Clip(torch.zeros(10, 3, 64, 64), torch.zeros(10, 16_000))
    with torch.inference_mode():
        decoded = decode_events(model(clip.frames[None], clip.wave[None]))
    windows = [Window(clip, decoded)] * (WINDOWS + 2)
    write_film(tmp_path / "page.html", model, tmp_path / "<b>.mp4", tmp_path / "run", windows)
    read = checked(tmp_path / "page.html")
    assert read.elements.count("i") == WINDOWS == 6
    assert f"for the first {WINDOWS} windows of ten seconds only" in said(read)
    assert read.elements.count("span") == 80
    assert "<b>.mp4" in read.words


def test_clips_are_picked_evenly_and_never_twice():
    assert chosen("abcdefghi", 5) == ["a", "c", "e", "g", "i"]
    assert chosen("ab", 5) == ["a", "b"]
    assert chosen("", 5) == []
    assert all(len(set(chosen(range(many), 5))) == min(many, 5) for many in range(50))


def test_the_table_counts_segments():
    pairs = [("a", "a"), ("a", "background"), ("background", "background"), ("a", "a"), ("background", "b")]
    table = confusion([{"truth": truth, "prediction": said} for truth, said in pairs])
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)[1:]]
    assert rows == [
        ["a", "2", "", "1", "3", "67 %"],
        ["b", "", "", "", "0", "–"],
        ["background", "", "1", "1", "2", "50 %"],
    ]


def test_curves_of_what_was_logged_and_of_nothing_else():
    rows = [
        {"step": "0", "train_loss": "2.0", "val_loss": "", "lr-Adam": "0.1"},
        {"step": "1", "train_loss": "1.0", "val_loss": "3.0", "lr-Adam": "0.05"},
    ]
    assert [word for word in Read(curves(rows, 0.5)).words if word in ("loss", "accuracy", "learning rate")] == [
        "loss",
        "learning rate",
        "learning rate",
    ]
    assert Read(curves([], None)).elements == ["div"]


def test_words_are_escaped():
    assert element("p", "<b>", "&", title='"') == '<p title="&quot;">&lt;b&gt; &amp;</p>'
    assert "<title>&lt;b&gt;</title>" in page("<b>")
    assert "<b>" not in strip([0], ["<b>"])
