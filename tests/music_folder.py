"""Writes tiny data sets in MUSIC-AVQA's layout: questions in both versions, frames, waves, features."""

import json

import numpy as np
from PIL import Image

from crossmodal.data.music_avqa_vocabulary import MUSIC_AVQA

VIDEOS = ("00000001", "00000002", "00000003", "00000004")
ROWS = {
    "train": (
        (VIDEOS[0], 1, ("Audio", "Counting"), "How many instruments are sounding in the video?", [], "two"),
        (VIDEOS[0], 2, ("Audio-Visual", "Counting"), "How many sounding <Object> in the video？", ["cello"], "one"),
        (VIDEOS[1], 3, ("Visual", "Counting"), "Is there a <Object> in the entire video?", ["violin"], "yes"),
        (VIDEOS[1], 4, ("Visual", "Location"), "Where is the <LL> instrument?", ["loudest"], "left"),
    ),
    "val": (
        (VIDEOS[2], 5, ("Audio-Visual", "Counting"), "How many sounding <Object> in the video？", ["violin"], "two"),
    ),
    "test": (
        (VIDEOS[2], 6, ("Audio-Visual", "Existential"), "Is there a <Object> in the video? ", ["cello"], "yes"),
        (VIDEOS[3], 7, ("Visual", "Location"), "Where is the instrument?", [], "left"),
    ),
}


def published_rows():
    """Training questions from which the published vocabulary is rebuilt: its words and answers in their order."""
    words, rows = MUSIC_AVQA.words[1:], []
    for at, answer in enumerate(MUSIC_AVQA):
        asked = words[13 * at : 13 * at + 13] or words[:1]
        rows.append((VIDEOS[0], 100 + at, ("Audio", "Counting"), f"{' '.join(asked)}?", [], answer))
    return rows


def entry(row):
    """One question as the published files write it."""
    video, number, kind, text, values, answer = row
    return {
        "video_id": video,
        "question_id": number,
        "type": json.dumps(kind),
        "question_content": text,
        "templ_values": json.dumps(values),
        "question_deleted": 0,
        "anser": answer,
    }


def write_questions(root, *, version="json", rows=ROWS):
    """The question files of one version, and the subset of real videos."""
    folder = root / version
    folder.mkdir(parents=True, exist_ok=True)
    for split, of_split in rows.items():
        entries = [entry(row) for row in of_split]
        (folder / f"avqa-{split}.json").write_text(json.dumps(entries), encoding="utf-8")
        (folder / f"avqa-{split}_real.json").write_text(json.dumps(entries[:1]), encoding="utf-8")
    return root


def write_media(root, *, rate=16_000):
    """Twelve frames and ten seconds of sound of all videos."""
    rng = np.random.default_rng(0)
    (root / "audio_wave").mkdir(parents=True)
    for video in VIDEOS:
        folder = root / "frames" / video
        folder.mkdir(parents=True)
        for number in range(1, 13):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:08d}.jpg")
        np.save(root / "audio_wave" / f"{video}.npy", 0.1 * rng.standard_normal(10 * rate).astype(np.float32))
    return root


def write_features(root):
    """The two published features of all videos."""
    rng = np.random.default_rng(1)
    for kind, shape in {"vggish": (60, 128), "res18_14x14": (60, 512, 14, 14)}.items():
        folder = root / "feats" / kind
        folder.mkdir(parents=True)
        for video in VIDEOS:
            np.save(folder / f"{video}.npy", rng.random(shape, dtype=np.float32))
    return root
