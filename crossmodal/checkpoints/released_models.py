"""Whole released models: DG-SCT on AVE into `dg_sct_released` with its heads, LAVisH into `lavish_shared`."""

import re
from collections.abc import Iterable

from torch import nn

from ..injection import Edge, Lockstep
from .htsat import htsat_rule, with_front_end
from .imported import Imported, bring
from .reading import Weights, read_weights
from .released_adapter import adapter_rule
from .released_heads import event_rule, temporal_rule
from .rules import Dropped, Rule, within
from .swin_v2 import swin_v2_layout

SIDES = {"audio": ("visual", "audio"), "vis": ("audio", "visual")}
"""The stream that a released adapter writes to → its edge here, `(guide, stream)`."""

UNCALLED = Dropped("linear layers over tokens that the released code never calls")
HEAD = Dropped("the two linear layers that label seconds: lavish_shared couples encoders and has no head")


def import_dg_sct_ave(model: nn.Module, weights: Weights) -> Imported:
    """Loads the released DG-SCT of AVE: both encoders, 48 adapters, temporal attention and event head.

    - `model`: its `coupled`, `temporal` and `head` are those of `crossmodal.recipes.ave.dg_sct.full_size(coupled=dg_sct_released)`, or
      the same at another size.
    - `weights`: as `read_weights` takes them; `"dg_sct_ave"` is the published file, where `fetch` looks for it.

    Returns what became of every tensor. Raises `ValueError` with a table, and leaves `model` as it was, where a tensor
    is missing, left over, of another shape, or not finite; and where `model` has not two couplers for every released
    pair.
    """
    found = with_front_end(read_weights(weights))
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_ave: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = dg_sct_ave_rule(found.tensors, coupled)
    return bring(model, found, rule, layout="DG-SCT as released for AVE", importer="import_dg_sct_ave")


def import_lavish(coupled: Lockstep, weights: Weights) -> Imported:
    """Loads a released LAVisH of one Swin-V2 for both modalities into a `lavish_shared` of the same size.

    - `coupled`: has two couplers a block, with both edges.
    - `weights`: as `read_weights` takes them.

    The classifier has no place here. The form with two encoders was never released, and the one on ViT has no encoder
    here. Returns and raises as `import_dg_sct_ave`.
    """
    found = read_weights(weights)
    rule = lavish_rule(found.tensors, coupled)
    return bring(coupled, found, rule, layout="LAVisH on one Swin-V2 as released", importer="import_lavish")


def dg_sct_ave_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """The rule of the released DG-SCT for a model around `coupled`."""
    names = list(names)
    return within(
        {
            "swin.": (swin_v2_layout(_inside(names, "swin."))[1], "coupled.encoders.visual."),
            "htsat.": (htsat_rule(), "coupled.encoders.audio."),
            **_adapters("import_dg_sct_ave", names, coupled, "coupled."),
            "temporal_attn.": (temporal_rule, "temporal."),
            "CMBS.": (event_rule, "head."),
            "adapter_token_downsampler.": (UNCALLED, ""),
        }
    )


def lavish_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """The rule of the released LAVisH for `coupled`."""
    names = list(names)
    return within(
        {
            "swin.": (swin_v2_layout(_inside(names, "swin."))[1], "encoders.shared."),
            **_adapters("import_lavish", names, coupled, ""),
            "mlp_class": (HEAD, ""),
            "adapter_token_downsampler.": (UNCALLED, ""),
        }
    )


def _adapters(
    importer: str, names: Iterable[str], coupled: Lockstep, here: str
) -> dict[str, tuple[Rule | Dropped, str]]:
    """Released adapters are numbered by pair; a pair meets in two couplers, in the order of the lockstep."""
    found = [re.match(r"(?:audio|vis)_adapter_blocks_p[12]\.(\d+)\.", name) for name in names]
    pairs = 1 + max((int(match[1]) for match in found if match), default=-1)
    couplers = list(coupled.couplers)
    if pairs and len(couplers) != 2 * pairs:
        raise ValueError(
            f"{importer}: the file has {pairs} pairs of adapters, two couplers each, but the model has {len(couplers)} "
            f"couplers: build it with the recipe and the encoders of the file (for DG-SCT: dg_sct_released)."
        )
    return {
        f"{side}_adapter_blocks_p{1 + at % 2}.{at // 2}.": (adapter_rule, f"{here}couplers.{name}.{_key(edge)}.")
        for at, name in enumerate(couplers)
        for side, edge in SIDES.items()
    }


def _key(edge: Edge) -> str:
    return "_".join(edge)


def _inside(names: Iterable[str], prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
