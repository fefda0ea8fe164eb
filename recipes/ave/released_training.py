"""The training of DG-SCT on AVE as its authors' code does it, with what a careful training does not do."""

from functools import partial

from pytorch_lightning.callbacks import EarlyStopping
from torch.nn import functional as F

from crossmodal.injection import freeze_parameters
from crossmodal.tasks.settings import Settings
from crossmodal.training.deviations import DropAccumulatedGradients


def released_training() -> Settings:
    """Returns the released training: to repeat a figure of the released code, not to make one.

    Deviations from a careful training: frozen encoders in training mode; gradients of every other batch dropped;
    selection on the test split; the gate's loss on a sigmoid of the sigmoid. `crossmodal.training.deviations` puts them
    into words, and `crossmodal ave fit` prints them. Numbers: Adam at 5e-4 for all that is trained, times 0.35 every 3
    epochs, batches of 8, 50 epochs, fewer where 20 in a row are no better; seed 43.

    Source: the released code of DG-SCT (NeurIPS 2023), `train.sh` of AVE.
    """
    return Settings(
        optim={"lr": 5e-4, "decay": 0.35, "every": 3},
        trainer={"max_epochs": 50},
        data={"batch_size": 8, "validation": "test"},
        model={"gate_loss": F.binary_cross_entropy_with_logits},
        encoders=freeze_parameters,
        callbacks=(
            partial(DropAccumulatedGradients, every=2),
            partial(EarlyStopping, monitor="val_accuracy", mode="max", patience=20),
        ),
        seed=43,
    )
