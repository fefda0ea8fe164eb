"""Two encoders by name, whatever they are: a model, a run of the command line, and the same model again."""

import pytest
import torch
from commands import SMALL, crossmodal

from crossmodal.data import Clip
from crossmodal.injection import fingerprint
from crossmodal.recipes.ave.any_pair import any_pair
from crossmodal.recipes.classify.any_pair import any_pair as any_pair_classes
from crossmodal.recipes.dg_sct_released import dg_sct_released

pytest.importorskip("timm")
VIT = "timm:vit_tiny_patch16_224"
OPTIONS = {"patch_size": 8, "embed_dim": 16, "depth": 3, "num_heads": 2}


@pytest.fixture(scope="module")
def model():
    return any_pair(VIT, "tiny", visual_size=32, visual_options=OPTIONS, width=16).eval()


def clips(size=32, count=2):
    return torch.randn(count, 10, 3, size, size), torch.randn(count, 10, 16_000)


def test_the_deeper_meets_the_shallower_all_along(model):
    """Four blocks of the tiny HTS-AT, in halves, and three of the ViT, whole."""
    met = [tuple(step.sections.values()) for step in model.coupled.steps if step.coupler]
    assert [visual for _, visual in met] == [(f"blocks.{block}",) for block in range(3)]
    assert [audio[0].rpartition(".")[0] for audio, _ in met] == ["stages.0.0", "stages.0.1", "stages.1.1"]
    assert (model.preprocess.size, model.preprocess.rate, model.preprocess.mean) == (32, 16_000, (0.5, 0.5, 0.5))


def test_untrained_it_sees_and_hears_what_the_frozen_encoders_do(model):
    frames, wave = clips()
    with torch.no_grad():
        streams = model.run(frames, wave).streams
        for name, given in {"visual": frames.flatten(0, 1), "audio": model.sound(wave.flatten(0, 1))}.items():
            encoder = model.coupled.encoder(name)
            assert torch.equal(encoder.head(streams[name]), encoder(given))
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"coupled", "temporal", "head"}
    assert not any(p.requires_grad for p in model.coupled.encoders.parameters())


def test_it_trains_and_its_encoders_stay(model):
    frames, wave = clips()
    before = fingerprint(model.coupled.encoders)
    events = model.train()(Clip(frames, wave))
    events.event.sin().sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.coupled.couplers.parameters())
    assert fingerprint(model.coupled.encoders) == before
    model.zero_grad()
    model.eval()


def test_a_convolutional_net_and_a_head_on_clips():
    """Its last blocks change width and tokens: the maps lie on an earlier grid and pool nothing."""
    options = {"depths": (1, 1, 2, 1), "dims": (16, 16, 32, 32)}
    model = any_pair_classes(
        "timm:convnext_atto", "tiny", visual_size=64, visual_options=options, classes=("a", "b")
    ).eval()
    assert model.score(*clips(64)).shape == (2, 2)
    assert model(Clip(clips(64)[0], None)).isfinite().all()


def test_any_recipe_couples_them_that_takes_a_pairing():
    with pytest.raises(
        ValueError, match=r"visual has stages \[0\], audio has \[0, 1\]: they must agree; paired_by_depth"
    ):
        any_pair(VIT, "tiny", visual_size=32, visual_options=OPTIONS, coupling=dg_sct_released)


@pytest.mark.slow
def test_from_the_command_line_it_is_trained_and_built_again(tmp_path, caplog):
    """Random encoders are the same every time: a run with them can be tested."""
    words = ["--model.visual", VIT, "--model.audio", "tiny", "--model.visual_size", 32, "--model.width", 16]
    said = crossmodal(
        tmp_path,
        "ave",
        "fit",
        *words,
        "--model.visual_options",
        str(OPTIONS),
        "--name",
        "pair",
        *SMALL,
        "--trainer.max_epochs=1",
    )
    assert said.code == 0, said.err
    assert said.lines[0].startswith("crossmodal ave fit: system any_pair, on ")
    assert "visual encoder timm:vit_tiny_patch16_224 has RANDOM weights" in caplog.text
    again = crossmodal(tmp_path, "ave", "test", "--run", "runs/pair")
    assert again.code == 0, again.err
    assert again.lines[0] == next(line for line in said.lines if line.startswith("test accuracy"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--model.visual", "timm:vit_tini_patch16_224"],
            "no backbone 'timm:vit_tini_patch16_224'; nearest: 'timm:vit_tiny_",
        ),
        (["--model.audio", "htsatt"], "no backbone 'htsatt'; nearest: 'htsat'"),
        (["--system", "lavish", "--model.visual", "swin_v3_l"], "no backbone 'swin_v3_l'; nearest: 'swin_v2_l'"),
    ],
)
def test_a_wrong_name_ends_in_one_sentence(tmp_path, words, message):
    said = crossmodal(tmp_path, "ave", "fit", *words)
    assert said.code == 1
    assert message in said.err
