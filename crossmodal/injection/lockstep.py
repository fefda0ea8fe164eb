"""The lockstep: several encoders, section by section, with residuals of couplers added between."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from jaxtyping import Bool
from torch import Tensor, nn

from ..printing import compact_repr
from ..shapes import shaped
from .coupler import Coupler, CouplerOutput, check_residual
from .encoder import Encoder, unknown
from .execution.mode import ExecutionMode, call_in_modes, step_in_modes
from .missing import ModalityGroup, check_whole_clips, group_by_modalities, run_by_groups, uncompiled
from .run_part import run_part, warn_of_hooks
from .step import Edge, Step
from .validation import check_encoders, check_steps, check_streams


class Coupled(NamedTuple):
    """Result of a lockstep. Frames that lack a modality have zeros there.

    Attributes:
        streams: The final stream of every modality that is there, before any head.
        maps: Coupler → edge → name of the map → map.
        taps: `"visual.stages.0.1.mlp"` → the stream at that site, residual included.
    """

    streams: dict[str, Tensor]
    maps: dict[str, dict[Edge, dict[str, Tensor]]]
    taps: dict[str, Tensor]


class Advanced(NamedTuple):
    """Result of one step of a lockstep: the streams after it, the maps of its coupler, the taps within it."""

    streams: dict[str, Tensor]
    maps: dict[Edge, dict[str, Tensor]]
    taps: dict[str, Tensor]


class Lockstep(nn.Module):
    """Runs encoders side by side, step by step; where a step has a coupler, its residuals are added.

    `execution` holds the modes in which steps and couplers run, such as `Checkpointing()`; `checkpointed(lockstep)` and
    `recomputed(lockstep)` set them on a second lockstep over the same modules. A subclass that overrides `advance`
    keeps its own step in every mode; it calls couplers by `couple` and sections by `run_part`.

    A lockstep calls the stem and the sections of an encoder, never the encoder itself: hooks and wrappers such as
    `fully_shard` belong on those, or on the lockstep.
    """

    execution: tuple[ExecutionMode, ...] = ()

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        *,
        steps: Sequence[Step],
        couplers: Mapping[str, Coupler],
        streams: Mapping[str, str] | None = None,
    ):
        """Builds the lockstep and checks its steps.

        Args:
            encoders: Name → encoder; frozen or not.
            steps: The schedule, as a pairing writes it.
            couplers: Name → coupler; every name that a step gives, and no other.
            streams: Modality → name of its encoder; two modalities may share one. Default: each its own.

        Raises:
            TypeError: If an encoder is none that is cut into sections.
            ValueError: If the steps do not run every section once and in order, a coupled step starts and ends at
                sites of other width or tokens, or an adapter does not fit its sites.
        """
        super().__init__()
        check_encoders("Lockstep", encoders)
        self.streams = dict(streams or {name: name for name in encoders})
        check_streams(self.streams, encoders)
        self.encoders = nn.ModuleDict(encoders)
        self.couplers = nn.ModuleDict(couplers)
        self.steps = tuple(steps)
        self.sites = {name: encoders[encoder].sites for name, encoder in self.streams.items()}
        self.ends = check_steps(self.steps, self.sites, couplers)
        self._warned: set[str] = set()

    def encoder(self, stream: str) -> Encoder:
        """Returns the encoder that a stream runs through; raises `KeyError` with near misses."""
        if stream not in self.streams:
            raise KeyError(unknown("stream", stream, self.streams))
        encoder = self.encoders[self.streams[stream]]
        if not isinstance(encoder, Encoder):
            raise TypeError(f"Lockstep: encoder of {stream!r} is a {type(encoder).__name__}, expected an Encoder.")
        return encoder

    @shaped
    def forward(
        self,
        inputs: Mapping[str, Tensor | None],
        *,
        present: Mapping[str, Bool[Tensor, " frame"]] | None = None,
        taps: Collection[str] = (),
    ) -> Coupled:
        """Runs the streams. A missing modality guides nothing: the others are what they are without it.

        Args:
            inputs: For every stream what its stem takes; `None` for one that is missing from the whole batch.
            present: Stream → the frames that have it, where some lack it. Frames that have the same streams run as a
                batch of their own, so what `inputs` holds elsewhere is never read, and batch norm never sees it.
            taps: Sites to keep, as `"visual.stages.0.1.mlp"`.

        Returns:
            Streams, maps and taps.
        """
        self._check(inputs, taps)
        inputs = {name: inputs[name] for name in self.streams}
        given = {name: tensor for name, tensor in inputs.items() if tensor is not None}
        if not present:
            return self._coupled(given, taps)
        check_whole_clips(self.couplers.modules(), present)
        return self._by_groups(inputs, group_by_modalities(inputs, present, "Lockstep"), taps)

    # how a batch splits depends on the values of masks, which no graph can hold; what each group runs is compiled
    @partial(uncompiled, within=False)
    def _by_groups(
        self, inputs: Mapping[str, Tensor | None], groups: Sequence[ModalityGroup], taps: Collection[str]
    ) -> Coupled:
        """Runs every group as a batch of its own and scatters the results; a single group runs as it is."""
        items = next(len(tensor) for tensor in inputs.values() if tensor is not None)
        if len(groups) == 1 and len(groups[0].rows) == items:
            return self._coupled(groups[0].of(inputs), taps)
        return Coupled(**run_by_groups(groups, items, lambda group: self._coupled(group.of(inputs), taps)._asdict()))

    def _coupled(self, inputs: Mapping[str, Tensor], taps: Collection[str]) -> Coupled:
        """Runs the streams that are there, each in every frame."""
        warn_of_hooks(self.encoders._modules, self._warned)
        streams = {name: self.run_part(name, "stem", given) for name, given in inputs.items()}
        tapped = {f"{name}.stem": stream for name, stream in streams.items() if f"{name}.stem" in taps}
        maps: dict[str, dict[Edge, dict[str, Tensor]]] = {}
        for number, step in enumerate(self.steps):
            streams, maps_here, tapped_here = self._step(number, streams, taps)
            tapped.update(tapped_here)
            if step.coupler:
                maps[step.coupler] = maps_here
        return Coupled(streams, maps, tapped)

    def _step(self, number: int, streams: Mapping[str, Tensor], taps: Collection[str]) -> Advanced:
        """Runs `advance` in the modes of `execution`."""

        def run(streams: Mapping[str, Tensor]) -> Advanced:
            return self.advance(number, streams, taps)

        return step_in_modes(run, self.execution, partial(self._modules_of, self.steps[number]))(streams)

    def advance(self, number: int, streams: Mapping[str, Tensor], taps: Collection[str]) -> Advanced:
        """Runs one step: reads the streams, runs its sections, adds the residuals of its coupler.

        Args:
            number: Of the step.
            streams: The streams before it; they are left as they were.
            taps: Sites to keep.
        """
        step, ends = self.steps[number], self.ends[number]
        after = dict(streams)
        tapped: dict[str, Tensor] = {}
        coupling = self.couple(step.coupler, after) if step.coupler else CouplerOutput({}, {})
        self._run(step, after, taps, tapped)
        for name, residual in coupling.residuals.items():
            check_residual(residual, after[name], f"coupler {step.coupler!r}")
            # out of place: the backward of the section may need its output
            after[name] = after[name] + residual
        tapped.update({f"{name}.{ends[name]}": after[name] for name in after if f"{name}.{ends[name]}" in taps})
        return Advanced(after, coupling.maps, tapped)

    def couple(self, name: str, streams: Mapping[str, Tensor]) -> CouplerOutput:
        """Runs the coupler of that name on `streams`, in the modes of `execution`; `KeyError` with near misses."""
        if name not in self.couplers:
            raise KeyError(unknown("coupler", name, self.couplers))
        coupling: CouplerOutput = call_in_modes(self.couplers[name], streams, self.execution)
        return coupling

    def _run(self, step: Step, streams: dict[str, Tensor], taps: Collection[str], tapped: dict[str, Tensor]) -> None:
        """Runs the sections of one step, in place in `streams`."""
        for name, sections in step.sections.items():
            for section in sections if name in streams else ():
                streams[name] = self.run_part(name, section, streams[name], taps)
                if f"{name}.{section}" in taps:
                    tapped[f"{name}.{section}"] = streams[name]

    def run_part(self, name: str, part: str, given: Tensor, kept: Collection[str] = ()) -> Tensor:
        """Runs the stem (`"stem"`) or a section of the encoder of a stream.

        Args:
            name: The stream.
            part: The part.
            given: What it takes.
            kept: Sites whose streams are kept: a part that overwrites one of these is refused.
        """
        encoder = self.encoder(name)
        if part == "stem":
            return run_part(f"{name}.stem", encoder.stem, given, lambda: False)
        return run_part(
            f"{name}.{part}",
            encoder.section(part),
            given,
            lambda: bool(self.execution) or f"{name}.{encoder.before(part).name}" in kept,
        )

    def _modules_of(self, step: Step) -> Iterator[nn.Module]:
        """Yields every module that a step runs."""
        for name, sections in step.sections.items():
            for section in sections:
                yield from self.encoder(name).section(section).modules()
        if step.coupler:
            yield from self.couplers[step.coupler].modules()

    def _check(self, inputs: Mapping[str, Tensor | None], taps: Collection[str]) -> None:
        if inputs.keys() != self.streams.keys():
            raise ValueError(
                f"Lockstep: inputs are given for {sorted(inputs)}, the streams are {sorted(self.streams)}; pass None "
                "for one that is missing."
            )
        if all(given is None for given in inputs.values()):
            raise ValueError(f"Lockstep: every one of {sorted(inputs)} is None: at least one must be given.")
        self.check_sites(taps, "tap")

    def check_sites(self, names: Iterable[str], what: str) -> None:
        """Raises `KeyError` with near misses where one of `names`, as `"visual.stem"`, is no site of a stream."""
        known = {f"{name}.{site.name}" for name, sites in self.sites.items() for site in sites}
        for name in names:
            if name not in known:
                raise KeyError(unknown(what, name, sorted(known)))

    def extra_repr(self) -> str:
        """Returns the numbers that `print` shows."""
        modes = f", execution={list(self.execution)}" if self.execution else ""
        return f"steps={len(self.steps)}, coupled={len(self.couplers)}, streams={', '.join(self.streams)}{modes}"

    def __repr__(self) -> str:
        return compact_repr(self)
