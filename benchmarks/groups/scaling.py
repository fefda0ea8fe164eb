"""What grows with what: a step with clips; an adapter with frames, with tokens of stream and guide, with latents."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch

from crossmodal.injection import fast_linears
from crossmodal.ledger import cost
from crossmodal.site import Site, grid_axes

from ..measuring import counted, forward_and_backward, in_turns, woken
from ..results import Found
from ..setting import Setting, adapters_of, step_of
from ..tables import giga, markdown, spread

STEPS = {"frames": (10, 20, 40), "tokens of the stream": (1, 2, 4), "tokens of the guide": (1, 2, 4)}
LATENTS = (2, 8, 32, 128)
CLIPS = (1, 2)


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a quantity and size: the third stage's adapter (the last's where there are two), image guided by sound."""
    found: dict[str, Callable[[], Found]] = {}
    for clips in CLIPS:
        found[f"clips = {clips}, whole step"] = partial(of_clips, setting, clips)
    for name, frames, rows, guide_rows, latents in cases():
        found[name] = partial(of_adapter, setting, frames, rows, guide_rows, latents)
    return found


def cases() -> Iterator[tuple[str, int, int, int, int]]:
    """Name, frames, how many times the tokens of stream and guide, latents."""
    for times in STEPS["frames"]:
        yield f"frames = {times}", times, 1, 1, 32
    for times in STEPS["tokens of the stream"][1:]:
        yield f"stream tokens × {times}", 10, times, 1, 32
    for times in STEPS["tokens of the guide"][1:]:
        yield f"guide tokens × {times}", 10, 1, times, 32
    for latents in LATENTS:
        yield f"latents = {latents}", 10, 1, 1, latents


def of_clips(setting: Setting, clips: int) -> Found:
    """A whole training step on so many clips."""
    empty = setting.model(device="meta")
    total = cost(empty, setting.batch(empty, clips, device="meta")).total
    step = step_of(setting, fast_linears(setting.model()), clips)
    return {
        "counted": {"operations": total.step, "saved": total.saved},
        "seconds": in_turns({"step": step}, rounds=2, device=setting.device, shortest=0)["step"],
    }


def of_adapter(setting: Setting, frames: int, times: int, guide_times: int, latents: int) -> Found:
    """Forward and backward of one adapter."""
    built = adapters_of(setting)
    name = max(name for name in built if name.endswith("audio → visual") and not name.startswith("stage 4"))
    factory, stream, guide = built[name]
    rows, guide_rows = times * stream.tokens, guide_times * guide.tokens
    stream = Site("stream", stream.width, grid_axes(rows, 1), stream.stage)
    guide = Site("guide", guide.width, grid_axes(guide_rows, 1), guide.stage)
    with torch.device(setting.device):
        adapter = woken(fast_linears(partial(factory, latents=latents)(stream, guide)).train())
        inputs = torch.randn(frames, stream.tokens, stream.width), torch.randn(frames, guide.tokens, guide.width)
    run = partial(forward_and_backward, adapter, *inputs)
    return {
        "counted": counted(adapter, *inputs),
        "seconds": in_turns({"adapter": run}, rounds=5, device=setting.device, shortest=setting.shortest)["adapter"],
    }


def table(found: Mapping[str, Found]) -> str:
    """A row a quantity and size."""
    rows = [
        [name, giga(of["counted"]["operations"]), giga(of["counted"]["saved"]), spread(of["seconds"])]
        for name, of in found.items()
    ]
    return markdown(["forward and backward", "GFLOP", "GB saved", "time"], rows)
