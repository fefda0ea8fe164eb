"""Ladder side tuning: residuals run beside frozen encoders, so that no gradient enters an encoder."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ...named_draws import drawn, named_draws
from ..coupler import Coupler, CouplerOutput
from ..encoder import Encoder
from ..lockstep import Coupled, Lockstep
from ..step import Edge, Step
from .fast_linears import FastLinear, fast_linears
from .mode import same_modules, step_in_modes
from .side_projection import SideProjection, SideProjectionFactory
from .side_streams import SideStreams, projected_sections, projection_key, required_sites


class SideLockstep(Lockstep):
    r"""A lockstep whose residuals pass beside the sections of its encoders.

    $$s_{k+1} = f_k(s_k), \qquad r_{k+1} = C_k(r_k) + A_k(s_k + r_k,\; s'_k + r'_k), \qquad r_0 = 0$$

    $s$ is the stream of the frozen encoder alone, by its sections $f$; $r$ the side stream; $A$ the adapter of a step,
    $'$ its guide; $C$ the side projection, the identity but where a section changes tokens or width. A stream ends as
    $s + r$. In the plain lockstep $x_{k+1} = f_k(x_k) + A_k(x_k, x'_k)$: both are equal while residuals are zero, and
    two models once they are not, since here no section transforms what adapters have added.

    In return no gradient enters an encoder, nothing of it is kept for the backward, and its streams for a clip are the
    same in every epoch: `read` computes these, `beside` computes all else from them, and between the two they can lie
    on disk (`crossmodal.checkpoints.FeatureCache`). `side(lockstep)` makes one. Source: ladder side-tuning (Sung et
    al., NeurIPS 2022), with couplers in the place of its side blocks.

    Attributes:
        reads: The sites that `beside` needs: what couplers read, and where streams end.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        *,
        steps: Sequence[Step],
        couplers: Mapping[str, Coupler],
        streams: Mapping[str, str] | None = None,
        projection: SideProjectionFactory = SideProjection,
        at_once: int | None = None,
    ):
        """Builds the lockstep and its side projections.

        Args:
            encoders: As in `Lockstep`, and frozen.
            steps: As in `Lockstep`.
            couplers: As in `Lockstep`.
            streams: As in `Lockstep`.
            projection: Called with both sites of every section that changes tokens or width of a side stream.
            at_once: Frames that run through an encoder at a time (`None`: all); bounds its memory.

        Raises:
            ValueError: If an encoder is not frozen, `at_once` is below 1, or as `Lockstep` does.
        """
        super().__init__(encoders, steps=steps, couplers=couplers, streams=streams)
        self._add_side(projection, at_once)

    def _add_side(self, projection: SideProjectionFactory, at_once: int | None) -> None:
        """Adds to a plain lockstep what side mode needs."""
        if at_once is not None and at_once < 1:
            raise ValueError(f"SideLockstep: at_once={at_once} must be at least 1, or None for all frames.")
        check_frozen(self.encoders)
        self.at_once = at_once
        edges_of = {name: coupler.edges for name, coupler in self.couplers.items() if isinstance(coupler, Coupler)}
        self.edges: list[tuple[Edge, ...]] = [edges_of[step.coupler] if step.coupler else () for step in self.steps]
        self.reads = required_sites(self.edges, self.ends, self.sites)
        projected = projected_sections(self.steps, self.edges, self.sites)
        # Saved adapter files hold these weights under `carries`.
        with named_draws("carries"):
            self.carries = nn.ModuleDict({key: drawn(key, projection, *between) for key, between in projected.items()})

    @torch.no_grad()
    def read(self, inputs: Mapping[str, Tensor], *, taps: Collection[str] = ()) -> dict[str, Tensor]:
        """Runs the encoders alone.

        Args:
            inputs: For every stream what its stem takes; one that is missing is left out.
            taps: Sites to keep besides those of `reads`.

        Returns:
            The streams at those sites, as `"visual.stem"` → stream.
        """
        self.check_sites(taps, "tap")
        wanted = {*self.reads, *taps}
        found: dict[str, list[Tensor]] = {}
        for name, given in inputs.items():
            for part in torch.split(given, self.at_once or max(len(given), 1)):
                for site, stream in self._alone(name, part, wanted):
                    if site in wanted:
                        found.setdefault(site, []).append(stream)
        # `cat` would copy even a single part
        return {site: torch.cat(parts) if len(parts) > 1 else parts[0] for site, parts in found.items()}

    def beside(self, features: Mapping[str, Tensor], *, taps: Collection[str] = ()) -> Coupled:
        """Computes everything but the encoders; outputs and gradients are those of the whole forward.

        Args:
            features: The result of `read`, without the streams of a missing modality. Another dtype is converted to
                that of the couplers.
            taps: Sites to keep, as in the forward.
        """
        self.check_sites(features, "feature")
        self.check_sites(taps, "tap")
        side = SideStreams(features, self._stems(features), taps, self._dtype())
        maps: dict[str, dict[Edge, dict[str, Tensor]]] = {}
        for step, edges in zip(self.steps, self.edges, strict=True):
            # before the sections run: a residual is computed from the streams as the step finds them
            read = side.streams({name: None for edge in edges for name in edge})
            for name, section in ((name, section) for name, run in step.sections.items() for section in run):
                # a ModuleDict has no `get`
                side.through(name, section, self.carries._modules.get(projection_key(name, section)))
            if step.coupler:
                residuals, maps[step.coupler] = self._coupler_step(step.coupler, read)
                side.add(residuals, f"coupler {step.coupler!r}")
        return Coupled(side.streams(), maps, side.tapped)

    def _coupled(self, inputs: Mapping[str, Tensor], taps: Collection[str]) -> Coupled:
        return self.beside(self.read(inputs, taps=taps), taps=taps)

    def _coupler_step(self, name: str, streams: Mapping[str, Tensor]) -> CouplerOutput:
        """Runs a coupler as the step it is here, in the modes of `execution`."""
        return step_in_modes(partial(self.couple, name), self.execution, self.couplers[name].modules)(streams)

    def _alone(self, name: str, given: Tensor, kept: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields the name of every site and the stream there, as the encoder computes it alone."""
        stream = given
        for part in ("stem", *self.encoder(name).names):
            stream = self.run_part(name, part, stream, kept)
            yield f"{name}.{part}", stream

    def _stems(self, features: Mapping[str, Tensor]) -> dict[str, str]:
        """Returns the streams that are there, at their stems; raises where features are missing or do not fit."""
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
    lockstep: Lockstep, *, projection: SideProjectionFactory = SideProjection, at_once: int | None = None
) -> SideLockstep:
    """Returns `lockstep` in side mode (ladder side tuning); both hold the very same modules, hooks and modes.

    Args:
        lockstep: A plain one, in any mode of execution.
        projection: As in `SideLockstep`.
        at_once: As in `SideLockstep`.

    Raises:
        ValueError: If an encoder is not frozen, or the lockstep is of a class of its own, whose steps side mode would
            not run.
    """
    kind = SideLockstep if type(lockstep) is Lockstep else type(lockstep)
    if not issubclass(kind, SideLockstep):
        raise ValueError(
            f"side: the lockstep is a {kind.__name__}, whose own steps side mode would not run: derive it from "
            f"SideLockstep (class Side{kind.__name__}(SideLockstep, {kind.__name__})) and build that."
        )
    made = object.__new__(kind)
    vars(made).update(vars(same_modules(lockstep)))  # with its hooks and modes, which a newly built one would not have
    made._add_side(projection, at_once)
    like = next((parameter for parameter in made.couplers.parameters() if parameter.is_floating_point()), None)
    if like is not None:
        made.carries.to(like.device, like.dtype)
    if any(type(module) is FastLinear for module in lockstep.modules()):
        fast_linears(made.carries)  # applied to a lockstep that had none of these layers yet
    made.carries.train(lockstep.training)
    return made


def check_frozen(encoders: nn.ModuleDict) -> None:
    """Raises `ValueError` where an encoder has parameters that take gradients: none would reach them."""
    for name, encoder in encoders.items():
        learned = sum(parameter.requires_grad for parameter in encoder.parameters())
        if learned:
            raise ValueError(
                f"SideLockstep: {learned} parameters of the encoder {name!r} take gradients, and none would reach "
                "them: freeze(encoder) first."
            )
