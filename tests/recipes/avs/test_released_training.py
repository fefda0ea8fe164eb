"""The released trainings of S4 and MS3: their numbers, what learns, what is mixed, and that all of it is told."""

import pytest
import torch
from torch import nn

from crossmodal.data.segmentation_sources import SegmentedWorldSource
from crossmodal.encoders import mix_spectrograms
from crossmodal.recipes.avs.released_training_ms3 import released_training_ms3
from crossmodal.recipes.avs.released_training_s4 import released_training_s4
from crossmodal.tasks.avs import TASK
from crossmodal.tasks.names import system_names
from crossmodal.tasks.resolve import find_system, system_module
from crossmodal.training.deviations import deviations
from crossmodal.training.lightning_module import SystemTraining
from crossmodal.training.options import parse

TRAININGS = {"s4": released_training_s4, "ms3": released_training_ms3}


@pytest.mark.parametrize("setting", TRAININGS)
def test_it_has_the_published_numbers_and_tells_what_it_does(setting):
    name, settings = f"dg_sct_{setting}", TRAININGS[setting]()
    _, given = parse([f"--system={name}", f"--training=released_training_{setting}"], TASK)
    published = system_module(name, "avs").SETTINGS
    assert (given.optim.lr, given.trainer.max_epochs, given.data.batch_size, given.seed) == (
        published.optim["lr"], published.trainer["max_epochs"], published.data["batch_size"], published.seed
    )  # fmt: skip
    assert (given.data.setting, given.data.validation, given.encoders) == (setting, "test", settings.encoders)
    assert f"released_training_{setting}" not in system_names("avs")
    system = find_system(name, "avs")(channels=16)
    for encoder in system.coupled.encoders.values():
        settings.encoders(encoder)
    system.train()
    learns = {of: any(p.requires_grad for p in encoder.parameters()) for of, encoder in system.coupled.encoders.items()}
    assert learns == {"visual": False, "audio": setting == "s4"}
    assert all(module.training for module in system.coupled.encoders.modules())
    told = deviations(SystemTraining(system, TASK), SegmentedWorldSource(**settings.data))
    words = ("left in training mode", "mixed with another one", "selected on the test split")
    assert all(word in sentence for word, sentence in zip(words, told, strict=True))


def test_sounds_hear_each_other_in_training_alone_and_another_stem_is_refused():
    encoder = mix_spectrograms(find_system("dg_sct_ms3", "avs")(channels=16).coupled.encoder("audio")).eval()
    log_mel = torch.randn(2, 40, encoder.stem.mels)
    other = torch.stack([log_mel[0], log_mel[1] + 1])
    assert torch.equal(encoder.stem(log_mel)[0], encoder.stem(other)[0])
    encoder.stem.train()  # a frozen one mixes, too: what was put in afterwards follows
    torch.manual_seed(0)
    first = encoder.stem(log_mel)[0]
    torch.manual_seed(0)
    assert not torch.equal(first, encoder.stem(other)[0])
    encoder.stem = nn.Sequential(encoder.stem)
    with pytest.raises(ValueError, match=r"the stem of this audio encoder is a Sequential, .* take --model.audio"):
        mix_spectrograms(encoder)
