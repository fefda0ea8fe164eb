"""The options of runs whose steps depend on nothing but their clips: no dropout, no batch norm, float64."""

from functools import wraps

from systems import tiny
from torch import nn


@wraps(tiny)
def plain(*args, **parts):
    """`tiny()` without dropout."""
    model = tiny(*args, **parts)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    return model


PLAIN = [
    "--system=plain.plain", "--model.bottleneck.norm=torch.nn.Identity", "--trainer.precision=64-true",
    "--data.clips=4", "--data.held_out=3", "--trainer.max_epochs=2", "--trainer.enable_progress_bar=false",
    "--trainer.log_every_n_steps=1",
]  # fmt: skip
