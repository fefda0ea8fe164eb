"""Trains a system whose weights are sharded over processes: `torchrun --nproc_per_node 2 fsdp_loop.py`."""

import torch
from torch import distributed, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.optim import Adam
from torch.utils.data import DataLoader, DistributedSampler

import crossmodal
from crossmodal.data import World
from crossmodal.injection import Encoder
from crossmodal.sharing import SystemOptions, build_system


def shard(system: nn.Module) -> nn.Module:
    """Shards a system part by part, in place: a part is gathered when it is called, and let go of afterwards."""
    mesh = init_device_mesh("cuda" if torch.cuda.is_available() else "cpu", (distributed.get_world_size(),))
    for encoder in [module for module in system.modules() if isinstance(module, Encoder)]:
        # a lockstep calls these, never the encoder: sharded as a whole, it would not be gathered
        for part in (encoder.stem, *encoder.sections.values(), encoder.head):
            if any(True for _ in part.parameters()):
                fully_shard(part, mesh=mesh)
    for coupler in system.coupled.couplers.values():
        fully_shard(coupler, mesh=mesh)
    return fully_shard(system, mesh=mesh)  # what is left: pooling and heads


def train(options: SystemOptions, *, clips: int, size: int = 2) -> nn.Module:
    """Trains one epoch on the built-in world, in batches of `size` in every process; returns the whole system."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes)
    world.preprocess = system.inputs.preprocess
    sharded = shard(system)
    optimizer = Adam([each for each in sharded.parameters() if each.requires_grad], lr=3e-4)  # after the sharding
    sharded.train()
    for batch in DataLoader(world, batch_size=size, sampler=DistributedSampler(world, shuffle=False)):
        terms = sharded.loss(sharded(batch), batch)
        sum(terms.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
    # the weights of all processes in one, by the names that they had
    whole = get_model_state_dict(sharded, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    system = build_system(options, world.classes)
    if whole:  # in the first process
        system.load_state_dict(whole)
    return system


if __name__ == "__main__":
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    trained = train(SystemOptions("ave", "lite"), clips=4)
    if distributed.get_rank() == 0:
        crossmodal.save(trained.eval(), "shared/fsdp")
    distributed.destroy_process_group()
