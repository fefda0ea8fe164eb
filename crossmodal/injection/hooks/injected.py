"""One-way guidance into any model, without touching its code."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from ...adapters import Adapted, AdapterFactory
from ...named_draws import drawn, named_draws
from ...site import Site
from ..missing import ModalityGroup, run_by_groups
from .hook_plan import HookPlan, HookState, check_adapted, check_guide, check_meeting, guided_rows, plan_hooks
from .pausable import PausableHook, on_input, on_output
from .probe import ProbedModule, read_tensor, rewritten, written_tensor


class Injected(nn.Module):
    """A model whose named modules are guided: each reads a stream, asks its adapter, and adds the residual it gets.

    A module's adapter reads its input and adds to its output. The adapters are registered under the module's name with
    `_` for `.`: save them alone with `injected.adapters.state_dict()`. One forward at a time: an instance is not for
    several threads. A model that recomputes activations in the backward is refused there; checkpoint the whole
    `Injected` instead.
    """

    def __init__(
        self,
        model: nn.Module,
        adapters: Mapping[str, AdapterFactory],
        *,
        guide: Site,
        sites: Mapping[str, ProbedModule],
        reads: Mapping[str, str] | None = None,
    ):
        """Plans the hooks and builds the adapters.

        Args:
            model: Kept as it is; only hooks are attached, and `detach()` takes them away.
            adapters: Glob pattern over module names (`*` within a part, `**` across dots) → factory, called with the
                two sites. Each must match, and no module twice.
            guide: The site of the guide.
            sites: The result of `sites(model, *example)`.
            reads: Pattern of `adapters` → another module, whose *input* is read instead; wildcards stand for what they
                matched. Swin-V2 normalises after its halves: adding at `….mlp` lands inside the norm, adding at the
                block and reading at `….mlp` does not.

        Raises:
            ValueError: If a pattern matches nothing, or a module twice, or one through which no stream flows.
        """
        super().__init__()
        self.model = model
        self.guide = guide
        self.plans = plan_hooks(adapters, sites, reads or {})
        with named_draws("adapters"):
            self.adapters = nn.ModuleDict(
                {plan.key: drawn(plan.key, adapters[plan.pattern], plan.writes, guide) for plan in self.plans.values()}
            )
        self._calls: list[HookState] = []
        self._maps: dict[str, dict[str, Tensor]] | None = None
        self._hooks: list[PausableHook] = []
        self._detached = self._guided_before = False
        for name, plan in self.plans.items():
            source, target = model.get_submodule(plan.source), model.get_submodule(name)
            self._hooks += [
                on_input(source, partial(self._read, name)),
                on_output(target, partial(self._write, name)),
            ]
        self._hooked = True

    def forward(self, *args: Any, guide: Tensor | None = None, present: Tensor | None = None, **kwargs: Any) -> Any:
        """Runs the model, guided or as the original.

        Args:
            *args: Given to the model.
            guide: `(frame, guide_token, guide_channel)`; without one the model runs as it was.
            present: Bool, the frames that have a guide, where some lack it: the others are as in the original, and
                `guide` is not read there.
            **kwargs: Given to the model.

        Returns:
            The output of the model.
        """
        rows = None
        if guide is not None:
            check_guide(self.guide, guide, detached=self._detached)
            self._guided_before = True
            rows = guided_rows(guide, present)
            # a guide that no frame has guides nothing: the model runs without hooks
            guide = guide if rows is None or len(rows) else None
        before = self._hooked  # a call around this one may be guided otherwise
        self._hook(guide is not None and not self._detached)
        self._calls.append(HookState(guide, rows))
        try:
            output = self.model(*args, **kwargs)
            self._calls[-1].check_spent()
        finally:
            self._calls.pop()
            self._hook(before)
        return output

    @contextmanager
    def recording(self) -> Iterator[dict[str, dict[str, Tensor]]]:
        """Yields a dict that guided forwards inside the block fill: module name → the maps of its adapter.

        Of a module that runs several times the last maps stay. Outside such a block nothing is kept: maps hold on to
        the autograd graph, which would outlive its step and break copies of the model.
        """
        before, self._maps = self._maps, {}
        try:
            yield self._maps
        finally:
            self._maps = before

    def detach(self) -> nn.Module:
        """Takes every hook off the model and returns it as it was. Afterwards only `guide=None` is possible."""
        while self._hooks:
            self._hooks.pop().remove()
        self._detached, self._hooked = True, False
        return self.model

    def extra_repr(self) -> str:
        """Returns the guide and the guided modules, which `print` shows."""
        return f"guide={self.guide.name!r} (width {self.guide.width}), guided={list(self.plans)}"

    def _hook(self, hooked: bool) -> None:
        """Resumes the hooks or pauses them: unguided, they are in the way of torch's own fast paths.

        They come back to their places among hooks of others, whose order decides what those see. Not under
        `torch.compile`, which traces them where it finds them and cannot move them.
        """
        if hooked == self._hooked or torch.compiler.is_compiling():
            return
        for hook in self._hooks:
            hook.resume() if hooked else hook.pause()
        self._hooked = hooked

    def _read(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Asks the adapter before the source runs, while nothing has overwritten its input."""
        call, plan = self._guided_call(name), self.plans[name]
        if call is None or call.guide is None:
            return
        stream = plan.reads.stream(read_tensor(args, kwargs))
        check_meeting(plan, stream, call.guide)
        adapted = self._adapted(plan, stream, call.guide, call.rows)
        call.put(plan, adapted.residual)
        if self._maps is not None:
            self._maps[name] = adapted.maps

    def _adapted(self, plan: HookPlan, stream: Tensor, guide: Tensor, rows: Tensor | None) -> Adapted:
        """Runs the adapter on the frames that have a guide; the others get zeros."""
        adapter = self.adapters[plan.key]
        if rows is None:
            check_adapted(plan, stream, adapted := adapter(stream, guide))
            return cast(Adapted, adapted)

        def of_rows(group: ModalityGroup) -> dict[str, Any]:
            check_adapted(plan, stream[rows], adapted := adapter(stream[rows], guide[rows]))
            return {"residual": adapted.residual, "maps": adapted.maps}

        return Adapted(**run_by_groups([ModalityGroup((plan.name,), rows)], len(stream), of_rows))

    def _write(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """Adds the residual to the output of the module."""
        call, plan = self._guided_call(name), self.plans[name]
        if call is None or call.guide is None:
            return output
        return rewritten(output, plan.writes.add(call.take(plan), written_tensor(output)))

    def _guided_call(self, name: str) -> HookState | None:
        """Returns the forward under way; `None` where the model was called bare, or is not guided now."""
        if self._calls:
            return self._calls[-1]
        # -1 outside of a backward
        if self._guided_before and not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
            raise RuntimeError(
                f"Injected: {name!r} runs again during the backward, where its guide is not known: switch off the "
                "model's own activation checkpointing and checkpoint the Injected as a whole."
            )
        return None
