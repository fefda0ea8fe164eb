"""Side mode: residuals run beside frozen encoders and not through them, so that no gradient enters an encoder."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from ..coupler import Coupler
from ..encoder import Encoder
from ..lockstep import Coupled, Lockstep
from ..step import Edge, Step
from .side_projection import SideProjection, SideProjectionFactory
from .side_streams import SideStreams, projected_sections, projection_key, required_sites


class SideLockstep(Lockstep):
    r"""A lockstep whose residuals pass beside the sections of its encoders.

    $$s_{k+1} = f_k(s_k), \qquad r_{k+1} = C_k(r_k) + A_k(s_k + r_k,\; s'_k + r'_k), \qquad r_0 = 0$$

    $s$ is what a frozen encoder says alone, by its sections $f$; $r$ the side stream; $A$ the adapter of a step, $'$
    its guide; $C$ a carry, the identity but where a section changes tokens or width. A stream ends as $s + r$. In the
    plain lockstep $x_{k+1} = f_k(x_k) + A_k(x_k, x'_k)$: both are equal while residuals are zero, and two models once
    they are not, since here no section transforms what adapters have added.

    In return no gradient enters an encoder, nothing of it is kept for the backward, and what it says of a clip is the
    same in every epoch: `read` gives that, `beside` computes all else from it, and between the two it can lie on disk
    (`crossmodal.checkpoints.FeatureCache`). `side(lockstep)` makes one. Source: ladder side-tuning (Sung et al.,
    NeurIPS 2022), with couplers in the place of its side blocks.

    - `encoders`, `steps`, `couplers`, `streams`: as in `Lockstep`; the encoders must be frozen.
    - `carry`: called with both sites of every section that a side stream must be carried over.
    - `at_once`: frames that run through an encoder at a time (`None`: all); bounds its memory.

    `reads` names the sites that `beside` needs: what couplers read, and where streams end.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        *,
        steps: Sequence[Step],
        couplers: Mapping[str, Coupler],
        streams: Mapping[str, str] | None = None,
        carry: SideProjectionFactory = SideProjection,
        at_once: int | None = None,
    ):
        super().__init__(encoders, steps=steps, couplers=couplers, streams=streams)
        if at_once is not None and at_once < 1:
            raise ValueError(f"SideLockstep: at_once={at_once} must be at least 1, or None for all frames.")
        check_frozen(encoders)
        self.at_once = at_once
        self.edges: list[tuple[Edge, ...]] = [couplers[step.coupler].edges if step.coupler else () for step in steps]
        self.reads = required_sites(self.edges, self.ends, self.sites)
        carried = projected_sections(self.steps, self.edges, self.sites)
        self.carries = nn.ModuleDict({key: carry(before, after) for key, (before, after) in carried.items()})

    @torch.no_grad()
    def read(self, inputs: Mapping[str, Tensor], *, taps: Collection[str] = ()) -> dict[str, Tensor]:
        """What the encoders say alone, at the sites of `reads` and of `taps`: `"visual.stem"` → stream.

        `inputs`: what the stem of every stream takes; one that is missing is left out.
        """
        wanted = {*self.reads, *taps}
        found: dict[str, list[Tensor]] = {}
        for name, given in inputs.items():
            for part in torch.split(given, self.at_once or max(len(given), 1)):
                for site, stream in self._alone(name, part):
                    if site in wanted:
                        found.setdefault(site, []).append(stream)
        return {site: torch.cat(parts) if len(parts) > 1 else parts[0] for site, parts in found.items()}

    def beside(self, features: Mapping[str, Tensor], *, taps: Collection[str] = ()) -> Coupled:
        """All but the encoders, from what `read` gave; outputs and gradients are those of the whole forward.

        Features of another dtype are converted to that of the couplers. Of a missing modality there are none.
        """
        walk = SideStreams(features, self._stems(features), taps, self._dtype())
        maps: dict[str, dict[Edge, dict[str, Tensor]]] = {}
        for step, edges in zip(self.steps, self.edges, strict=True):
            read = walk.streams({name: None for edge in edges for name in edge})
            for name, section in ((name, section) for name, run in step.sections.items() for section in run):
                walk.through(name, section, self.carries._modules.get(projection_key(name, section)))
            if step.coupler:
                residuals, maps[step.coupler] = self.couplers[step.coupler](read)
                walk.add(residuals, f"coupler {step.coupler!r}")
        return Coupled(walk.streams(), maps, walk.tapped)

    def _coupled(self, inputs: Mapping[str, Tensor], taps: Collection[str]) -> Coupled:
        return self.beside(self.read(inputs, taps=taps), taps=taps)

    def _alone(self, name: str, given: Tensor) -> Iterator[tuple[str, Tensor]]:
        """A stream at every site, as its encoder says it."""
        encoder = self.encoder(name)
        stream: Tensor = encoder.stem(given)
        yield f"{name}.stem", stream
        for section in encoder.names:
            stream = encoder.section(section)(stream)
            yield f"{name}.{section}", stream

    def _stems(self, features: Mapping[str, Tensor]) -> dict[str, str]:
        """The streams that are there, at their stems; `ValueError` where features are missing or do not fit."""
        there = [name for name in self.streams if any(site.startswith(f"{name}.") for site in features)]
        shapes = {f"{name}.{site.name}": (site.tokens, site.width) for name in there for site in self.sites[name]}
        for site in (site for site in self.reads if site in shapes):
            if site not in features:
                raise ValueError(
                    f"SideLockstep: features have no {site!r}, which couplers read; given are {sorted(features)}: "
                    "make them with read()."
                )
            if tuple(features[site].shape[1:]) != shapes[site]:
                raise ValueError(
                    f"SideLockstep: features[{site!r}] is {tuple(features[site].shape)}, expected (frame, "
                    f"{', '.join(map(str, shapes[site]))}): make them with read() of this model."
                )
        return {name: self.sites[name][0].name for name in there}

    def _dtype(self) -> torch.dtype | None:
        return next((p.dtype for p in self.couplers.parameters() if p.is_floating_point()), None)


def side(
    lockstep: Lockstep, *, carry: SideProjectionFactory = SideProjection, at_once: int | None = None
) -> SideLockstep:
    """`lockstep` in side mode; both hold the very same encoders and couplers. Keywords as in `SideLockstep`.

    Raises `ValueError` where an encoder is not frozen.
    """
    encoders = {name: module for name, module in lockstep.encoders.items() if isinstance(module, Encoder)}
    couplers = {name: module for name, module in lockstep.couplers.items() if isinstance(module, Coupler)}
    made = SideLockstep(
        encoders, steps=lockstep.steps, couplers=couplers, streams=lockstep.streams, carry=carry, at_once=at_once
    )
    like = next((parameter for parameter in made.couplers.parameters() if parameter.is_floating_point()), None)
    if like is not None:
        made.carries.to(like.device, like.dtype)
    return made.train(lockstep.training)


def check_frozen(encoders: Mapping[str, Encoder]) -> None:
    """`ValueError` where an encoder has parameters that take gradients: none would reach them."""
    for name, encoder in encoders.items():
        learned = sum(parameter.requires_grad for parameter in encoder.parameters())
        if learned:
            raise ValueError(
                f"SideLockstep: {learned} parameters of the encoder {name!r} take gradients, and none would reach "
                "them: freeze(encoder) first."
            )
