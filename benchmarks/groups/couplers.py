"""Adapters evaluated fast against the same adapters evaluated directly, by stage and direction."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from crossmodal.injection import fast_linears

from ..direct import evaluated_directly
from ..measuring import counted, forward_and_backward, in_turns, woken
from ..results import Found
from ..setting import Built, Setting, adapters_of
from ..tables import giga, markdown, ratio, spread


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a stage and direction."""
    return {name: partial(compared, setting, built) for name, built in adapters_of(setting).items()}


def compared(setting: Setting, built: Built) -> Found:
    """Seconds of forward and backward on ten frames, operations, and bytes kept."""
    factory, stream, guide = built
    torch.manual_seed(0)
    with torch.device(setting.device):
        inputs = torch.randn(10, stream.tokens, stream.width), torch.randn(10, guide.tokens, guide.width)
        adapters = {
            "direct": woken(evaluated_directly(factory)(stream, guide).train()),
            "fast": woken(fast_linears(factory(stream, guide)).train()),
        }
    runs = {name: partial(forward_and_backward, adapter, *inputs) for name, adapter in adapters.items()}
    return {
        "counted": {name: counted(adapter, *inputs) for name, adapter in adapters.items()},
        "seconds": in_turns(runs, rounds=5, device=setting.device, shortest=setting.shortest),
    }


def table(found: Mapping[str, Found]) -> str:
    """A row a stage and direction."""
    head = [
        "one adapter, ten frames",
        "GFLOP direct",
        "fast",
        "GB saved direct",
        "fast",
        "time direct",
        "fast",
        "fast / direct",
    ]
    rows = []
    for name, of in found.items():
        direct, fast = of["counted"]["direct"], of["counted"]["fast"]
        counts = [giga(each[what]) for what in ("operations", "saved") for each in (direct, fast)]
        times = of["seconds"]
        rows.append(
            [
                name,
                *counts,
                spread(times["direct"]),
                spread(times["fast"]),
                f"{ratio(times['fast'], times['direct']):.2f}",
            ]
        )
    return markdown(head, rows)
