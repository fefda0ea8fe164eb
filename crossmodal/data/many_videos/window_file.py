"""Windows of a clip on the disk, on their way from the process that reads it to the model.

A process can hand over a whole result only, and a film of two hours is gigabytes of frames: so it hands over the name
of a file, which is written and read a window at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from crossmodal.data.clip import Clip
from crossmodal.io import FIX, draft_of, make_folder, wait_until_seen
from crossmodal.worker_pool import Failure

from .video_folder import failure


class WindowFile(NamedTuple):
    """Windows of a clip in a file: of each the frames and then the wave, float32.

    Attributes:
        file: The file.
        shapes: Of every window, those of its frames and of its wave.
    """

    file: Path
    shapes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @property
    def size(self) -> int:
        """Returns the bytes of the whole file."""
        return sum(4 * int(np.prod(shape)) for shapes in self.shapes for shape in shapes)

    def windows(self) -> Iterator[Clip]:
        """Yields the windows, reading one at a time.

        Raises:
            OSError: If the file is not whole here within `SECONDS_TO_APPEAR`.
        """
        wait_until_seen(self.file, lambda: self.file.exists() and self.file.stat().st_size >= self.size)
        with self.file.open("rb") as opened:
            for frames, wave in self.shapes:
                yield Clip(_read(opened, frames), _read(opened, wave))


def write_windows(windows: Iterator[Clip], folder: Path) -> WindowFile | Failure:
    """Writes the windows of a clip, or returns why it cannot be read; then no file is left.

    Args:
        windows: What reads it; whatever this raises is the failure of this clip alone.
        folder: Where the file is written, as a draft; who has read it removes it.

    Raises:
        OSError: If the file cannot be written.
    """
    make_folder(folder)  # of a shared folder, another machine may not see it yet
    draft, shapes = draft_of(folder / "windows"), []
    try:
        with draft.open("wb") as out:
            while (window := _next(windows)) is not None:
                if isinstance(window, Failure):
                    draft.unlink()
                    return window
                shapes.append((tuple(window.frames.shape), tuple(window.wave.shape)))
                for part in window:
                    out.write(part.float().numpy().tobytes())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OSError(f"{draft} cannot be written: {error.strerror or error}; {FIX}.") from error
    return WindowFile(draft, tuple(shapes))


def _next(windows: Iterator[Clip]) -> Clip | Failure | None:
    """Returns the next window, `None` at the end, or what the file did to its reader."""
    try:
        return next(windows, None)
    except Exception as error:  # whatever a damaged file does to a decoder is that file's failure
        return failure(error)


def _read(opened: BinaryIO, shape: tuple[int, ...]) -> Tensor:
    """Reads a tensor of that shape."""
    return torch.from_numpy(np.fromfile(opened, np.float32, int(np.prod(shape)))).view(shape)
