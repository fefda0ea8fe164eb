"""A small data set in AVE's released layout, for tests of what reads it."""

import colorsys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..data.annotations import ANNOTATION_HEADER, AVE_CLASSES, Event

SEGMENTS = 10
DEFAULT_CLIPS = {"train": 4, "val": 2, "test": 2}


def write_ave(
    root: str | Path,
    clips: Mapping[str, int] = DEFAULT_CLIPS,
    *,
    classes: Sequence[str] = AVE_CLASSES,
    frames: int = 20,
    size: tuple[int, int] = (48, 64),
    wave_rate: int = 32_000,
    seed: int = 0,
) -> list[Event]:
    """Writes a data set that `crossmodal.data.AVE(root, …)` reads; it is the same for the same arguments.

    In the seconds of a clip's event its frames have the colour of its class and its sound is the tone of its class;
    the rest is grey and silent. Both carry a little noise. A model can learn it in seconds.

    Args:
        root: A folder that is empty or does not exist; it is filled at once or not at all.
        clips: Number of clips of each split; the splits are `train`, `val` and `test`. Video ids begin with a dash.
        classes: The event classes, used in turn; others than AVE's are written to `categories.txt`.
        frames: JPEGs a clip.
        size: Height and width of the JPEGs, in pixels.
        wave_rate: Samples a second of the waves; pass the same to `AVE`.
        seed: Seed of everything that is random.

    Returns:
        The events, split by split.

    Raises:
        ValueError: If `root` holds something.
    """
    root = Path(root)
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"write_ave: root={str(root)!r} is not empty: give a new folder.")
    root.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    events = {split: [_event(split, index, classes, random) for index in range(n)] for split, n in clips.items()}
    with TemporaryDirectory(dir=root.parent) as scratch:
        draft = Path(scratch) / "AVE"
        _write_rows(draft, events, classes)
        for event in chain.from_iterable(events.values()):
            colour, tone = _look_and_sound(classes.index(event.category), len(classes))
            _write_frames(draft / "frames" / event.video, event, colour, frames, size, random)
            _write_wave(draft / "wave" / f"{event.video}.npy", event, tone, wave_rate, random)
        if root.exists():
            root.rmdir()
        draft.replace(root)  # renamed when it is complete: a kill leaves no half of a data set
    return list(chain.from_iterable(events.values()))


def _event(split: str, index: int, classes: Sequence[str], random: np.random.Generator) -> Event:
    start = int(random.integers(0, SEGMENTS - 1))
    end = int(random.integers(start + 1, SEGMENTS + 1))
    # with a dash first, as some of YouTube's ids have
    return Event(classes[index % len(classes)], f"-{split}{index:05d}", start, end)


def _look_and_sound(index: int, classes: int) -> tuple[tuple[float, float, float], float]:
    return colorsys.hsv_to_rgb(index / classes, 1.0, 1.0), 200.0 * 2.0 ** (4.5 * index / classes)


def _write_frames(
    folder: Path,
    event: Event,
    colour: tuple[float, float, float],
    frames: int,
    size: tuple[int, int],
    random: np.random.Generator,
) -> None:
    from PIL import Image

    folder.mkdir(parents=True)
    for index in range(frames):
        second = index * SEGMENTS / frames
        plain = np.array(colour if event.start <= second < event.end else (0.5, 0.5, 0.5))
        picture = 255 * plain + random.normal(0, 8, (*size, 3))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{index + 1:08d}.jpg", quality=95)


def _write_wave(file: Path, event: Event, tone: float, rate: int, random: np.random.Generator) -> None:
    file.parent.mkdir(exist_ok=True)
    seconds = np.arange(SEGMENTS * rate) / rate
    loud = (seconds >= event.start) & (seconds < event.end)
    wave = 0.5 * loud * np.sin(2 * np.pi * tone * seconds) + random.normal(0, 0.01, len(seconds))
    np.save(file, wave.astype(np.float32))


def _write_rows(root: Path, events: Mapping[str, Sequence[Event]], classes: Sequence[str]) -> None:
    root.mkdir()
    rows = {split: [f"{e.category}&{e.video}&good&{e.start}&{e.end}\n" for e in some] for split, some in events.items()}
    for split, lines in rows.items():
        (root / f"{split}Set.txt").write_text("".join(lines), "utf-8")
    (root / "Annotations.txt").write_text(
        "".join([f"{ANNOTATION_HEADER}\n", *chain.from_iterable(rows.values())]), "utf-8"
    )
    if tuple(classes) != AVE_CLASSES:
        (root / "categories.txt").write_text("".join(f"{name}\n" for name in classes), "utf-8")
