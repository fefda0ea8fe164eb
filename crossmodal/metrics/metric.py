"""Metrics of torchmetrics, made of counts and scores. Imported when first asked for: torchmetrics is an extra."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, cast

import torch
from torch import Tensor, nn

from .counts import Counts, Read, exact, make

try:
    from torchmetrics import Metric
except ModuleNotFoundError as error:
    raise ImportError(
        f'crossmodal.metrics: a Metric needs torchmetrics ({error}): pip install "crossmodal-blocks[recipes]". The '
        "functions do without: add counts with summed."
    ) from error


class CountMetric(Metric, Generic[Counts]):
    """Sums the counts of batches over processes and computes named scores from the sums.

    A `torchmetrics.Metric`: one state for every field of the counts, reduced by `sum`, so that it can be synchronised,
    merged (`merge_state`), reset and logged like any other.
    """

    is_differentiable = False
    higher_is_better = True
    # an update does not depend on earlier ones: torchmetrics need not run it twice in a forward
    full_state_update = False

    def __init__(
        self, count: Callable[..., Counts], score: Callable[[Counts], Any], *, zero: Counts, read: Read | None = None
    ):
        """Builds the metric.

        Args:
            count: Counts one batch: returns a `NamedTuple` of tensors.
            score: Computes the scores from summed counts: a `NamedTuple` or a mapping of numbers or 0-dim tensors.
            zero: Counts of no clip at all; their shapes and dtypes are those of the states.
            read: Turns what `update` is called with, such as `(prediction, batch)`, into the arguments of `count`; by
                default they are passed on. Name a function of a module, not a lambda, where the metric is pickled.
        """
        super().__init__()
        self._count, self._score, self._read = count, score, read
        self._kind: type[Counts] = type(zero)
        for name, entry in zip(cast(Any, zero)._fields, zero, strict=True):
            self.add_state(name, entry.clone(), dist_reduce_fx="sum")

    def update(self, *args: Any) -> None:
        """Adds the counts of one batch.

        Args:
            *args: Arguments of `count`, or of `read` where there is one.

        Raises:
            ValueError: If an entry of the counts has another shape than in `zero`.
        """
        counts = self._count(*(self._read(*args) if self._read else args))
        for name, entry in zip(self._defaults, counts, strict=True):
            state = getattr(self, name)
            if state.shape != entry.shape:  # a sum would broadcast in silence
                raise ValueError(
                    f"CountMetric: {type(counts).__name__}.{name} has shape {tuple(entry.shape)}, but zero= has "
                    f"{tuple(state.shape)}: give both one shape."
                )
            setattr(self, name, state + entry)

    def compute(self) -> dict[str, float]:
        """Computes the scores of everything that was counted, by name.

        Raises:
            ValueError: As `score` does where nothing was counted.
        """
        scores = self._score(self.counts())
        named: Mapping[str, Tensor | float] = scores if isinstance(scores, Mapping) else scores._asdict()
        return {name: float(value) for name, value in named.items()}

    def counts(self) -> Counts:
        """Returns the sums so far, of this process."""
        return make(self._kind, (getattr(self, name) for name in self._defaults))

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any) -> nn.Module:
        """Moves the states; sums of shares take the dtype that the device has."""
        dtype = exact(fn(torch.zeros(())).device)
        for name, default in self._defaults.items():
            if isinstance(default, Tensor) and default.is_floating_point():
                self._defaults[name] = default.to(dtype)
                setattr(self, name, getattr(self, name).to(dtype))
        return super()._apply(fn, *args)
