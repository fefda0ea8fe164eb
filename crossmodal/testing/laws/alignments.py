"""Laws of alignments: the fast ways to cue and attention agree with the slow one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from ...site import Site
from ..law import expect, expect_close, law
from ..trial import Trial, differentiated


@dataclass(frozen=True)
class AlignmentTrial(Trial):
    """Holds a trial of an alignment to the site `stream`; `call` returns `forward`, `pooled` and `attend`."""

    latents: Tensor = field(kw_only=True)
    stream: Site | None = None


@law(2, "range and shape")
def aligned_to_the_stream(trial: AlignmentTrial) -> None:
    """The aligned guide has the tokens and the width of the stream's site, and the guide's dtype."""
    guide, found = trial.inputs["guide"], trial.run(trial.woken())["forward"]
    if trial.stream is not None:
        expected = (len(guide), trial.stream.tokens, trial.stream.width)
        expect(tuple(found.shape) == expected, f"forward: expected shape {expected}, found {tuple(found.shape)}")
    expect(found.dtype == guide.dtype, f"forward: expected {guide.dtype}, found {found.dtype}")


@law(11, "fast equals direct")
def fast_equals_direct(trial: AlignmentTrial) -> None:
    """With `G = forward(g)`: `pooled(g) == G.mean(1)` and `attend(l, g) == softmax(l Gᵀ) G`, gradients too."""
    trial = trial.exact()
    block, latents = trial.woken(), trial.latents.double()

    def direct(block: nn.Module, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        aligned = block(inputs["guide"])
        return {
            "forward": aligned,
            "pooled": aligned.mean(1),
            "attend": (latents @ aligned.mT).softmax(-1) @ aligned,
        }

    # two ways to one number may differ in gradients
    fast, slow = differentiated(trial, block), differentiated(trial, block, direct)
    for name, value in slow[0].items():
        expect_close(name, fast[0][name], value, tolerance=1e-9)
    for name, value in slow[1].items():
        expect_close(f"gradient of {name}", fast[1][name], value, tolerance=1e-8)
