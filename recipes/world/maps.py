"""What the maps do, by coupling: `python -m crossmodal.recipes.world.maps` writes the table of docs/recipes/maps.md.

Tiny encoders, gates opened to 0.3 as training opens them, two clips of the built-in world; nothing is trained.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import default_collate

from crossmodal.adapters import Bottleneck, Gate, GateThenNorm, GuidedAdapter, NormalisedFirst
from crossmodal.attention import LatentTokens
from crossmodal.data.world import World
from crossmodal.evaluation.map_effects import MapEffect, effects_text, map_effects
from crossmodal.evaluation.page_marks import write_between
from crossmodal.guidance import FrequencyGuidance, SegmentGuidance
from crossmodal.injection import Lockstep
from crossmodal.recipes.any_pair import any_pair
from crossmodal.recipes.ave.dg_sct import dg_sct as ave_dg_sct
from crossmodal.recipes.dg_sct import dg_sct
from crossmodal.recipes.dg_sct_released import dg_sct_released
from crossmodal.recipes.lite import lite

GATE = 0.3
MARK = "maps"
PAGE = Path(__file__).resolve().parents[2] / "docs/recipes/maps.md"

frequency_guidance: Any = FrequencyGuidance  # its type cannot say that `bands` goes by name

COUPLINGS: Mapping[str, Callable[..., Lockstep]] = {
    "dg_sct": dg_sct,
    "dg_sct, frequency in place of spatial": partial(dg_sct, spatial=None, frequency=frequency_guidance),
    "dg_sct in the published order": partial(dg_sct, order=GuidedAdapter),
    "dg_sct, modulation behind the entry norm": partial(dg_sct, order=NormalisedFirst),
    "dg_sct, no entry norm": partial(dg_sct, order=GuidedAdapter, bottleneck=partial(Bottleneck, before=nn.Identity)),
    "dg_sct, gate alone": partial(dg_sct, bottleneck=Gate),
    "lite": lite,
    "any_pair": any_pair,
    "dg_sct_released (AVE, AVVP, AVQA)": dg_sct_released,
    "dg_sct_released (AVS, image side)": partial(
        dg_sct_released, bottleneck=partial(Bottleneck, before=nn.Identity, finish=GateThenNorm)
    ),
    "dg_sct_released (few-shot)": partial(dg_sct_released, alpha=0.2, temporal=SegmentGuidance, latents=2),
}
"""Couplings, and the released forms of the other tasks."""


def with_open_gates(model: nn.Module, value: float = GATE) -> nn.Module:
    """Sets the gates of a model, which start at zero, in place; returns it."""
    for module in model.modules():
        if isinstance(module, Gate):
            nn.init.constant_(module.scale, value)
        elif isinstance(module, LatentTokens):
            nn.init.constant_(module.gate, value)
    return model


def effects_of(coupling: Callable[..., Lockstep], *, seed: int = 0, clips: int = 2) -> list[MapEffect]:
    """Measures what the maps of a coupling do in an untrained system with open gates.

    Args:
        coupling: Couples two encoders.
        seed: Of weights and clips.
        clips: Number of clips.
    """
    torch.manual_seed(seed)
    system = ave_dg_sct(coupling=coupling).eval()
    with_open_gates(system.coupled)
    world = World("test", clips=clips, seed=seed)
    batch = default_collate([world[index] for index in range(clips)])
    return map_effects(system, None, [batch], scored=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table, and writes it into the page."""
    del arguments
    found = []
    for name, coupling in COUPLINGS.items():
        print(f"\r{name:<50}", end="", file=sys.stderr)
        found.append(f"**`{name}`**\n\n{effects_text(effects_of(coupling), markdown=True)}")
    print("\r" + " " * 50, end="\r", file=sys.stderr)
    write_between(PAGE, MARK, "\n\n".join(found))
    print("\n\n".join(found))


if __name__ == "__main__":
    main()
