"""Trains a system by plain torch, compiled whole: one graph, for any number of clips."""

import torch
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader

import crossmodal
from crossmodal.data import World
from crossmodal.sharing import SystemOptions, build_system


def train(options: SystemOptions, *, clips: int, size: int = 2, backend: str = "inductor") -> nn.Module:
    """Trains one epoch on the built-in world; the first step compiles."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes)
    world.preprocess = system.inputs.preprocess
    optimizer = Adam([each for each in system.parameters() if each.requires_grad], lr=3e-4)
    compiled = torch.compile(system, fullgraph=True, backend=backend)  # shares the weights of `system`
    compiled.train()
    for batch in DataLoader(world, batch_size=size, drop_last=True):
        for tensor in (batch.frames, batch.wave):
            torch._dynamo.mark_dynamic(tensor, 0)  # the number of clips is no part of the graph
        terms = system.loss(compiled(batch), batch)
        sum(terms.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return system  # not `compiled`, whose weights have other names


if __name__ == "__main__":
    crossmodal.save(train(SystemOptions("ave", "lite"), clips=4).eval(), "shared/compiled")
