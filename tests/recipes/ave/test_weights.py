"""Released weights in a system: of its encoders, or of the whole model."""

import logging
from functools import partial

import pytest
import torch
from released_layouts import small_events, small_released
from systems import parsed

from crossmodal.encoders import htsat, swin_v2
from crossmodal.encoders.by_name import own
from crossmodal.injection import fingerprint
from crossmodal.recipes.ave.dg_sct import dg_sct
from crossmodal.recipes.ave.dg_sct_released import RELEASED, dg_sct_released


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small_events()


@pytest.fixture
def files(model, tmp_path, monkeypatch):
    """Released files of two small encoders, which stand in for those of full size."""
    small = {
        "swin_v2_large": partial(swin_v2, 32, width=16, depths=(1, 3), heads=(2, 4), window=4),
        "htsat_tiny_audioset": partial(htsat, 32, mels=16, width=16, depths=(1, 1), heads=(2, 4), window=4),
    }
    for name, builder in small.items():
        monkeypatch.setattr(own, name, builder)
    state = small_released(model)
    for part in ("swin", "htsat"):
        inner = {name.removeprefix(f"{part}."): tensor for name, tensor in state.items() if name.startswith(f"{part}.")}
        torch.save({"model": inner}, tmp_path / f"{part}.pt")
    return {"visual_weights": str(tmp_path / "swin.pt"), "audio_weights": str(tmp_path / "htsat.pt")}


class Uncoupled(Exception):
    """Raised in place of coupling: only the encoders are looked at."""


def encoders(**weights):
    found = {}

    def couple(visual, audio):
        found.update(visual=visual, audio=audio)
        raise Uncoupled

    with pytest.raises(Uncoupled):
        dg_sct("swin_v2_l", "htsat", coupling=couple, **weights)
    return found


def test_encoders_are_filled_and_the_report_is_logged(model, files, caplog):
    with caplog.at_level(logging.INFO, "crossmodal"):
        found = encoders(**files)
    assert fingerprint(found["visual"]) == fingerprint(model.coupled.encoders.visual)
    assert fingerprint(found["audio"]) == fingerprint(model.coupled.encoders.audio)
    assert [record.message.splitlines()[0] for record in caplog.records] == [
        f"{files['visual_weights']}: Swin-V2 as timm named it before 0.9",
        f"{files['audio_weights']}: HTS-AT as released",
    ]


def test_one_may_stay_random(model, files):
    found = encoders(audio_weights=files["audio_weights"])
    assert fingerprint(found["audio"]) == fingerprint(model.coupled.encoders.audio)
    assert fingerprint(found["visual"]) != fingerprint(model.coupled.encoders.visual)
    assert not any(parameter.is_meta for parameter in found["visual"].parameters())


def test_the_wrong_file_is_refused(files):
    with pytest.raises(ValueError, match=r"nothing was loaded\. It looks like HTS-AT as released: import_htsat\.\n"):
        dg_sct("swin_v2_l", "htsat", visual_weights=files["audio_weights"])


def test_the_released_model_says_what_it_does_not_find(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pt does not exist; published files are timm"):
        RELEASED(weights=tmp_path / "none.pt")
    with pytest.raises(FileNotFoundError, match=r"visual\.pt does not exist"):
        dg_sct_released("swin_v2_l", visual_weights="visual.pt")


def test_weights_are_options_of_the_systems_that_take_them(capsys):
    _, given = parsed("--system", "dg_sct_released", "--model.weights", "best_82.18.pt")
    assert given.model.weights == "best_82.18.pt"
    with pytest.raises(SystemExit):
        parsed("--model.weights", "a.pt")
    assert "weights" in capsys.readouterr().err
