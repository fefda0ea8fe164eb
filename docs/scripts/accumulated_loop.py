"""Trains a system by plain torch with accumulated gradients: a step is the mean of several batches."""

from itertools import islice

from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader

import crossmodal
from crossmodal.data import World
from crossmodal.sharing import SystemOptions, build_system


def train(options: SystemOptions, *, clips: int, size: int = 2, every: int = 2) -> nn.Module:
    """Trains one epoch on the built-in world, in batches of `size`, `every` of them a step."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes)
    world.preprocess = system.inputs.preprocess
    optimizer = Adam([each for each in system.parameters() if each.requires_grad], lr=3e-4)
    batches = iter(DataLoader(world, batch_size=size))
    system.train()
    while group := list(islice(batches, every)):  # the last one may be shorter
        for batch in group:
            terms = system.loss(system(batch), batch)
            (sum(terms.values()) / len(group)).backward()  # a mean over the group, as over one large batch
        optimizer.step()
        optimizer.zero_grad()
    return system


if __name__ == "__main__":
    crossmodal.save(train(SystemOptions("ave", "lite"), clips=8).eval(), "shared/accumulated")
