"""A model that was not written for this library, cut into an encoder."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...site import Axes, grid_axes
from ..encoder import Encoder
from ..hooks.probe import evaluating, read_shapes
from ..hooks.token_places import Evidence, TokenPlaces, blotted, no_places
from .cut_points import CutPoint, cut_points, matching_modules
from .graph import Arg, Node
from .subgraph import merged_nodes, subgraph
from .subgraph_module import InputLayout, ModelInput, ModelOutput, OutputLayout, SubgraphModule
from .token_grid import infer_grid
from .traced_call import TracedCall, first_tensor


def sections_of(
    model: nn.Module,
    patterns: str | Sequence[str],
    *example: Any,
    axes: Callable[[int, int], Axes] = grid_axes,
    output: Callable[[Any], Tensor] = first_tensor,
    **named: Any,
) -> Encoder:
    """Cuts an unmodified model into an `Encoder` whose sections are the modules that `patterns` match.

    What runs before the first of them is the stem, what runs after the last the head; what changes the size of the
    stream between two of them is a section of its own, a merge. The encoder shares the parameters of `model`, each
    registered once. Its sites are known at once, as probing forwards find them. Where the tokens lie is inferred from
    shapes, and checked: parts of the example are blotted out, and the tokens that change must be those that are said to
    lie there; else their place is not known, and their site has the axis `token` alone.

    The encoder does what the model does in evaluation mode, for any number of frames of the example's size. Modules
    drop out where they are told to, code between them does not: it is traced, no longer called. Cut again where the
    model was changed or the input has another size.

    Args:
        model: Any module.
        patterns: One or several globs over dotted module names, as `Injected` takes them. Each must match.
        *example: How the model is called; exactly one tensor, its frames first. Everything else is kept as it is. Where
            channels could come first or last, use a picture that is not square.
        axes: From rows and columns of the tokens, as they lie in memory, to the axes of a site: `grid_axes` for
            pictures, `partial(folded_axes, chunks=1)` for spectrograms with a row a band.
        output: Which tensor of the model's output is the encoder's; the first, unless said otherwise
            (`lambda out: out.pooler_output`).
        **named: Keyword arguments of the call.

    Raises:
        ValueError: If the encoder would not equal the model: modules that run twice, inside one another or not at all,
            code that needs more than the one stream or looks at values, an output that differs in any bit.
    """
    probed = read_shapes(model, *example, **named)
    names = matching_modules(patterns, probed)
    call = TracedCall.of(model, example, named, output)
    with evaluating(model):
        (one, result), (other, _) = (call.traced(names, given) for given in (call.given, call.another))
        nodes = merged_nodes(one, other, len(call.given))
        cuts = cut_points(names, probed, nodes, one)
        evidence = _evidence(_assembled(model, nodes, cuts, result, call.given), call.given)
        layouts = infer_grid([cut.layout for cut in cuts], probed, len(call.given), axes, evidence)
        cuts = [replace(cut, layout=layout) for cut, layout in zip(cuts, layouts, strict=True)]
        encoder = _assembled(model, nodes, cuts, result, call.given)
        for given in (call.given, call.another):  # the second has other values and a frame more
            _check_equal(encoder(given), call.tensor(given))
    return encoder


def _assembled(model: nn.Module, nodes: list[Node], cuts: list[CutPoint], result: Arg, given: Tensor) -> Encoder:
    """Builds the encoder whose parts run the nodes between one cut and the next."""
    places = [Arg(-1), *(cut.at for cut in cuts), result]
    layouts = [cut.layout for cut in cuts]
    names = [*(layout.name for layout in layouts), "head"]
    reads: list[InputLayout] = [ModelInput(given), *layouts]
    writes: list[OutputLayout] = [*layouts, ModelOutput()]
    homes: dict[str, SubgraphModule] = {}
    parts = []
    for at, name in enumerate(names):
        run, end = subgraph(nodes, places[at], places[at + 1], f"what runs up to {name!r}", places[1:at])
        parts.append(SubgraphModule(model, run, end, reads=reads[at], writes=writes[at], homes=homes))
    stem, *sections, head = parts
    return Encoder(stem, dict(zip(names[1:-1], sections, strict=True)), head, layouts)


def _evidence(encoder: Encoder, given: Tensor) -> Evidence:
    """Runs the encoder on blotted copies of a frame, up to the last change of tokens: what that says of its sites."""
    pictures = blotted(given)
    if pictures is None:
        return no_places
    sizes = [(site.tokens, site.width) for site in encoder.sites]
    changes = [at for at, size in enumerate(sizes) if at == 0 or size != sizes[at - 1]]
    found, stream = {}, encoder.stem(pictures)
    for at in range(changes[-1] + 1):
        stream = encoder.section(encoder.names[at - 1])(stream) if at else stream
        if at in changes:
            found[at] = TokenPlaces.of(stream, picture=given.ndim == 4 and given.shape[1] > 1)
    return lambda at, site: found[at].verdict(site) if at in found else "silent"


def _check_equal(found: Tensor, expected: Tensor) -> None:
    """Raises `ValueError` unless both are the same bit for bit (on the meta device: of the same shape)."""
    apart = 0.0
    if found.shape == expected.shape and not expected.is_meta:
        apart = 0.0 if torch.equal(found, expected) else (found.double() - expected.double()).abs().max().item()
    if found.shape != expected.shape or found.dtype != expected.dtype or apart != 0:
        raise ValueError(
            f"sections_of: the encoder gives {tuple(found.shape)} ({found.dtype}), the model {tuple(expected.shape)} "
            f"({expected.dtype}), {apart:.3g} apart: the model does something between its modules that cannot be cut "
            "(it draws at random, keeps state, or writes through a view)."
        )
