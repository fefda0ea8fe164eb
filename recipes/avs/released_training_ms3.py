"""The training of DG-SCT on AVSBench's MS3 as its authors' code does it, with what a careful training does not do."""

from crossmodal.encoders import mix_spectrograms
from crossmodal.injection import Encoder, freeze_parameters
from crossmodal.tasks.settings import Settings


def released_ms3_encoder(encoder: Encoder) -> Encoder:
    """Freezes an encoder's parameters alone, and mixes spectrograms.

    Args:
        encoder: An encoder of the built model.
    """
    return mix_spectrograms(freeze_parameters(encoder))


def released_training_ms3() -> Settings:
    """Returns the released training of MS3: to repeat a figure of the released code, not to make one.

    Deviations from a careful training: frozen encoders in training mode; spectrograms of the batch mixed, while masks
    are not; selection on the test split. Numbers: Adam at a constant 1.5e-4, batches of 2, 30 epochs; seed 123.

    Source: the released code of DG-SCT (NeurIPS 2023), its training script of MS3.
    """
    return Settings(
        optim={"lr": 1.5e-4, "decay": 1.0},
        trainer={"max_epochs": 30},
        data={"batch_size": 2, "validation": "test", "setting": "ms3"},
        encoders=released_ms3_encoder,
        seed=123,
    )
