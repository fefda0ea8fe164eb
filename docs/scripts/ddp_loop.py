"""Trains a system of this library by plain torch in several processes: `torchrun --nproc_per_node 2 ddp_loop.py`."""

from contextlib import nullcontext
from itertools import islice

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Adam
from torch.utils.data import DataLoader, DistributedSampler

import crossmodal
from crossmodal.data import World
from crossmodal.sharing import SystemOptions, build_system


def train(options: SystemOptions, *, clips: int, size: int = 2, every: int = 1) -> nn.Module:
    """Trains one epoch on the built-in world, in batches of `size` in every process, `every` of them a step."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes)  # from one seed: the same weights in every process
    world.preprocess = system.inputs.preprocess
    parallel = DistributedDataParallel(system)  # on a GPU: of system.to(device), device_ids=[device]
    optimizer = Adam([each for each in system.parameters() if each.requires_grad], lr=3e-4)
    batches = iter(DataLoader(world, batch_size=size, sampler=DistributedSampler(world, shuffle=False)))
    parallel.train()
    while group := list(islice(batches, every)):
        for last, batch in enumerate(group, start=1 - len(group)):
            # the gradients of the other batches stay in the process: they are averaged once a step
            with nullcontext() if last == 0 else parallel.no_sync():
                terms = system.loss(parallel(batch), batch)
                (sum(terms.values()) / len(group)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return system


if __name__ == "__main__":
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    trained = train(SystemOptions("ave", "lite"), clips=8, every=2)
    if distributed.get_rank() == 0:
        crossmodal.save(trained.eval(), "shared/ddp")
    distributed.destroy_process_group()
