"""The whole path of `crossmodal ave reproduce`, on random weights in the released layout and data in AVE's."""

import csv
import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest
import torch
from commands import crossmodal
from released_layouts import released, small_events, small_released

from crossmodal.checkpoints import import_dg_sct_ave, read_weights
from crossmodal.cli.reproduce import reproduce
from crossmodal.data import AVE, Clip
from crossmodal.heads import decode_events
from crossmodal.injection import fingerprint
from crossmodal.recipes.ave import dg_sct_released
from crossmodal.tasks.ave import TASK
from crossmodal.tasks.classify import TASK as CLASSIFY
from crossmodal.testing.ave_layout import write_ave

CLIPS = {"train": 1, "val": 1, "test": 5}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model to which half of the segments of the data are background."""
    torch.manual_seed(0)
    model, found, folder = small_events(), [], tmp_path_factory.mktemp("alike")
    write_ave(folder / "AVE", CLIPS, wave_rate=16_000)
    hook = model.head.relevance.register_forward_hook(lambda layer, given, made: found.append(made))
    by_hand(model, folder)
    hook.remove()
    model.head.relevance.bias.data -= torch.cat([made.flatten() for made in found]).median()
    return model


@pytest.fixture(scope="module")
def place(model, tmp_path_factory):
    """A folder with weights and data: five test clips, waves at the rate of the small model."""
    folder = tmp_path_factory.mktemp("released")
    torch.save({"state_dict": small_released(model)}, folder / "best_82.18.pt")
    write_ave(folder / "AVE", CLIPS, wave_rate=16_000)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch, request):
    """Puts the small model in the place of the released one."""

    def build(*, weights):
        with torch.device("meta"):
            model = small_events()
        dg_sct_released.logger.info("%s", import_dg_sct_ave(model, read_weights(weights)))
        return model

    if "full_size" not in request.node.name:
        monkeypatch.setattr(dg_sct_released, "RELEASED", build)


def asked(place, out, *words):
    options = ["--data.root", str(place / "AVE"), "--weights", str(place / "best_82.18.pt"), "--out", str(out)]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(io.StringIO()):
        reproduce([*options, "--device", "cpu", "--data.wave_rate", "16000", *words], TASK)
    return said.getvalue(), json.loads((out / "result.json").read_text())


def by_hand(model, place):
    """The share of right segments, clip by clip in plain Python, and each of them."""
    data = AVE(place / "AVE", "test", model.preprocess, wave_rate=16_000)
    right, labels = [], []
    for clip in (data[index] for index in range(len(data))):
        with torch.no_grad():
            predicted = decode_events(model(Clip(clip.frames[None], clip.wave[None]))).labels[0]
        right += [bool(p == t) for p, t in zip(predicted, clip.labels, strict=True)]
        labels += predicted.tolist()
    return sum(right) / len(right), labels


def test_it_gives_what_the_model_says_clip_by_clip(model, place, tmp_path):
    said, result = asked(place, tmp_path)
    accuracy, labels = by_hand(model, place)
    assert result["scores"] == {"accuracy": pytest.approx(accuracy, abs=1e-6)}
    assert 0 < result["chance"]["accuracy"] <= 1
    with (tmp_path / "predictions.csv").open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    names = [*AVE(place / "AVE", "test").classes, "background"]
    assert len(set(labels)) > 1
    assert [row["prediction"] for row in rows] == [names[label] for label in labels]
    assert f"  {100 * accuracy:6.2f} %  accuracy\n" in said
    assert "    82.2 %  published: accuracy of DG-SCT (slides on DG-SCT (NeurIPS 2023))" in said
    assert "   82.18 %  published: accuracy of the checkpoint of DG-SCT" in said
    assert "dg_sct_released, on 5 of 5 items of the test split; the published score is one of 402\n" in said


def test_everything_needed_to_send_the_result_is_there(model, place, tmp_path):
    _, result = asked(place, tmp_path)
    assert result["command"].startswith(
        f"crossmodal ave reproduce --data.root {place}/AVE --weights {place}/best_82.18.pt"
    )
    assert [score["percent"] for score in result["published"]] == ["82.2", "82.18"]
    assert result["fingerprint"] == fingerprint(model)
    assert len(result["weights"]["sha256"]) == len(result["data"]["testSet.txt"]) == 64
    assert result["weights"]["bytes"] == (place / "best_82.18.pt").stat().st_size
    assert torch.__version__.startswith(result["versions"]["torch"])
    assert result["device"].startswith("cpu")
    assert result["tensors"]["dropped"] > 0
    assert result["missing"] == {}


def test_it_goes_on_where_it_was_stopped(place, tmp_path):
    whole, _ = asked(place, tmp_path / "whole")
    said, result = asked(place, tmp_path / "parts", "--limit", "2")
    assert "on 2 of 5 items of the test split; the published score is one of 402" in said
    assert result["items_predicted_now"] == 2
    with (tmp_path / "parts" / "items.jsonl").open("a") as file:
        file.write('{"item": 2, "rows": [[1.0, 2')  # killed in the middle of a line
    said, result = asked(place, tmp_path / "parts")
    assert result["items_predicted_now"] == 3
    files = [(tmp_path / name / "predictions.csv").read_text() for name in ("whole", "parts")]
    assert files[0] == files[1]
    assert whole.splitlines()[-5:-1] == said.splitlines()[-5:-1]
    _, result = asked(place, tmp_path / "parts")
    assert result["items_predicted_now"] == 0


def test_batches_give_the_same(place, tmp_path):
    _, one = asked(place, tmp_path / "one")
    _, three = asked(place, tmp_path / "three", "--batch_size", "3")
    assert one["scores"] == three["scores"]


def test_predictions_of_other_weights_are_not_mixed(place, tmp_path, model):
    asked(place, tmp_path, "--limit", "1")
    state = small_released(model)
    state["CMBS.video_cas.bias"] = state["CMBS.video_cas.bias"] + 1
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"items\.jsonl holds predictions of another weights: choose another --out"):
        asked(place, tmp_path, "--weights", str(tmp_path / "other.pt"))


@pytest.fixture
def broken(tmp_path):
    """Twelve of thirteen test clips have no sound, and the thirteenth a picture that is none."""
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 14}, wave_rate=16_000, frames=10)
    for index in range(12):
        (tmp_path / "AVE" / "wave" / f"-test{index:05d}.npy").unlink()
    (tmp_path / "AVE" / "frames" / "-test00012" / "00000003.jpg").write_bytes(b"none")
    return tmp_path


def test_missing_clips_are_named_and_listed(place, broken):
    words = ["--data.root", str(broken / "AVE")]
    with pytest.raises(
        ValueError, match=r"12 items of the test split cannot be read: -test00000, .*-test00009 and 2 more"
    ):
        asked(place, broken / "out", *words)
    assert len((broken / "out" / "missing.txt").read_text().splitlines()) == 12
    assert not (broken / "out" / "items.jsonl").exists()
    said, result = asked(place, broken / "out", *words, "--skip_missing")
    assert "Going on without them: the score will be one of fewer items." in said
    assert result["items"] == 1
    assert len(result["missing"]) == 13
    assert "00000003.jpg" in result["missing"]["-test00012"][0]


def test_few_missing_clips_are_named_without_a_list(place, tmp_path):
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 2}, wave_rate=16_000)
    (tmp_path / "AVE" / "wave" / "-test00001.npy").unlink()
    with pytest.raises(ValueError, match=r"1 items of the test split cannot be read: -test00001\. The first: .*\.npy"):
        asked(place, tmp_path / "out", "--data.root", str(tmp_path / "AVE"))
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()  # an empty folder of the user's
    with pytest.raises(ValueError, match="cannot be read"):
        asked(place, tmp_path / "out/inner", "--data.root", str(tmp_path / "AVE"))
    assert list((tmp_path / "out").iterdir()) == []


def test_other_classes_and_no_weights_are_refused(place, tmp_path):
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 1}, classes=("a", "b"), wave_rate=16_000)
    with pytest.raises(
        ValueError,
        match=r"the data set .*AVE has the classes a, b, but the released weights are of .*: it must list these",
    ):
        asked(place, tmp_path / "out", "--data.root", str(tmp_path / "AVE"))
    with pytest.raises(FileNotFoundError, match=r"--weights none\.pt does not exist"):
        asked(place, tmp_path / "out", "--weights", "none.pt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch_size", "0"], "--batch_size 0 must be at least 1"),
        (["--limit", "0"], "--limit 0 must be at least 1"),
        (["--device", "gpu"], "--device gpu cannot be used: "),
    ],
)
def test_impossible_options_are_refused_before_anything_is_read(place, tmp_path, words, said):
    with pytest.raises(ValueError, match=f"ave reproduce: {said}"):
        asked(place, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_interrupted_it_says_how_to_go_on(place, tmp_path):
    class Stops(AVE):
        """Is interrupted at its second clip."""

        def __getitem__(self, index):
            if index:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossmodal.data.source.AVE", Stops)
        with pytest.raises(KeyboardInterrupt, match=r"interrupted; the same command goes on from what .* keeps"):
            asked(place, tmp_path)
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 2
    assert asked(place, tmp_path)[1]["items_predicted_now"] == 4


def test_it_is_a_command(place, tmp_path):
    done = crossmodal(tmp_path, "ave", "reproduce", "--data.root", place / "AVE", "--weights", "none.pt")
    assert (done.code, done.err) == (1, "crossmodal: ave reproduce: --weights none.pt does not exist.\n")


def test_a_system_and_a_task_without_released_weights_are_told(place, tmp_path):
    with pytest.raises(
        ValueError, match=r"--system lavish: its recipe file has no RELEASED; .* dg_sct_released, lavish_shared\."
    ):
        asked(place, tmp_path, "--system", "lavish")
    with pytest.raises(ValueError, match="classify reproduce: no released weights and no data set"):
        reproduce([], CLASSIFY)


@pytest.mark.slow
def test_at_full_size_two_clips_run(tmp_path):
    """Random weights of the released size through a file of torch.save: about 4 GB and a minute of a core."""
    torch.save(released("dg_sct_ave"), tmp_path / "best_82.18.pt")
    write_ave(tmp_path / "AVE", {"train": 1, "val": 1, "test": 2})
    words = [
        "--data.root",
        str(tmp_path / "AVE"),
        "--weights",
        str(tmp_path / "best_82.18.pt"),
        "--out",
        str(tmp_path / "out"),
    ]
    reproduce([*words, "--device", "cpu"], TASK)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["items"] == 2
    assert result["tensors"] == {"mapped": 2487, "dropped": 159}
