"""Trains a system by plain torch in bf16-mixed: products in bfloat16, weights and their updates in float32."""

import torch
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader

import crossmodal
from crossmodal.data import World
from crossmodal.sharing import SystemOptions, build_system


def train(options: SystemOptions, *, clips: int, size: int = 2, device: str = "cpu") -> nn.Module:
    """Trains one epoch on the built-in world."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes).to(device)
    world.preprocess = system.inputs.preprocess
    optimizer = Adam([each for each in system.parameters() if each.requires_grad], lr=3e-4)
    system.train()
    for batch in DataLoader(world, batch_size=size):
        batch = type(batch)(*(field.to(device) for field in batch))
        with torch.autocast(device, torch.bfloat16):
            terms = system.loss(system(batch), batch)
        sum(terms.values()).backward()  # outside: it runs in the precision of each forward
        optimizer.step()
        optimizer.zero_grad()
    return system


if __name__ == "__main__":
    crossmodal.save(train(SystemOptions("ave", "lite"), clips=4).eval(), "shared/mixed")
