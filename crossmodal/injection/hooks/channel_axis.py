"""Inference of the dimension of a third-party tensor that holds the channels."""

from collections.abc import Iterable, Mapping

from torch import nn

Shape = tuple[int, ...]

FIRST = (nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)
LAST = (nn.Linear, nn.LayerNorm)  # exactly these: torchvision's LayerNorm2d inherits and has them first


class ObservedShapes:
    """Infers which dimension of a tensor holds the channels, from the layers that tensors of its shape pass.

    Three dimensions are (frame, token, channel) or (frame, channel, token), four (frame, row, column, channel) or
    (frame, channel, row, column). Channels come first or last

    1. as the module itself has them: convolutions and batch norms first, linear layers and layer norms last;
    2. else as such layers inside the module, or in the nearest module around it, have a tensor of this very shape;
    3. else where only one of the two sizes is a width of the weights in the module, or in the nearest around it;
    4. else, of three dimensions, last; of four, so that rows equal columns, where that is so one way only.
    """

    def __init__(self, modules: Mapping[str, nn.Module], seen: Mapping[str, Iterable[Shape]]):
        """Notes where known layers have the channels.

        Args:
            modules: The modules of the model by dotted name.
            seen: Module name → the shapes of tensors that went in or came out.
        """
        self.modules = modules
        self.layers = [
            (name, shape, at)
            for name, shapes in seen.items()
            for shape in shapes
            if (at := _by_kind(modules[name], shape)) is not None
        ]

    def infer_channel_axis(self, name: str, shape: Shape) -> int | None:
        """Returns the dimension of the channels in a tensor of that shape at module `name`; `None` if it is open."""
        if len(shape) not in (3, 4) or 0 in shape:
            return None
        at = _by_kind(self.modules[name], shape)
        return at or self._by_layers(name, shape) or self._by_widths(name, shape)  # never 0: that one holds the frames

    def _by_layers(self, name: str, shape: Shape) -> int | None:
        for scope in _outwards(name):
            said = {at for layer, its, at in self.layers if its == shape and f"{layer}.".startswith(scope)}
            if said:
                return said.pop() if len(said) == 1 else None
        return None

    def _by_widths(self, name: str, shape: Shape) -> int | None:
        last, widths = len(shape) - 1, self._widths(name)
        known = [at for at in (1, last) if shape[at] in widths]
        if len(known) == 1 or last == 2:
            return known[0] if len(known) == 1 else last
        square = [at for at, rows, columns in ((1, 2, 3), (last, 1, 2)) if shape[rows] == shape[columns]]
        return square[0] if len(square) == 1 and not known else None

    def _widths(self, name: str) -> set[int]:
        for scope in _outwards(name):
            inside = [module for other, module in self.modules.items() if f"{other}.".startswith(scope)]
            parameters = [parameter for module in inside for parameter in module.parameters(recurse=False)]
            # Of three dimensions is a table of positions, (1, token, channel): it speaks of tokens too.
            if widths := {size for p in parameters if p.ndim != 3 for size in p.shape[:2]}:
                return widths
        return set()


def _by_kind(module: nn.Module, shape: Shape) -> int | None:
    if isinstance(module, FIRST):
        return 1
    return len(shape) - 1 if type(module) in LAST else None


def _outwards(name: str) -> Iterable[str]:
    """Yields the prefixes of a dotted name from itself to everything: `a.b` → `a.b.`, `a.`, ``."""
    while name:
        yield f"{name}."
        name = name.rpartition(".")[0]
    yield ""
