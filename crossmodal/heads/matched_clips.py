"""Losses of clips matched with class names, and how their terms are weighed over epochs.

Source: the few-shot, zero-shot and pre-training code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped

Weighing = Callable[[Mapping[str, Tensor], int], dict[str, Tensor]]
"""`(terms, epoch counted from 1) -> terms times their weights`; terms are `event`, `audio_image`, `image_audio`."""


def of_pieces(scores: Tensor, target: Tensor) -> Tensor:
    """Returns scores of the pieces of a target: of every second, or their mean over the clip.

    Args:
        scores: `(clip, segment, label)`.
        target: `(clip, piece, label)`.

    Raises:
        ValueError: If the target has neither one piece nor one per second.
    """
    pieces, segments = target.shape[1], scores.shape[1]
    if pieces not in (1, segments):
        raise ValueError(
            f"of_pieces: target has {pieces} pieces, but scores are of {segments} seconds: give one target per second, "
            "or one per clip."
        )
    return scores if pieces == segments else scores.mean(1, keepdim=True)


@shaped
def matched_event_loss(
    scores: Float[Tensor, "clip segment label"], target: Float[Tensor, "clip piece target"]
) -> Float[Tensor, ""]:
    """Computes the cross-entropy of every piece against its target; a piece without a label counts as zero.

    Several labels of a piece add up, as published. A target may have labels behind those of the scores, such as
    background in zero-shot evaluation; they are left out.

    Args:
        scores: Logits of every second.
        target: 1 at the true labels.
    """
    read = of_pieces(scores, target)
    wanted = target[..., : scores.shape[2]].to(read.dtype)
    return F.cross_entropy(read.flatten(0, 1), wanted.flatten(0, 1))


class ClipContrast(nn.Module):
    """Scores every sound of a batch against every picture: projects sounds, takes means over seconds, then cosines.

    Shapes: visual and audio features `(clip, segment, feature)` → logits of sounds over pictures `(clip, clip)`.
    """

    def __init__(self, features: int):
        """Builds the projection of sounds.

        Args:
            features: Width of the features.
        """
        super().__init__()
        self.features = features
        self.audio = nn.Linear(features, features)

    @shaped
    def forward(
        self,
        visual: Float[Tensor, "clip segment feature"],
        audio: Float[Tensor, "clip segment feature"],
        scale: Float[Tensor, ""],
    ) -> Float[Tensor, "clip clip"]:
        """Computes the logits; their transpose are those of pictures over sounds.

        Args:
            visual: Features of frames.
            audio: Features of sounds.
            scale: Factor of the cosines.
        """
        check_width(self, "audio", audio, self.features)
        seen, heard = (F.normalize(vectors.mean(1), dim=-1) for vectors in (visual, self.audio(audio)))
        return scale * heard @ seen.mT


def contrastive_losses(logits: Float[Tensor, "clip clip"]) -> dict[str, Tensor]:
    """Computes the cross-entropies of finding the picture of a sound and the sound of a picture; zero for one clip."""
    own = torch.arange(len(logits), device=logits.device)
    return {"audio_image": F.cross_entropy(logits, own), "image_audio": F.cross_entropy(logits.mT, own)}


def weighed_by_schedule(
    terms: Mapping[str, Tensor],
    epoch: int,
    *,
    event: float = 500.0,
    event_later: float = 5.0,
    until: int = 10,
    audio_image: float = 2.0,
    image_audio: float = 1.5,
) -> dict[str, Tensor]:
    """Weighs terms by fixed numbers: those of the released localisation of few clips.

    Args:
        terms: The terms.
        epoch: From 1.
        event: Weight of the event term at first.
        event_later: Its weight behind epoch `until`.
        until: Last epoch of the first weight.
        audio_image: Weight of finding the picture of a sound.
        image_audio: Weight of finding the sound of a picture.
    """
    weights = {
        "event": event if epoch <= until else event_later,
        "audio_image": audio_image,
        "image_audio": image_audio,
    }
    return {name: weights[name] * term for name, term in terms.items()}


def weighed_dynamically(terms: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
    r"""Weighs each term by $L_k / (e + \sum L) + 1/e$, as a number: gradients are those of the terms.

    Args:
        terms: The terms.
        epoch: From 1.
    """
    whole = epoch + sum(term.detach() for term in terms.values())
    return {name: (term.detach() / whole + 1 / epoch) * term for name, term in terms.items()}


def weighed_dynamically_released(terms: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
    """Weighs as `weighed_dynamically`, with gradients through the weights, as the released code does.

    Args:
        terms: The terms.
        epoch: From 1.
    """
    whole = epoch + sum(terms.values())
    return {name: (term / whole + 1 / epoch) * term for name, term in terms.items()}


def weighed_as_ave_classes_released(terms: Mapping[str, Tensor], epoch: int) -> dict[str, Tensor]:
    r"""Weighs as the released classification of AVE: the last weight lacks parentheses, $L/e + \sum L + 1/e$.

    Args:
        terms: The terms.
        epoch: From 1.
    """
    found = weighed_dynamically_released(terms, epoch)
    if "image_audio" in terms:
        last = terms["image_audio"]
        found["image_audio"] = (last / epoch + sum(terms.values()) + 1 / epoch) * last
    return found


ScoreRule = Callable[[Tensor, Tensor], Tensor]
"""`(logits of frames, logits of sounds) -> scores`."""


def doubled_sum(visual: Tensor, audio: Tensor) -> Tensor:
    """Computes `2 v + 2 a`, the rule of few clips."""
    return 2 * visual + 2 * audio


def weighed_by_size(visual: Tensor, audio: Tensor) -> Tensor:
    """Computes the mean of both logits weighed by their magnitudes, `(|v| v + |a| a) / (|v| + |a|)`.

    Equals `released_quotient` where both are positive, and lies between the two logits everywhere.
    """
    sizes = visual.abs() + audio.abs()
    return (visual.abs() * visual + audio.abs() * audio) / sizes.clamp_min(torch.finfo(sizes.dtype).tiny)


def released_quotient(visual: Tensor, audio: Tensor) -> Tensor:
    """Computes `(v² + a²) / (v + a)`, the released rule of pre-training and zero-shot; singular near `v = -a`."""
    return visual.square() / (visual + audio) + audio.square() / (visual + audio)


def exponentiated(log_scale: Tensor) -> Tensor:
    """Returns the scale of cosines that its logarithm stands for."""
    return log_scale.exp()


def as_stored(log_scale: Tensor) -> Tensor:
    """Returns the logarithm as it is: the released code takes that of CLAP for the scale."""
    return log_scale
