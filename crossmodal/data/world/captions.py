"""Texts about the built-in world: names of pairs of a colour and a texture, captions, and their words."""

from .scene import COLOURS, SHAPES, TEXTURES

PERIOD = 6
PHOTO, SOUND = "a photo of a {}.", "the sounds of {}."
"""Sentences into which the name of a class is put, for a frame and for a sound."""
PHOTO_TEMPLATES = ("{}", PHOTO, "a photo of the {}.", "a {} in the photo.")
SOUND_TEMPLATES = ("{}", SOUND, "the sound of a {}.", "a {} sounds.")
BACKGROUND = "background"
COLOUR_WORDS = COLOURS[:PERIOD]
"""Colours of the default world; the tiny encoders know no others."""
WORDS = (
    *("a", "the", "photo", "sound", "sounds", "of", "in", "object", "x", ".", ",", BACKGROUND),
    *(*COLOUR_WORDS, *TEXTURES, *SHAPES),
)
"""All words of the captions; `x` is a placeholder for learned vectors."""


def pair_name(texture: int, colour: int) -> str:
    """Returns the name of a pair: `"red dots"`."""
    return f"{COLOURS[colour]} {TEXTURES[texture]}"


def is_held_out(texture: int, colour: int) -> bool:
    """Returns whether no second that shows this pair is among those that tiny CLIP and tiny CLAP were trained on.

    One colour of every texture is held out: every word occurs in the training, in other pairs.
    """
    return (texture + colour) % PERIOD == PERIOD - 1


def held_out_pairs() -> tuple[str, ...]:
    """Returns the names of the pairs that are held out."""
    pairs = [(texture, colour) for texture in range(len(TEXTURES)) for colour in range(len(COLOUR_WORDS))]
    return tuple(pair_name(*pair) for pair in pairs if is_held_out(*pair))
