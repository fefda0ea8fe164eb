"""The training of DG-SCT on AVSBench's S4 as its authors' code does it, with what a careful training does not do."""

from crossmodal.encoders import mix_spectrograms
from crossmodal.injection import Encoder, freeze_parameters, unfreeze
from crossmodal.tasks.settings import Settings


def released_s4_encoder(encoder: Encoder) -> Encoder:
    """Lets the audio encoder learn, freezes the parameters of the other one alone, and mixes spectrograms.

    Args:
        encoder: An encoder of the built model.
    """
    hears = "frequency" in encoder.sites[-1].axes
    return mix_spectrograms(unfreeze(encoder) if hears else freeze_parameters(encoder))


def released_training_s4() -> Settings:
    """Returns the released training of S4: to repeat a figure of the released code, not to make one.

    Deviations from a careful training: the frozen encoder in training mode; spectrograms of the batch mixed, while
    masks are not; selection on the test split. Numbers: Adam at a constant 3e-4, batches of 8, 15 epochs; seed 123.
    The released code also trains the kernels of its spectrogram, which are constants here.

    Source: the released code of DG-SCT (NeurIPS 2023), its training script of S4.
    """
    return Settings(
        optim={"lr": 3e-4, "decay": 1.0},
        trainer={"max_epochs": 15},
        data={"batch_size": 8, "validation": "test", "setting": "s4"},
        encoders=released_s4_encoder,
        seed=123,
    )
