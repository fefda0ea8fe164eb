"""The preset: to the bit what a plain loop does that has its habits; told, stored, tested and resumed as trained."""

import json
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
import yaml
from commands import SMALL, crossmodal, interrupted, metrics
from pytorch_lightning.callbacks import EarlyStopping
from safetensors.torch import load_file
from systems import parsed, tiny, training
from torch.nn import functional as F

from crossmodal.cli import fit as fit_verb
from crossmodal.data.source import WorldSource
from crossmodal.heads import event_loss
from crossmodal.recipes.ave.released_training import released_training
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.tasks import ave
from crossmodal.training.data_module import DataModule
from crossmodal.training.deviations import DropAccumulatedGradients
from crossmodal.training.fit import quietly
from crossmodal.training.run import build, load_run
from crossmodal.training.samplers import Reseeded

NOISY = '''
from functools import partial

import torch
from torch.nn.functional import binary_cross_entropy

from crossmodal.audio import LogMel, SpecAugment
from crossmodal.data.world import COLOURS, TINY
from crossmodal.encoders import htsat, swin_v2
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.heads import EventHead, TemporalAttention
from crossmodal.tasks.event_system import AudioVisualEvents, GateLoss
from crossmodal.audio.repeated import RepeatedLogMel
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.settings import Settings


def noisy(*, coupling=dg_sct, gate_loss: GateLoss = binary_cross_entropy, classes=COLOURS[:6]):
    """Encoders with all that differs in training: drop-path, SpecAugment, statistics; the same ones whoever asks."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        augment = partial(SpecAugment, time=16, mel=4)
        sizes = {"width": 16, "depths": (1, 1), "heads": (2, 4), "window": 4, "drop_path": 0.5}
        audio = htsat(32, mels=16, patch=8, augment=augment, **sizes)
        visual = swin_v2(TINY.size, patch=16, **sizes)
        for parameter in visual.parameters():  # its norms start at zero, and drop-path would drop nothing
            torch.nn.init.normal_(parameter, std=0.5)
    sound = LogMel(TINY.rate, n_fft=512, hop=125, mels=16, fmin=50.0, fmax=8000.0)
    return AudioVisualEvents(
        Pair(coupling(visual, audio), (32, 32), RepeatedLogMel(sound, TINY.rate), TINY), classes=classes,
        temporal=TemporalAttention(32, 32, 16), head=EventHead(16, len(classes)), gate_loss=gate_loss,
    )


def mine():
    return Settings(optim={"lr": 0.25}, seed=7)
'''
RELEASED = ["--training", "released_training", *SMALL]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A folder with a finished run, what its `fit` said, and the model that it tested."""
    folder, kept, tell = tmp_path_factory.mktemp("released"), [], fit_verb.tell
    (folder / "noisy.py").write_text(NOISY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_verb, "tell", lambda *given, **named: [kept.append(given[2].system), tell(*given, **named)])
        said = crossmodal(folder, "ave", "fit", "--name", "first", "--system", "noisy", *RELEASED)
    assert said.code == 0, said.err
    return folder, said, kept[0]


def test_it_is_the_released_schedule():
    """Spec B.1: Adam 5e-4 for all, StepLR 3 and 0.35, batch 8, 50 epochs, early stop 20, seed 43."""
    _, given = parsed("--training", "released_training")
    optim, trainer = given.optim, given.trainer
    assert (optim.lr, optim.every, optim.decay, optim.schedule) == (5e-4, 3, 0.35, None)
    assert (given.data.batch_size, trainer.max_epochs, given.seed) == (8, 50, 43)
    dropping, stopping = (make() for make in released_training().callbacks)
    assert isinstance(stopping, EarlyStopping)
    assert isinstance(dropping, DropAccumulatedGradients)
    assert (stopping.monitor, stopping.mode, stopping.patience, dropping.every) == ("val_accuracy", "max", 20, 2)


def test_a_plain_loop_with_its_habits_ends_with_the_same_weights():
    """Also how the preset is used in Python."""
    settings = released_training()
    data = DataModule(WorldSource(clips=6, held_out=2, **{**settings.data, "batch_size": 2}))
    torch.manual_seed(0)
    model, oracle = (tiny(coupling=dg_sct_released, **settings.model) for _ in range(2))
    oracle.load_state_dict(model.state_dict())
    for encoder in model.coupled.encoders.values():
        settings.encoders(encoder)
    trainer = partial(pl.Trainer, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    with quietly():
        callbacks = [Reseeded(1), *(make() for make in settings.callbacks)]
        task = training(model, **{**settings.optim, "every": 1})
        trainer(max_epochs=2, callbacks=callbacks, enable_model_summary=False, accelerator="cpu").fit(task, data)

    adam = torch.optim.Adam([p for name, p in oracle.named_parameters() if ".encoders." not in name], lr=5e-4)
    clips = data.train_dataloader()
    for epoch in range(2):
        torch.manual_seed(100_003 + epoch)
        clips.sampler.set_epoch(epoch)
        for module in oracle.modules():
            module.training = True  # the frozen encoders, too
        for index, (frames, wave, labels) in enumerate(clips):
            adam.zero_grad()
            event_loss(oracle.score(frames, wave), labels, gate_loss=F.binary_cross_entropy_with_logits).backward()
            if index % 2 == 1:
                adam.step()
        adam.param_groups[0]["lr"] *= 0.35
    state, expected = model.state_dict(), oracle.state_dict()
    assert [name for name in expected if not torch.equal(state[name], expected[name])] == []


def habits_of(said):
    """The four lines below the one that announces them."""
    first = said.lines.index("This training deviates from a careful one:") + 1
    return said.lines[first : first + 4]


def test_before_it_trains_it_says_what_it_does(fitted):
    _, said, _ = fitted
    habits = habits_of(said)
    assert all(habit.startswith("- ") for habit in habits)
    for words, habit in zip(
        ("training mode", "Of every 2 batches", "test split", "a sigmoid already"), habits, strict=True
    ):
        assert words in habit
    assert (
        said.tested[0]
        == "selected on        the test split: what follows is the best of all epochs on these very clips"
    )


def test_a_figure_selected_on_the_test_split_says_so_in_the_summary(fitted, lab):
    folder, said, _ = fitted
    summary = json.loads((folder / "runs/first/summary.json").read_text())
    assert summary["selected_on"] == "test"
    assert [f"- {habit}" for habit in summary["deviations"]] == habits_of(said)
    careful = json.loads((lab[0] / "runs/first/summary.json").read_text())
    assert careful["selected_on"] == "val"
    assert "deviations" not in careful
    assert "deviates" not in lab[1].out


def test_selection_reads_the_clips_of_the_test(fitted):
    rows = metrics(fitted[0] / "runs/first")
    best = max(float(row["val_accuracy"]) for row in rows if row["val_accuracy"])
    assert [float(row["test_accuracy"]) for row in rows if row["test_accuracy"]] == [best]


def deviations_of(lines):
    """The lines in which a command says how a training deviates."""
    first = lines.index("This training deviates from a careful one:")
    return [line for at, line in enumerate(lines) if at == first or (at > first and line.startswith("- "))]


def test_a_tested_run_is_the_trained_one(fitted):
    folder, said, model = fitted
    again = crossmodal(folder, "ave", "test", "--run", "runs/first")
    assert again.tested == said.tested
    assert again.lines[: again.lines.index(again.tested[0])] == deviations_of(said.lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        loaded = load_run(folder / "runs/first", ave.TASK)[0].state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in model.state_dict().items())
    moved = {name for name in load_file(folder / "runs/first/adapters.safetensors") if ".encoders." in name}
    names = ("num_batches_tracked", "running_mean", "running_var")
    assert moved == {f"coupled.encoders.audio.stem.norm.{name}" for name in names}
    assert loaded["coupled.encoders.audio.stem.norm.num_batches_tracked"] > 0


def test_the_configuration_keeps_every_part(fitted):
    config = yaml.safe_load((fitted[0] / "runs/first/config.yaml").read_text())
    assert config["training"] == "released_training"
    assert config["encoders"] == "crossmodal.injection.freeze_parameters"
    assert config["data"]["validation"] == "test"
    assert config["model"]["gate_loss"].endswith("binary_cross_entropy_with_logits")
    assert [part["class_path"].split(".")[-1] for part in config["trainer"]["callbacks"]] == [
        "DropAccumulatedGradients", "EarlyStopping"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param(10, id="from the end of an epoch", marks=pytest.mark.slow),
        pytest.param(0, id="from the middle of one"),
    ],
)
def test_it_resumes_to_the_same_bits_noise_included(fitted, minutes):
    folder, name = fitted[0], f"stopped{minutes}"
    words = ["--system", "noisy", "--save_minutes", minutes, *RELEASED]
    assert interrupted(folder, "--name", name, *words).code == 130
    said = crossmodal(folder, "ave", "fit", "--name", name, "--resume", "true")
    assert said.code == 0, said.err
    assert metrics(folder / "runs/first") == metrics(folder / "runs" / name)
    first, other = (load_file(folder / "runs" / run / "adapters.safetensors") for run in ("first", name))
    assert first.keys() == other.keys()
    assert all(torch.equal(first[key], other[key]) for key in first)
    last, then = (last_state(folder / "runs" / run) for run in ("first", name))
    assert last.keys() == then.keys()
    assert all(torch.equal(last[key], then[key]) for key in last)


def last_state(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


def test_the_encoders_are_noisy_so_that_the_bits_could_differ(fitted, monkeypatch):
    folder, _, _ = fitted
    monkeypatch.syspath_prepend(folder)
    parser, given = parsed("--system", "noisy", *RELEASED)
    arguments = parser.instantiate(given)
    model = build(arguments, arguments.data.classes, ave.TASK)
    clip = next(iter(DataModule(WorldSource(clips=2, batch_size=2)).train_dataloader()))
    for name, encoder in model.coupled.encoders.items():
        torch.manual_seed(0)
        pictures = clip.frames.flatten(0, 1) if name == "visual" else model.sound(clip.wave.flatten(0, 1))
        one, two = encoder(pictures), encoder(pictures)
        assert not torch.equal(one, two), name
        assert torch.equal(encoder.eval()(pictures), encoder(pictures))


def test_what_is_said_wins_over_the_preset(fitted):
    _, given = parsed("--training", "released_training", "--optim.lr", "0.1", "--data.validation", "val")
    assert (given.optim.lr, given.data.validation, given.optim.decay) == (0.1, "val", 0.35)
    _, given = parsed("--training", "released_training", "--trainer.callbacks", "null", "--encoders", "null")
    assert (given.trainer.callbacks, given.encoders) == (None, None)


def test_a_training_of_ones_own_by_its_path(fitted, monkeypatch):
    monkeypatch.syspath_prepend(fitted[0])
    _, given = parsed("--training", "noisy.mine")
    assert (given.optim.lr, given.seed, given.optim.decay) == (0.25, 7, 0.5)
    with pytest.raises(ValueError, match="did you mean 'released_training'"):
        parsed("--training", "release_training")


def test_without_settings_of_its_own_a_training_deviates_in_nothing():
    _, given = parsed()
    assert (given.training, given.encoders, given.trainer.callbacks) == ("", None, None)
    assert (given.seed, given.data.validation, given.model.gate_loss) == (0, "val", F.binary_cross_entropy)
