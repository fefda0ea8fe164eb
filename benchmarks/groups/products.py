"""Large products of a step by torch's own library, by oneDNN, and by the one that a timing chose on this machine."""

from collections.abc import Callable, Mapping
from functools import partial

import torch

from crossmodal.injection.execution.kernel_choice import LIBRARIES, library_for, product_by, product_class

from ..measuring import in_turns
from ..results import Found
from ..setting import Setting
from ..tables import markdown, ratio, spread

SHAPES = {
    "full": {
        "token mixer, stage 1": (320, 4096, 2304),
        "feed-forward, image, stage 1": (23040, 192, 768),
        "feed-forward, image, stage 3": (1440, 768, 3072),
        "channel guidance, image, stage 3": (1440, 768, 768),
    },
    "tiny": {"feed-forward": (640, 64, 256)},
}
"""Size → name → rows, and width in and out."""


def measurements(setting: Setting) -> dict[str, Callable[[], Found]]:
    """One a shape and form; these libraries compute on the CPU alone."""
    return {
        f"{name}, {form}": partial(compared, setting, form, *sizes)
        for name, sizes in SHAPES[setting.size].items()
        for form in ("linear", "times", "gradient")
    }


def compared(setting: Setting, form: str, rows: int, inner: int, outer: int) -> Found:
    """Seconds of one product by every library, and the name of the chosen one."""
    torch.manual_seed(0)
    given, weight, gradient = torch.randn(rows, inner), torch.randn(outer, inner), torch.randn(rows, outer)
    pair = {"linear": (given, weight), "times": (gradient, weight.mT), "gradient": (gradient.mT, given.mT)}[form]
    runs = {library: partial(product_by, library, *pair) for library in LIBRARIES}
    with torch.no_grad():
        seconds = in_turns(runs, rounds=5, device="cpu", shortest=setting.shortest)
    return {"seconds": seconds, "chosen": library_for(product_class(form, rows, inner, outer))}


def table(found: Mapping[str, Found]) -> str:
    """A row a shape and form."""
    head = ["product", *LIBRARIES, "chosen", "chosen / torch"]
    rows = [
        [
            name,
            *(spread(of["seconds"][library]) for library in LIBRARIES),
            of["chosen"],
            f"{ratio(of['seconds'][of['chosen']], of['seconds']['torch']):.2f}",
        ]
        for name, of in found.items()
    ]
    return markdown(head, rows)
