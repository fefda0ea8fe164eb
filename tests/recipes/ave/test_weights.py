"""Released weights in a recipe: of its encoders, or of the whole model; from Python and from the command line."""

import logging
from functools import partial

import pytest
import torch
from released_layouts import small_events, small_released

from crossmodal.cli.ave_options import parse
from crossmodal.cli.predict import build
from crossmodal.encoders import htsat, swin_v2
from crossmodal.encoders.by_name import released as encoder_weights
from crossmodal.encoders.by_name.released import EncoderWeights, full_size_encoders
from crossmodal.injection import fingerprint
from crossmodal.recipes.ave.dg_sct import full_size


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
        monkeypatch.setattr(encoder_weights, name, builder)
    state = small_released(model)
    for part in ("swin", "htsat"):
        own = {name.removeprefix(f"{part}."): tensor for name, tensor in state.items() if name.startswith(f"{part}.")}
        torch.save({"model": own}, tmp_path / f"{part}.pt")
    return EncoderWeights(visual=str(tmp_path / "swin.pt"), audio=str(tmp_path / "htsat.pt"))


def test_encoders_are_filled_and_the_report_is_logged(model, files, caplog):
    with caplog.at_level(logging.INFO, "crossmodal"):
        visual, audio = full_size_encoders(files)
    assert fingerprint(visual) == fingerprint(model.coupled.encoders.visual)
    assert fingerprint(audio) == fingerprint(model.coupled.encoders.audio)
    assert [record.message.splitlines()[0] for record in caplog.records] == [
        f"{files.visual}: Swin-V2 as timm named it before 0.9",
        f"{files.audio}: HTS-AT as released",
    ]


def test_one_may_stay_random(model, files):
    visual, audio = full_size_encoders(EncoderWeights(audio=files.audio))
    assert fingerprint(audio) == fingerprint(model.coupled.encoders.audio)
    assert fingerprint(visual) != fingerprint(model.coupled.encoders.visual)
    assert not any(parameter.is_meta for parameter in visual.parameters())


def test_the_wrong_file_is_refused(files):
    with pytest.raises(ValueError, match=r"nothing was loaded\. It looks like HTS-AT as released: import_htsat\.\n"):
        full_size_encoders(EncoderWeights(visual=files.audio))


SIZE = """
from crossmodal.encoders.by_name.released import full_size_encoders

def small(*, coupled, classes, weights=None):
    return weights

def plain(*, coupled, classes):
    return "plain"
"""


@pytest.fixture
def sizes(tmp_path, monkeypatch):
    (tmp_path / "mysizes.py").write_text(SIZE)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["--weights", "best_82.18.pt"], "best_82.18.pt"),
        (["--weights.visual", "timm", "--weights.audio", "a.ckpt"], EncoderWeights("timm", "a.ckpt")),
        (["--weights.audio=clap"], EncoderWeights(audio="clap")),
    ],
)
def test_options_reach_the_size_and_a_stored_one_does_it_again(sizes, tmp_path, words, expected):
    parser, given = parse(["--size", "mysizes.small", *words])
    assert build(parser.instantiate(given), ("a",)) == expected
    (tmp_path / "config.yaml").write_text(parser.dump(given, skip_unset=False))
    parser, given = parse(["--config", str(tmp_path / "config.yaml")])
    assert build(parser.instantiate(given), ("a",)) == expected


def test_a_size_that_takes_no_weights_has_no_such_option(sizes, capsys):
    parser, given = parse(["--size", "mysizes.plain"])
    assert build(parser.instantiate(given), ("a",)) == "plain"
    with pytest.raises(SystemExit):
        parse(["--size", "tiny", "--weights", "a.pt"])
    assert "weights" in capsys.readouterr().err


def test_full_size_says_what_it_does_not_find(tmp_path):
    with (
        torch.device("meta"),
        pytest.raises(FileNotFoundError, match=r"none\.pt does not exist; published files are timm"),
    ):
        full_size(weights=tmp_path / "none.pt")
    with torch.device("meta"), pytest.raises(FileNotFoundError, match=r"visual\.pt does not exist"):
        full_size(weights=EncoderWeights(visual="visual.pt"))
