"""Writes tiny data sets in AVSBench's layout: tables, frames, masks, sounds."""

import wave

import numpy as np
from PIL import Image

RATE = 16_000
S4 = [("one", "dog", "train"), ("two", "cat", "train"), ("three", "dog", "val"), ("four", "cat", "test")]
MS3 = [("many_1", "train"), ("many_2", "val"), ("many_3", "test")]


def square(at, side=48):
    """A mask of a square whose place tells the second."""
    mask = np.zeros((side, side), dtype=np.uint8)
    mask[4 : side // 2, 4 + 4 * at : side // 2 + 4 * at] = 255
    return mask


def write_png(file, values, mode=None):
    """One picture."""
    file.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(values)
    (picture if mode is None else picture.convert(mode)).save(file)


def write_wav(file, seconds, rate=RATE, channels=1, width=2):
    """A sound of 16-bit PCM."""
    file.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).integers(-9000, 9000, (round(seconds * rate), channels)).astype("<i2")
    with wave.open(str(file), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(width)
        out.setframerate(rate)
        out.writeframes(samples.tobytes() if width == 2 else bytes(width * samples.size))


def write_s4(root, *, waves="npy"):
    """The Single-source part; training clips have the mask of their first frame alone."""
    data = root / "Single-source" / "s4_data"
    rows = "".join(f"{name},0,{category},{split}\n" for name, category, split in S4)
    data.mkdir(parents=True)
    (data.parent / "s4_meta_data.csv").write_text(f"name,start,category,split\n{rows}")
    for name, category, split in S4:
        within = f"{split}/{category}"
        _pictures(data / "visual_frames" / within / name, name, "")
        for second in range(1 if split == "train" else 5):
            write_png(data / "gt_masks" / within / name / f"{name}_{second + 1}.png", square(second))
        if waves == "npy":
            file = data / "wave" / within / f"{name}.npy"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, np.random.default_rng(1).normal(0, 0.1, 5 * RATE).astype(np.float32))
        else:
            write_wav(data / "audio_wav" / within / f"{name}.wav", 5)
    return root


def write_ms3(root):
    """The Multi-sources part, with sounds as WAV files."""
    data = root / "Multi-sources" / "ms3_data"
    data.mkdir(parents=True)
    (data.parent / "ms3_meta_data.csv").write_text("".join(f"{name},{split}\n" for name, split in MS3))
    for name, split in MS3:
        _pictures(data / "visual_frames" / name, name, ".mp4")
        for second in range(5):
            write_png(data / "gt_masks" / split / name / f"{name}_{second + 1}.png", square(second), "P")
        write_wav(data / "audio_wav" / split / f"{name}.wav", 5)
    return root


def _pictures(folder, name, suffix):
    rng = np.random.default_rng(2)
    for second in range(1, 6):
        write_png(folder / f"{name}{suffix}_{second}.png", rng.integers(0, 255, (48, 48, 3), dtype=np.uint8))
