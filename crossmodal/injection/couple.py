"""Any two encoders, frozen and coupled, in one call."""

from collections.abc import Collection, Mapping

from ..adapters import AdapterFactory, Control, true_guide
from .coupler import couplers_for
from .encoder import Encoder
from .freezing import freeze
from .lockstep import Lockstep
from .pairing import paired_by_depth
from .pairing_transforms import Pairing, also_guided_by
from .step import Edge
from .validation import check_encoders


def couple(
    visual: Encoder,
    audio: Encoder,
    *,
    adapter: AdapterFactory,
    pairing: Pairing = paired_by_depth,
    edges: Collection[Edge] | None = None,
    guide: Control = true_guide,
    guides: Mapping[str, Encoder] | None = None,
) -> Lockstep:
    """Freezes two encoders and couples them: steps by a pairing, an adapter on every edge of every coupled step.

    Args:
        visual: Encoder of the stream `visual`; frozen in place.
        audio: Encoder of the stream `audio`; frozen in place. Where it is the very same encoder, both streams share it,
            registered once as `shared`.
        adapter: Called with the sites of stream and guide, it builds the adapter of an edge.
        pairing: From the sites of both streams to steps; `paired_by_depth` takes any two encoders.
        edges: Keeps only these `(guide, stream)`; `None` keeps all that the pairing has, `()` none.
        guide: Whatever the adapters read: their true guide, or a control (`shuffled`, `own_stream`, `no_guide`).
        guides: Name of a stream → encoder of a stem alone, such as `vector_encoder`: it guides whatever is guided.

    Returns:
        The lockstep, whose couplers alone learn.

    Raises:
        TypeError: If an encoder is something else, such as a name or a model that was not cut.
        ValueError: If the pairing does not take these encoders, an adapter does not fit its sites, or no step has an
            edge of `edges`.
    """
    check_encoders("couple", {"visual": visual, "audio": audio, **(guides or {})})
    more = {name: freeze(encoder) for name, encoder in (guides or {}).items()}
    encoders = {"visual": freeze(visual), "audio": freeze(audio), **more}
    sites = {name: encoder.sites for name, encoder in encoders.items()}
    for name in more:
        pairing = also_guided_by(pairing, name)
    streams = None
    # one entry for a shared encoder: under two names its weights would stand twice in the state_dict
    if audio is visual:
        encoders, streams = {"shared": visual, **more}, {"visual": "shared", "audio": "shared"} | {n: n for n in more}
    steps = pairing(sites)
    couplers = couplers_for(steps, sites, guide(adapter), edges=edges)
    return Lockstep(encoders, steps=steps, couplers=couplers, streams=streams)
