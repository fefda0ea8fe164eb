"""Writes video files whose every second can be told from any other, by its colour and by its tone."""

from fractions import Fraction

import av
import numpy as np

from crossmodal.data import Clip, Preprocess

PLAIN = Preprocess(size=16, rate=16_000, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
ALL_SOUND, ALL_PICTURE = (0, 3), tuple(Fraction(index, 25) for index in range(75))


def colour(second: int) -> list[int]:
    """One of seven colours: the lower three bits of `second + 1`, as RGB in 0 or 1."""
    return [(second % 7 + 1) >> bit & 1 for bit in range(3)]


def tone(second: int) -> float:
    """In hertz."""
    return 200.0 * (second + 1)


def film(file, *, codecs=("mpeg4", "aac"), picture=ALL_PICTURE, tick=None, sound=ALL_SOUND, **options):
    """`picture`: the times of its frames in seconds; `sound`: start and end in seconds; either may be empty.

    Options: `rate`, `layout`, `size` (width, height), `turn` (degrees), `space` (of colours), `amplitude`,
    `container` (a dict for FFmpeg).
    """
    with av.open(str(file), "w", options=options.get("container", {})) as out:
        video = picture and _video_stream(out, codecs[0], tick or picture[1] - picture[0], options)
        audio = sound and out.add_stream(
            codecs[1], rate=options.get("rate", 44_100), layout=options.get("layout", "mono")
        )
        if audio:
            audio.options, audio.bit_rate = {"strict": "experimental"}, options.get("bit_rate", 128_000)
        for packet in _pictures(video, picture, options) if picture else ():
            out.mux(packet)
        for packet in _sound(audio, *sound, options.get("amplitude", 0.5)) if sound else ():
            out.mux(packet)
    return file


def seen(clip: Clip) -> list[list[int]]:
    """The colour of every segment's frame."""
    return clip.frames.mean((2, 3)).round().int().tolist()


def heard(clip: Clip) -> list[float]:
    """The tone of every segment, in hertz, 0 where it is silent; its borders are left out."""
    return [_pitch(second.numpy()[1600:-1600], PLAIN.rate) for second in clip.wave]


def _video_stream(out, codec, tick, options):
    stream = out.add_stream(codec, rate=1 / tick)
    stream.width, stream.height = options.get("size", (64, 48))
    formats = [known.name for known in stream.codec.video_formats or ()]
    stream.pix_fmt = "yuv420p" if "yuv420p" in formats or not formats else formats[0]
    stream.codec_context.time_base, stream.options = tick, {"strict": "experimental"}
    if "space" in options:
        stream.codec_context.colorspace = options["space"]
    if "turn" in options:
        stream.set_display_rotation(options["turn"])
    return stream


def _pictures(stream, times, options):
    for time in times:
        pixels = np.empty((stream.height, stream.width, 3), np.uint8)
        pixels[:] = options.get("pixels", lambda t: 255 * np.array(colour(int(t))))(time)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = round(time / stream.codec_context.time_base), stream.codec_context.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sound(stream, start, end, amplitude):
    context = stream.codec_context
    times = start + np.arange(round((end - start) * context.sample_rate)) / context.sample_rate
    wave = amplitude * np.sin(2 * np.pi * tone(np.floor(times)) * times)
    layout, size = context.layout, context.frame_size or 1024
    resampler = av.AudioResampler(context.format.name, layout, context.sample_rate, frame_size=size)
    for first in range(0, len(wave), size):
        block = np.tile(wave[first : first + size].astype(np.float32), (layout.nb_channels, 1))
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout.name)
        frame.sample_rate, frame.time_base = context.sample_rate, Fraction(1, context.sample_rate)
        frame.pts = first + round(start * context.sample_rate)
        for whole in resampler.resample(frame):
            yield from stream.encode(whole)
    for whole in resampler.resample(None):
        yield from stream.encode(whole)
    yield from stream.encode(None)


def _pitch(wave, rate):
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return 0.0 if spectrum.max() < 1.0 else round(spectrum.argmax() * rate / len(wave) / 20) * 20.0
