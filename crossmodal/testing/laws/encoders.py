"""Laws of encoders: the sections are the model, each runs once and in order, and the sites are right."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ...injection import Encoder
from ..law import NotApplicable, Violation, expect, expect_close, law
from ..trial import Trial
from .calls import stays_finite


@dataclass(frozen=True)
class EncoderTrial(Trial):
    """Holds a trial of an encoder; `original` is the model it was cut from."""

    original: nn.Module | None = None

    def encoder(self) -> Encoder:
        """Builds the encoder, in evaluation mode, no parameter at zero throughout."""
        block = self.woken()
        if not isinstance(block, Encoder):
            raise Violation(f"expected an Encoder, found a {type(block).__name__}")
        return block


@law(9, "sections once and in order", examples=1)
def sections_run_once_and_in_order(trial: EncoderTrial) -> None:
    """`encoder(x)` runs every section exactly once and in order."""
    encoder = trial.encoder()
    ran = sections_run(encoder, trial)
    expect(ran == list(encoder.names), f"sections: expected {list(encoder.names)}, ran {ran}")


def sections_run(encoder: Encoder, trial: Trial) -> list[str]:
    """Returns the sections that a forward runs, in order."""
    ran: list[str] = []
    for name in encoder.names:
        encoder.section(name).register_forward_pre_hook(lambda *_, name=name: ran.append(name))
    trial.run(encoder)
    return ran


@law(9, "equals its sections", examples=1)
def equals_its_sections(trial: EncoderTrial) -> None:
    """`encoder(x)` equals its stem, sections and head, run one after another, bit for bit."""
    encoder = trial.encoder()
    stream = encoder.stem(*trial.inputs.values())
    for name in encoder.names:
        stream = encoder.section(name)(stream)
    expect_close("output", trial.run(encoder)["output"], encoder.head(stream))


@law(9, "equals the original", examples=1)
def equals_the_original(trial: EncoderTrial) -> None:
    """`encoder(x)` equals what the original model computes from `x`, in evaluation mode."""
    if trial.original is None:
        raise NotApplicable("no original was given to compare with")
    x = next(iter(trial.inputs.values()))
    expected = copy.deepcopy(trial.original).eval()(x)
    expect_close("output", trial.run(trial.build().eval())["output"], expected, tolerance=1e-5)


@law(9, "sites tell the truth", examples=1)
def sites_tell_the_truth(trial: EncoderTrial) -> None:
    """At every site the stream has the site's tokens and width, a coordinate a token, and the frames of the input."""
    encoder = trial.encoder()
    stream: Tensor = encoder.stem(*trial.inputs.values())
    frames = len(next(iter(trial.inputs.values())))
    for site in encoder.sites:
        stream = stream if site.name == "stem" else encoder.section(site.name)(stream)
        found, expected = tuple(stream.shape), (frames, site.tokens, site.width)
        expect(
            found == expected, f"stream at {site.name!r}: expected (frame, token, channel) {expected}, found {found}"
        )
        places = len(set(zip(*site.axes.values(), strict=True)))
        expect(
            places == site.tokens - site.prefix,
            f"site {site.name!r}: {site.tokens - site.prefix} tokens lie at {places} different coordinates",
        )
    corners_lie_where_the_site_says(trial, encoder)


def corners_lie_where_the_site_says(trial: EncoderTrial, encoder: Encoder) -> None:
    """Raises `Violation` where a change of one corner of a picture moves a token of another corner most of all.

    Asked of stems of pictures that keep tokens local; a stem that mixes all tokens shows nothing.
    """
    site, picture = encoder.sites[0], next(iter(trial.inputs.values()))
    if picture.dim() != 4 or set(site.axes) != {"row", "column"}:
        return
    places = torch.tensor([site.axes["row"], site.axes["column"]], dtype=torch.float32)
    middle = (places.amin(1) + places.amax(1)) / 2
    with torch.no_grad():
        before = encoder.stem(picture)
        for corner in ((False, True), (True, False)):
            row, column = (
                slice(-(side // 3), None) if far else slice(side // 3)
                for far, side in zip(corner, picture.shape[2:], strict=True)
            )
            changed = picture.clone()
            changed[:, :, row, column] += 1
            move = (encoder.stem(changed) - before).abs().sum((0, 2))[site.prefix :]
            at = places[:, move.argmax()]
            agrees = all(
                (value >= half) if far else (value <= half) for value, half, far in zip(at, middle, corner, strict=True)
            )
            where = f"the {'bottom' if corner[0] else 'top'} {'right' if corner[1] else 'left'} corner"
            expect(
                agrees or bool(move.max() <= 2 * move.median()),
                f"site {site.name!r}: a change in {where} of the picture moves most the token at row, column "
                f"{tuple(int(value) for value in at)}",
            )


@law(13, "inputs stay", examples=1)
def sections_leave_their_stream(trial: EncoderTrial) -> None:
    """Stem, sections and head leave what they are given as it was: taps and residuals rely on it."""
    encoder, stream = trial.encoder(), next(iter(trial.inputs.values()))
    parts = {"stem": encoder.stem, **{name: encoder.section(name) for name in encoder.names}, "head": encoder.head}
    for name, part in parts.items():
        kept = stream.clone()
        with torch.no_grad():
            after = part(stream)
        expect_close(f"what {name!r} was given, after it ran,", stream, kept)
        stream = after


@law(13, "a zero frame", examples=1)
def zero_frame_of_an_encoder(trial: EncoderTrial) -> None:
    """A frame that is zero, or constant over tokens or channels, leaves what every section makes of it finite."""
    for prefix, inside in inner_trials(trial):
        try:
            stays_finite(inside, inside.build(), gradients=False)
        except Violation as words:
            raise Violation(f"section {prefix.rstrip('.')!r}: {words}") from words


def inner_trials(trial: Trial) -> Iterator[tuple[str, Trial]]:
    """Yields what is looked into, after a prefix of its paths: of an encoder each section, with what it is given."""
    if not isinstance(trial, EncoderTrial):
        block = trial.woken()
        yield "", replace(trial, build=lambda: block)
        return
    encoder, stream = trial.encoder(), next(iter(trial.inputs.values()))
    sections = {"stem": encoder.stem, **{name: encoder.section(name) for name in encoder.names}, "head": encoder.head}
    for name, section in sections.items():
        yield f"{name}.", Trial.of(section, stream=stream)
        with torch.no_grad():
            stream = section(stream)
