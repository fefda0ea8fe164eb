"""Of a world with several questions about a clip, every clip once."""

from torch.utils.data import Dataset

from ..asked_clip import AskedClip
from .asking import AskedWorld


class EveryNth(Dataset[AskedClip]):
    """Every so manyth item of a world that is asked: of clips with several questions, each clip once."""

    def __init__(self, items: AskedWorld, step: int):
        """Takes the first item of every `step`."""
        self.items, self.step = items, step

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the answers, with the words of the questions."""
        return self.items.classes

    @property
    def names(self) -> list[str]:
        """Returns the names of these items."""
        return self.items.names[:: self.step]

    def __len__(self) -> int:
        return len(self.items) // self.step

    def __getitem__(self, index: int) -> AskedClip:
        return self.items[index * self.step]

    def stamp(self, index: int) -> str:
        """Returns the stamp of an item."""
        return self.items.stamp(index * self.step)
