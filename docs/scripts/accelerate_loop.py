"""Trains a system of this library in a loop of Accelerate: one process or many, by `accelerate launch`."""

from accelerate import Accelerator
from torch import nn
from torch.optim import AdamW
from torch.utils.data import DataLoader

import crossmodal
from crossmodal.data import World
from crossmodal.sharing import SystemOptions, build_system


def train(options: SystemOptions, *, clips: int, every: int = 2) -> nn.Module:
    """Trains one epoch on the built-in world, a step for every so many batches."""
    accelerator = Accelerator(gradient_accumulation_steps=every)
    world = World("train", clips=clips)
    system = build_system(options, world.classes)
    world.preprocess = system.inputs.preprocess
    optimizer = AdamW([each for each in system.parameters() if each.requires_grad], lr=3e-4)
    model, optimizer, batches = accelerator.prepare(system, optimizer, DataLoader(world, batch_size=2, shuffle=True))
    model.train()
    for batch in batches:
        with accelerator.accumulate(model):
            terms = system.loss(model(batch), batch)
            accelerator.backward(sum(terms.values()))
            optimizer.step()
            optimizer.zero_grad()
    return system


if __name__ == "__main__":
    trained = train(SystemOptions("ave", "lite"), clips=4)
    if Accelerator().is_main_process:
        crossmodal.save(trained.eval(), "shared/accelerated")
