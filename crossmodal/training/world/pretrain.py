"""Pre-trains the tiny encoders on unimodal labels of the world: `python -m crossmodal.training.world.pretrain`.

The visual encoder learns which textures and colours a second shows, and where; the audio encoder which timbres sound.
No label says which texture has which colour. Interrupted runs go on where they were saved last.
"""

import json
import math
import shlex
import sys
from pathlib import Path
from typing import cast

import torch
from safetensors import safe_open
from safetensors.torch import save as serialised
from torch import Tensor, nn

from crossmodal.data.world import World
from crossmodal.encoders.by_name.tiny import AUDIO, VISUAL, tiny_audio, tiny_log_mel, tiny_visual
from crossmodal.io import write_whole
from crossmodal.option_parser import OptionParser
from crossmodal.training.world.probes import binding, unimodal
from crossmodal.training.world.unimodal_labels import ProbedEncoder, make_batch, reinitialise

RATE, WARM_UP = 2e-3, 0.05
SAVE_EVERY = 100


def probed_encoders(world: World) -> nn.ModuleDict:
    """Returns both encoders, reinitialised and untrained, with their probes."""
    textures, colours = len(world.texture_names), len(world.classes)
    visual, audio = reinitialise(tiny_visual(weights=None)), reinitialise(tiny_audio(weights=None))
    return nn.ModuleDict(
        {
            "visual": ProbedEncoder(visual, textures + colours, kinds=(textures, colours)),
            "audio": ProbedEncoder(audio, textures),
        }
    )


def pair_of(both: nn.ModuleDict) -> tuple[ProbedEncoder, ProbedEncoder]:
    """Returns the visual and the audio encoder of a dictionary of both."""
    return cast(ProbedEncoder, both["visual"]), cast(ProbedEncoder, both["audio"])


def pretrain(steps: int, seed: int, out: Path, *, clips: int = 20) -> nn.ModuleDict:
    """Trains for `steps` steps on three seconds of `clips` clips each; returns the encoders in evaluation mode."""
    from tqdm import tqdm

    torch.manual_seed(seed)
    world, sound = World("train", clips=steps * clips, seed=seed), tiny_log_mel()
    both = probed_encoders(world)
    visual, audio = pair_of(both)
    optimizer = torch.optim.AdamW(both.parameters(), lr=RATE, weight_decay=0.02)
    state = out / f"pretrain-{seed}-{steps}.safetensors"
    first = restore(state, both, optimizer) if state.is_file() else 0
    bar = tqdm(range(first, steps), initial=first, total=steps, desc="pre-training", unit="step")
    for step in bar:
        torch.manual_seed((seed << 32) + step)  # the stem of HTS-AT cuts at random: a resumed run cuts alike
        batch = make_batch(world, range(step * clips, (step + 1) * clips), grids=visual.sides, every=3)
        losses = visual.loss(batch.frames, batch.seen, batch.places), audio.loss(sound(batch.wave), batch.heard, {})
        optimizer.param_groups[0]["lr"] = RATE * pace(step / steps)
        optimizer.zero_grad()
        (losses[0] + losses[1]).backward()
        nn.utils.clip_grad_norm_(both.parameters(), 10.0)
        optimizer.step()
        bar.set_postfix(visual=f"{losses[0].item():.3f}", audio=f"{losses[1].item():.3f}")
        if (step + 1) % SAVE_EVERY == 0:
            save(state, step + 1, both, optimizer)
    return both.eval()


def pace(done: float) -> float:
    """Returns the learning rate's share of its peak: up in a line, down in a cosine."""
    if done < WARM_UP:
        return done / WARM_UP
    return 0.5 + 0.5 * math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))


def save(path: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Writes weights, moments and step, all or nothing."""
    moments = optimizer.state_dict()["state"]
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"optimizer.{row}.{name}": value for row, state in moments.items() for name, value in state.items()}
    write(path, tensors, {"step": str(step)})


def restore(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Undoes `save`; returns the step at which to go on."""
    moments: dict[int, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        step = int(file.metadata()["step"])
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, row, moment = name.split(".")
            moments.setdefault(int(row), {})[moment] = value
    model.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("model.")})
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a safetensors file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, serialised({name: value.contiguous() for name, value in tensors.items()}, metadata))


def report(title: str, accuracies: dict[str, float]) -> None:
    """Prints one line a name."""
    print(title)
    for name, accuracy in accuracies.items():
        print(f"  {name:24s} {accuracy:.3f}")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = OptionParser(prog="python -m crossmodal.training.world.pretrain", description=__doc__)
    parser.add_argument("--steps", type=int, default=1500, help="of 60 seconds each; default %(default)s")
    parser.add_argument("--seed", type=int, default=7, help="of the world and the weights; default %(default)s")
    parser.add_argument("--out", type=Path, default=VISUAL.parent, help="folder of the weights; default %(default)s")
    parser.add_argument("--probe-clips", type=int, default=2000, help="to fit the binding probes; default %(default)s")
    options = parser.parse_args(arguments)
    both = pretrain(options.steps, options.seed, options.out)
    train = World("train", clips=options.probe_clips, seed=options.seed + 1)
    held_out = World("val", clips=max(options.probe_clips // 5, 1), seed=options.seed)
    senses = unimodal(*pair_of(both), held_out)
    report("Unimodal probes on pooled features, by label:", senses)
    bound = binding(*pair_of(both), train, held_out)
    report("The event, from the same frozen features:", bound)
    given = shlex.join(sys.argv[1:] if arguments is None else arguments)
    metadata = {
        "command": f"python -m crossmodal.training.world.pretrain {given}".strip(),
        "seed": str(options.seed),
        "steps": str(options.steps),
        "torch": torch.__version__,
        "probes": json.dumps({name: round(value, 4) for name, value in (senses | bound).items()}),
    }
    for name, target in (("visual", VISUAL), ("audio", AUDIO)):
        write(options.out / target.name, both[name].state_dict(), metadata)
        print(f"wrote {options.out / target.name}")
    (options.out / f"pretrain-{options.seed}-{options.steps}.safetensors").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
