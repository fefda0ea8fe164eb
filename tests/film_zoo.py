"""Films of many kinds: codecs, containers, sizes, rates, channels, lengths; and some that are broken."""

from fractions import Fraction
from typing import NamedTuple

import av
from films import film

from crossmodal.data.annotations import ANNOTATION_HEADER, AVE_CLASSES


class Kind(NamedTuple):
    """One film; `stretched` makes the frame rate vary, `turn` is its rotation in degrees."""

    name: str
    video: str
    audio: str
    size: tuple[int, int] = (64, 48)
    frames_a_second: int = 5
    rate: int = 44_100
    layout: str = "mono"
    seconds: float = 10
    stretched: bool = False
    turn: int = 0

    @property
    def stem(self):
        return self.name.rpartition(".")[0]

    @property
    def picture(self):
        count = round(self.seconds * self.frames_a_second)
        times = [Fraction(index, self.frames_a_second) for index in range(count)]
        return [time for index, time in enumerate(times) if index % 5 not in (1, 2)] if self.stretched else times

    def write(self, folder):
        return film(
            folder / self.name,
            codecs=(self.video, self.audio),
            picture=self.picture,
            tick=Fraction(1, self.frames_a_second),
            sound=(0, self.seconds),
            size=self.size,
            rate=self.rate,
            layout=self.layout,
            bit_rate=64_000,
            **({"turn": self.turn} if self.turn else {}),
        )


KINDS = (
    Kind("mpeg4.mp4", "mpeg4", "aac", frames_a_second=25, layout="stereo"),
    Kind("h264.mp4", "libx264", "aac", size=(128, 72), rate=48_000, layout="stereo", seconds=12),
    Kind("h264-60.mp4", "libx264", "aac", frames_a_second=60, layout="5.1", rate=48_000),
    Kind("h264-turned.mp4", "libx264", "aac", size=(96, 64), turn=90),
    Kind("mpeg4-upside.mp4", "mpeg4", "aac", turn=180, seconds=11.5),
    Kind("hevc.mp4", "libx265", "aac", size=(96, 96), frames_a_second=8),
    Kind("av1.mp4", "libsvtav1", "libopus", size=(128, 128), rate=48_000),
    Kind("mp3.mp4", "mpeg4", "libmp3lame", rate=32_000),
    Kind("alac.mov", "libx264", "alac", rate=22_050, layout="stereo"),
    Kind("prores.mov", "prores_ks", "pcm_s16le", rate=48_000, seconds=10.04),
    Kind("mjpeg.mov", "mjpeg", "pcm_f32le", rate=8_000, frames_a_second=12),
    Kind("rle.mov", "qtrle", "pcm_s16le", rate=16_000),
    Kind("png.mov", "png", "aac", frames_a_second=4),
    Kind("svq1.mov", "svq1", "pcm_mulaw", rate=8_000, size=(160, 120)),
    Kind("divx.avi", "mpeg4", "libmp3lame", frames_a_second=30, layout="stereo"),
    Kind("h264-without-times.avi", "libx264", "pcm_s16le", rate=16_000),
    Kind("camera.avi", "mjpeg", "pcm_u8", rate=11_025, layout="stereo", size=(80, 60)),
    Kind("raw.avi", "rawvideo", "pcm_s16le", rate=96_000, size=(32, 24)),
    Kind("huffyuv.avi", "huffyuv", "adpcm_ima_wav", rate=44_100),
    Kind("cinepak.avi", "cinepak", "pcm_s16le", frames_a_second=3),
    Kind("utvideo.avi", "utvideo", "ac3", rate=48_000),
    Kind("vp8.webm", "libvpx", "libopus", rate=48_000, layout="stereo", frames_a_second=15),
    Kind("vp9.webm", "libvpx-vp9", "libopus", rate=48_000, size=(60, 100), seconds=13.7),
    Kind("vp8-vorbis.webm", "libvpx", "vorbis", rate=44_100, layout="stereo"),
    Kind("ffv1.mkv", "ffv1", "flac", rate=22_050, frames_a_second=7),
    Kind("varies.mkv", "ffv1", "flac", frames_a_second=10, stretched=True),
    Kind("h264-varies.mkv", "libx264", "eac3", rate=48_000, frames_a_second=10, stretched=True, layout="5.1"),
    Kind("vp9-wavpack.mkv", "libvpx-vp9", "wavpack", rate=44_100),
    Kind("mpeg2.mkv", "mpeg2video", "mp2", rate=48_000, frames_a_second=24, layout="stereo"),
    Kind("tta.mkv", "ffv1", "tta", rate=32_000),
    Kind("mpeg1.mkv", "mpeg1video", "ac3", rate=32_000, frames_a_second=25),
    Kind("dvd.mpg", "mpeg2video", "mp2", rate=44_100, frames_a_second=25),
    Kind("broadcast.ts", "libx264", "aac", rate=48_000, frames_a_second=25, layout="stereo"),
    Kind("sorenson.flv", "flv", "libmp3lame", rate=22_050),
    Kind("wmv2.wmv", "wmv2", "wmav2", layout="stereo"),
    Kind("msmpeg4.asf", "msmpeg4", "wmav2", frames_a_second=15),
    Kind("h263.3gp", "h263", "aac", size=(176, 144), rate=16_000),
    Kind("dash-name.-_x.mp4", "mpeg4", "aac"),
)
"""Every one of ten seconds or more; those of them that this build of PyAV cannot encode are `SKIPPED`."""


def encodes(codec):
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


WHOLE = tuple(kind for kind in KINDS if encodes(kind.video) and encodes(kind.audio))
SKIPPED = tuple(kind.name for kind in KINDS if kind not in WHOLE)


def write_broken(folder):
    """A cut film, one without sound, one that is too short, a text, and an empty file; returns name → words."""
    cut = Kind("cut.mkv", "libx264", "flac").write(folder)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    film(folder / "silent.mp4", picture=Kind("", "", "").picture, sound=())
    Kind("short.mp4", "mpeg4", "aac", seconds=7.5).write(folder)
    (folder / "letter.mp4").write_text("a letter to no one\n" * 50)
    (folder / "empty.webm").touch()
    return {
        "cut.mkv": "is cut",
        "silent.mp4": "has no sound",
        "short.mp4": "has 7.5",
        "letter.mp4": "is no video",
        "empty.webm": "is no video",
    }


def write_rows(folder, videos):
    """Annotations of AVE for some videos, every third of them in the validation and in the test split."""
    rows = [
        f"{AVE_CLASSES[index % 4]}&{video}&good&{index % 5}&{5 + index % 6}\n" for index, video in enumerate(videos)
    ]
    (folder / "Annotations.txt").write_text("".join([f"{ANNOTATION_HEADER}\n", *rows]))
    splits = {"val": rows[1:-2:3], "test": rows[2:-2:3], "train": [*rows[0:-2:3], *rows[-2:]]}
    for split, lines in splits.items():
        (folder / f"{split}Set.txt").write_text("".join(lines))
