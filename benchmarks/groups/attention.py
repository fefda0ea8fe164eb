"""Window attention by every backend, at the windows of both encoders."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from crossmodal.attention import CosineWindowAttention, WindowAttention, attend

from ..measuring import in_turns
from ..results import Found
from ..setting import Setting
from ..tables import markdown, ratio, spread


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One an encoder and stage."""
    model = setting.model(device="meta")
    found: dict[str, Callable[[], Found]] = {}
    for stream, words in {"visual": "image", "audio": "sound"}.items():
        encoder = model.coupled.encoder(stream)
        for site in encoder.sites:
            if site.part == "attention":
                body = encoder.section(site.name).body
                found.setdefault(f"{words}, stage {site.stage + 1}", partial(compared, setting, body, site.width))
    return found


def compared(setting: Setting, body: WindowAttention | CosineWindowAttention, width: int) -> Found:
    """Seconds of forward and backward of `attend` over the windows of ten frames, with a bias that is frozen."""
    torch.manual_seed(0)
    cells, heads = body.windows.window[0] * body.windows.window[1], body.windows.count * body.heads
    with torch.device(setting.device):
        tensors = [torch.randn(10, cells, heads, width // body.heads, requires_grad=True) for _ in range(3)]
        bias = torch.randn(1, heads, cells, cells)
    backends = ("sdpa", "reference") if setting.device == "cpu" else ("sdpa", "reference", "xformers")

    def run(backend: str) -> None:
        attended = attend(*tensors, bias=bias, backend=backend)
        torch.autograd.grad(attended, tensors, torch.ones_like(attended))

    runs = {backend: partial(run, backend) for backend in backends}
    return {"seconds": in_turns(runs, rounds=5, device=setting.device, shortest=setting.shortest)}


def table(found: Mapping[str, Found]) -> str:
    """A row an encoder and stage."""
    backends = list(next(iter(found.values()))["seconds"])
    head = ["windows of ten frames", *(f"`{backend}`" for backend in backends), "sdpa / reference"]
    return markdown(
        head,
        [
            [
                name,
                *map(spread, of["seconds"].values()),
                f"{ratio(of['seconds']['sdpa'], of['seconds']['reference']):.2f}",
            ]
            for name, of in found.items()
        ],
    )
