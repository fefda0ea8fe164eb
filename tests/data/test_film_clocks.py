"""Sound stays with the picture whatever its clock does, and joints, damage and names are not passed over."""

from fractions import Fraction

import av
import numpy as np
import pytest
from films import PLAIN, colour, film, heard, seen
from hypothesis import given, settings
from hypothesis import strategies as st

from crossmodal.data import read_clip


def write_clicks(file, seconds, clock, rate=8_000, block=200):
    """A film whose recorder writes `clock` samples a stamped second, with a click in the middle of each second."""
    with av.open(str(file), "w") as out:
        video, audio = out.add_stream("ffv1", rate=2), out.add_stream("pcm_s16le", rate=rate, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(seconds * 2):
            pixels = np.empty((48, 64, 3), np.uint8)
            pixels[:] = 255 * np.array(colour(index // 2))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 2)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        wave = np.zeros(round(seconds * rate * clock), np.int16)
        for second in range(seconds):
            at = round((second + 0.5) * rate * clock)
            wave[at : at + 500] = 30_000
        for first in range(0, len(wave), block):
            frame = av.AudioFrame.from_ndarray(wave[None, first : first + block], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, round(first / clock), Fraction(1, rate)
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))


@settings(max_examples=5)
@given(st.floats(0.97, 1.03))
def test_sound_stays_within_a_twentieth_of_a_second(tmp_path_factory, clock):
    file = tmp_path_factory.mktemp("clocks") / "it.mkv"
    write_clicks(file, 8, clock)
    wave = read_clip(file, PLAIN).wave.flatten().numpy()
    loud = np.abs(wave) > 0.4
    for second in range(7):
        middle = round((second + 0.5) * PLAIN.rate)
        assert loud[middle - PLAIN.rate // 18 : middle + PLAIN.rate // 9].any()
        assert not loud[second * PLAIN.rate : middle - PLAIN.rate // 12].any()


def test_joined_recordings_follow_one_another(tmp_path):
    one = film(tmp_path / "one.ts", codecs=("libx264", "aac"))
    (tmp_path / "joined.ts").write_bytes(one.read_bytes() * 3)
    alone, joined = read_clip(one, PLAIN), read_clip(tmp_path / "joined.ts", PLAIN)
    assert len(joined.wave) in (3 * len(alone.wave), 3 * len(alone.wave) + 1)
    assert seen(joined)[:9] == 3 * seen(alone)
    assert heard(joined)[:9] == 3 * heard(alone)


def damaged(file, codec, share):
    """A film in whose pictures of the second and third second random bytes stand, at a share of them."""
    drawn = np.random.default_rng(0)

    def noisy(time):
        coarse = np.random.default_rng(int(time * 25)).integers(0, 60, (6, 8))
        return np.abs(255 * np.array(colour(int(time))) - np.kron(coarse, np.ones((20, 20)))[..., None]).astype(
            np.uint8
        )

    pictures = [Fraction(step, 25) for step in range(100)]
    film(file, codecs=(codec, "aac"), picture=pictures, sound=(0, 4), pixels=noisy, size=(160, 120))
    content = bytearray(file.read_bytes())
    with av.open(str(file)) as container:
        packets = [
            (packet.pos, packet.size, packet.pts * packet.time_base)
            for packet in container.demux(video=0)
            if packet.size
        ]
    for at, size, time in packets:
        if 1 <= time < 3:
            for place in range(at + 20, at + size):
                if drawn.random() < share:
                    content[place] = drawn.integers(256)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "libx265"])
def test_pictures_that_the_decoder_conceals_are_named(tmp_path, codec, capfd):
    with pytest.raises(ValueError, match=r"read_clip: .*it\.mp4 is (cut or )?damaged: its picture .*\d\.\d\d s"):
        read_clip(damaged(tmp_path / "it.mp4", codec, 0.3), PLAIN)


@pytest.mark.parametrize("name", ["take:1.mp4", "http:it.mp4", "-it.mp4", "100%d.mp4", "{a}[b]*.mp4", "$x 'q' #.mp4"])
def test_a_name_is_no_address(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "plain.mp4", picture=[Fraction(step, 5) for step in range(6)], sound=(0, 1.2)).rename(name)
    assert len(read_clip(name, PLAIN).wave) == 1


def test_a_folder_is_called_one(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: give a video file"):
        read_clip(tmp_path, PLAIN)
