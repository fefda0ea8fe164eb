"""Importers of released models: DG-SCT and LAVisH on AVE with their heads, and LAVisH's coupling alone."""

import re
from collections.abc import Iterable

from torch import nn

from ..injection import Edge, Lockstep
from .htsat import htsat_rule, with_filter_note
from .load_strict import Imported, load_strict
from .raw_checkpoint import Weights, read_weights
from .released_modules import adapter_rule, event_rule, temporal_rule
from .rules import Dropped, Rule, prefix_rules, rename_rule
from .swin_v2 import swin_v2_layout

EDGES = {"audio": ("visual", "audio"), "vis": ("audio", "visual")}
"""The stream that a released adapter writes to → its edge here, `(guide, stream)`."""

UNCALLED = Dropped("linear layers over tokens that the released code never calls")
SEGMENT_HEAD = {"class": "project", "class_2": "readout"}
HEAD = Dropped("the two linear layers that label seconds: lavish_shared couples encoders and has no head")


def import_dg_sct_ave(model: nn.Module, weights: Weights) -> Imported:
    """Loads the released DG-SCT of AVE: both encoders, 48 adapters, temporal attention and event head.

    Args:
        model: Has `coupled`, `temporal` and `head` as `crossmodal.recipes.ave.dg_sct_released.dg_sct_released` builds
            them on `"swin_v2_l"` and `"htsat"`, or the same at another size.
        weights: A file, or what else `read_weights` takes; `"dg_sct_ave"` is the released file, where `fetch` looks
            for it.

    Returns:
        What became of every tensor.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: With a table, and `model` as it was, if a tensor is missing, left over, of another shape or not
            finite; or if `model` does not have two couplers for every released pair.
    """
    checkpoint = with_filter_note(read_weights(weights))
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_dg_sct_ave: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = dg_sct_ave_rule(checkpoint.tensors, coupled)
    return load_strict(model, checkpoint, rule, layout="DG-SCT as released for AVE", importer="import_dg_sct_ave")


def import_lavish(coupled: Lockstep, weights: Weights) -> Imported:
    """Loads a released LAVisH of one Swin-V2 for both modalities into a `lavish_shared` of the same size.

    The classifier is dropped. The form with two encoders was never released, and there is no encoder here for the one
    on ViT.

    Args:
        coupled: Has two couplers for each block, with both edges.
        weights: A file, or what else `read_weights` takes.

    Returns:
        What became of every tensor.

    Raises:
        ValueError: As `import_dg_sct_ave`.
    """
    checkpoint = read_weights(weights)
    rule = lavish_rule(checkpoint.tensors, coupled)
    return load_strict(coupled, checkpoint, rule, layout="LAVisH on one Swin-V2 as released", importer="import_lavish")


def import_lavish_ave(model: nn.Module, weights: Weights) -> Imported:
    """Loads a released LAVisH of AVE whole: the encoder, its adapters, and the head that labels seconds.

    Args:
        model: Has `coupled` and `head` as `crossmodal.recipes.ave.lavish_shared.lavish_shared` builds them.
        weights: A file, or what else `read_weights` takes.

    Returns:
        What became of every tensor.

    Raises:
        TypeError: If `model.coupled` is no `Lockstep`.
        ValueError: As `import_dg_sct_ave`.
    """
    checkpoint = read_weights(weights)
    coupled = model.get_submodule("coupled")
    if not isinstance(coupled, Lockstep):
        raise TypeError(f"import_lavish_ave: model.coupled is a {type(coupled).__name__}, expected a Lockstep.")
    rule = lavish_ave_rule(checkpoint.tensors, coupled)
    return load_strict(model, checkpoint, rule, layout="LAVisH as released for AVE", importer="import_lavish_ave")


def dg_sct_ave_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released DG-SCT for a model around `coupled`, from the names in the file."""
    names = list(names)
    return prefix_rules(
        {
            "swin.": (swin_v2_layout(without_prefix(names, "swin."))[1], "coupled.encoders.visual."),
            "htsat.": (htsat_rule(), "coupled.encoders.audio."),
            **adapter_rules("import_dg_sct_ave", names, coupled, "coupled."),
            "temporal_attn.": (temporal_rule, "temporal."),
            "CMBS.": (event_rule, "head."),
            "adapter_token_downsampler.": (UNCALLED, ""),
        }
    )


def lavish_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released LAVisH for `coupled`, from the names in the file."""
    return prefix_rules({**lavish_parts("import_lavish", names, coupled, ""), "mlp_class": (HEAD, "")})


def lavish_ave_rule(names: Iterable[str], coupled: Lockstep) -> Rule:
    """Builds the rule of the released LAVisH of AVE for a model around `coupled`, from the names in the file."""
    head = (rename_rule(SEGMENT_HEAD), "head.")
    return prefix_rules({**lavish_parts("import_lavish_ave", names, coupled, "coupled."), "mlp_": head})


def lavish_parts(
    importer: str, names: Iterable[str], coupled: Lockstep, ours: str
) -> dict[str, tuple[Rule | Dropped, str]]:
    """Returns prefix in the file → rule and prefix here, for all of the released LAVisH but its head."""
    names = list(names)
    return {
        "swin.": (swin_v2_layout(without_prefix(names, "swin."))[1], f"{ours}encoders.shared."),
        **adapter_rules(importer, names, coupled, ours),
        "adapter_token_downsampler.": (UNCALLED, ""),
    }


def adapter_rules(
    importer: str, names: Iterable[str], coupled: Lockstep, ours: str
) -> dict[str, tuple[Rule | Dropped, str]]:
    """Returns prefix in the file → rule and prefix here, for every adapter.

    Released adapters are numbered by pair of blocks; a pair has two couplers, in the order of the lockstep.
    """
    matches = [re.match(r"(?:audio|vis)_adapter_blocks_p[12]\.(\d+)\.", name) for name in names]
    pairs = 1 + max((int(match[1]) for match in matches if match), default=-1)
    couplers = list(coupled.couplers)
    if pairs and len(couplers) != 2 * pairs:
        raise ValueError(
            f"{importer}: the file has {pairs} pairs of adapters, two couplers each, but the model has {len(couplers)} "
            f"couplers: build it with the recipe and the encoders of the file (for DG-SCT: dg_sct_released)."
        )
    return {
        f"{side}_adapter_blocks_p{1 + at % 2}.{at // 2}.": (adapter_rule, f"{ours}couplers.{name}.{_key(edge)}.")
        for at, name in enumerate(couplers)
        for side, edge in EDGES.items()
    }


def _key(edge: Edge) -> str:
    """Returns the name under which a coupler keeps the adapter of an edge."""
    return "_".join(edge)


def without_prefix(names: Iterable[str], prefix: str) -> list[str]:
    """Returns the names that start with a prefix, without it."""
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
