"""Published weights: from a hub where one holds them, here a false one; from drives, asked for in words."""

import sys
from pathlib import Path

import pytest
import torch
from released_layouts import randomised
from safetensors.torch import save_file

from crossmodal.checkpoints import fetch, import_swin_v2
from crossmodal.checkpoints.released_files import RELEASED_FILES
from crossmodal.encoders import swin_v2


@pytest.fixture
def hub(monkeypatch):
    """Serves files by (repository, name), and records what was asked for."""
    library = pytest.importorskip("huggingface_hub")
    served, asked = {}, []

    def download(repository, name):
        asked.append((repository, name))
        if isinstance(served.get((repository, name)), Path):
            return str(served[repository, name])
        raise served.get((repository, name), OSError("no connection"))

    monkeypatch.setattr(library, "hf_hub_download", download)
    return served, asked


def test_a_name_is_fetched_from_the_hub_and_loaded(hub, tmp_path):
    timm = pytest.importorskip("timm.models.swin_transformer_v2")
    theirs = randomised(
        timm.SwinTransformerV2(img_size=32, embed_dim=8, depths=(1, 1), num_heads=(2, 2), window_size=4)
    )
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    served, asked = hub
    served["timm/swinv2_large_window12_192.ms_in22k", "model.safetensors"] = tmp_path / "model.safetensors"
    encoder = swin_v2(32, width=8, depths=(1, 1), heads=(2, 2), window=4).eval()
    report = import_swin_v2(encoder, "timm")
    assert asked == [("timm/swinv2_large_window12_192.ms_in22k", "model.safetensors")]
    assert report.source == str(tmp_path / "model.safetensors")
    frames = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(encoder(frames), theirs.forward_features(frames).flatten(1, 2), atol=1e-5, rtol=1e-5)


def test_a_hub_that_cannot_be_reached_is_said(hub):
    with pytest.raises(
        ConnectionError, match=r"pytorch_model.bin \(615 MB\) could not be fetched from .*: no connection"
    ):
        fetch("clap")


def test_without_the_hubs_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ImportError, match=r'crossmodal-blocks\[hub\]".* get model.safetensors \(917 MB\) from https://hugg'
    ):
        fetch("timm")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dg_sct_ave", r"best_82\.18\.pt \(tensors of 1849 MB\) from a drive linked .*haoyi-duan/DG-SCT"),
        (
            "htsat",
            r"HTSAT_AudioSet_Saved_1\.ckpt \(tensors of 127 MB\) from a drive linked .*RetroCirce/HTS-Audio-Transf",
        ),
    ],
)
def test_what_no_hub_holds_is_asked_for_in_words(monkeypatch, tmp_path, name, said):
    monkeypatch.setenv("CROSSMODAL_WEIGHTS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=said) as caught:
        fetch(name)
    place = tmp_path / RELEASED_FILES[name].file
    assert f"put it at {place}, or pass the path" in str(caught.value)
    place.write_bytes(b"")
    assert fetch(name) == place


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="fetch: 'tim' is none of timm, clap, htsat, dg_sct_ave"):
        fetch("tim")
