"""A system as exporters take it: tensors in, named tensors out, extractors and decoding included."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from crossmodal.data import Clip
from crossmodal.data.vocabulary import Vocabulary
from crossmodal.tasks.feature_inputs import MEDIA
from crossmodal.tasks.task import Features, SystemModule, Task

LOUDNESS = 0.1
"""Standard deviation of the noise that stands for sound in examples."""


class Example(NamedTuple):
    """Inputs of a system, made of noise.

    Attributes:
        batch: Type of the batch, a NamedTuple.
        tensors: Its fields by name, the first axis being the item.
    """

    batch: type[Any]
    tensors: dict[str, Tensor]


class TracedSystem(nn.Module):
    """Calls a system on the fields of a batch; returns its prediction, and what it was decoded from, by name."""

    def __init__(self, system: SystemModule, batch: type[Any]):
        """Keeps the system.

        Args:
            system: The system.
            batch: Type of its batch.
        """
        super().__init__()
        self.system, self.batch = system, batch
        self.extractors = nn.ModuleDict()
        if isinstance(inputs := system.inputs, Features):
            self.extractors = nn.ModuleDict({"visual": inputs.visual, "audio": inputs.audio})

    def forward(self, *fields: Tensor) -> dict[str, Tensor]:
        """Computes outputs and prediction from the fields of a batch, in their order."""
        named = zip(self.batch._fields, fields, strict=True)
        outputs = self.system(self.batch(*(self._as_read(name, field) for name, field in named)))
        return tensors_by_name(self.batch._fields, prediction=self.system.predict(outputs), outputs=outputs)

    def _as_read(self, name: str, field: Tensor) -> Tensor:
        """Returns a field as the system reads it: of a system on features, what its extractor makes of the segments."""
        if not self.extractors or name not in MEDIA:
            return field
        found: Tensor = self.extractors[MEDIA[name]](field.flatten(0, 1))
        return found.unflatten(0, field.shape[:2])


def tensors_by_name(taken: Collection[str], **groups: Any) -> dict[str, Tensor]:
    """Returns the tensors in groups by name; where the name is taken, by inputs or an earlier group, `group.name`.

    Args:
        taken: Names of the inputs: a name stands once in a file.
        **groups: Tensors, named tuples and dictionaries of them.
    """
    found: dict[str, Tensor] = {}
    for group, value in groups.items():
        for name, tensor in _leaves(group, value):
            found[f"{group}.{name}" if name in found or name in taken else name] = tensor
    return found


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors in nested named tuples and dictionaries; those inside others by dotted names."""
    fields: Mapping[str, Any] | None = value if isinstance(value, Mapping) else None
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        fields = cast(Any, value)._asdict()
    if isinstance(value, Tensor):
        yield name, value
    for key, inner in (fields or {}).items():
        for below, tensor in _leaves(key, inner):
            yield (below if below == key else f"{key}.{below}"), tensor


def example(system: SystemModule, task: Task, segments: int, items: int, seed: int) -> Example:
    """Returns a batch of noise, as `predict` makes one of each window of a video.

    Args:
        system: The system.
        task: Its task.
        segments: Seconds of a clip.
        items: Items of the batch.
        seed: Of the noise.
    """
    preprocess, drawn = system.inputs.preprocess, torch.Generator().manual_seed(seed)
    # of a task that asks questions, each is one word of its vocabulary
    words = system.classes.words[1:2] if isinstance(system.classes, Vocabulary) else ()
    batches = []
    for _ in range(items):
        frames = torch.randn(segments, 3, preprocess.size, preprocess.size, generator=drawn)
        wave = LOUDNESS * torch.randn(segments, preprocess.rate, generator=drawn)
        batches.append(task.ask(Clip(frames, wave), words, system.classes))
    made = type(batches[0])
    return Example(made, {name: torch.cat([getattr(each, name) for each in batches]) for name in made._fields})
