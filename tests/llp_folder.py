"""Writes tiny data sets in LLP's layout: tables, frames, waves, features."""

import numpy as np
from PIL import Image

NAMES = {
    "train": ("aaaaaaaaaaa_0_10", "bbbbbbbbbbb_5_15"),
    "val": ("ccccccccccc_0_10",),
    "test": ("ddddddddddd_30_40", "JfZEqeLZqWk_30_40"),
}
TABLES = {"train": "AVVP_train.csv", "val": "AVVP_val_pd.csv", "test": "AVVP_test_pd.csv"}
AUDIO = [("ccccccccccc_0_10", 0, 4, "Speech"), ("ddddddddddd_30_40", 2, 7, "Dog")]
OLD_ROW = ("Baby_cry_infant_cry", 3, 8, "Baby_cry_infant_cry")
NEW_ROW = ("JfZEqeLZqWk_30_40", *OLD_ROW[1:])
VISUAL = [("ccccccccccc_0_10", 0, 10, "Dog"), ("ddddddddddd_30_40", 0, 5, "Dog"), ("ddddddddddd_30_40", 4, 10, "Cat")]


def write_tables(root, *, audio=(*AUDIO, NEW_ROW), visual=tuple(VISUAL)):
    """The tables alone."""
    root.mkdir(parents=True, exist_ok=True)
    for split, file in TABLES.items():
        rows = "".join(f"{name}\tSpeech,Dog\n" for name in NAMES[split])
        (root / file).write_text(f"filename\tevent_labels\n{rows}")
    for word, rows in (("audio", audio), ("visual", visual)):
        lines = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (root / f"AVVP_eval_{word}.csv").write_text(f"filename\tonset\toffset\tevent_labels\n{lines}")
    return root


def write_media(root, *, rate=16_000):
    """Frames and waves of all clips."""
    rng = np.random.default_rng(0)
    for name in (name for names in NAMES.values() for name in names):
        folder = root / "LLP_dataset" / "frame" / name[:11]
        folder.mkdir(parents=True)
        for number in range(1, 11):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:08d}.jpg")
        (root / "LLP_dataset" / "wave").mkdir(exist_ok=True)
        wave = 0.1 * rng.standard_normal(10 * rate).astype(np.float32)
        np.save(root / "LLP_dataset" / "wave" / f"{name[:11]}.npy", wave)
    return root


def write_features(root):
    """The three published features of all clips."""
    rng = np.random.default_rng(1)
    for kind, shape in {"vggish": (10, 128), "res152": (80, 2048), "r2plus1d_18": (10, 512)}.items():
        folder = root / "LLP_dataset" / "feats" / kind
        folder.mkdir(parents=True)
        for name in (name for names in NAMES.values() for name in names):
            np.save(folder / f"{name[:11]}.npy", rng.random(shape, dtype=np.float32))
    return root
