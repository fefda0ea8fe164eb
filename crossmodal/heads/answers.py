"""Answers to questions about a clip: what its sound and its frames hold for the question, as one of a closed set."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import shaped
from .grounding import SoundGrounding, SoundInFrames, match_loss
from .questions import QuestionAttention, QuestionEncoder


class Answers(NamedTuple):
    """Outputs of systems that answer questions; a part that a system does not have has no entries.

    Attributes:
        answer: Logits of the answers.
        right: Logits of no and yes: do the sounds belong to the frames of their own clip?
        wrong: The same of frames of other clips.
        where: Weights over the tokens of every frame.
        seen: Weights of the question over the segments of the frames.
        heard: The same over the sounds.
        question: Ids of the question's words.
    """

    answer: Float[Tensor, "clip answer"]
    right: Float[Tensor, "frame 2"]
    wrong: Float[Tensor, "other 2"]
    where: Float[Tensor, "clip segment token"]
    seen: Float[Tensor, "clip segment"]
    heard: Float[Tensor, "clip segment"]
    question: Int[Tensor, "clip word"]


class DecodedAnswers(NamedTuple):
    """Predicted answers, and what they were found by.

    Attributes:
        labels: Index of the likeliest answer.
        probabilities: Of every answer.
        where: As of `Answers`.
        seen: As of `Answers`.
        heard: As of `Answers`.
        question: As of `Answers`.
    """

    labels: Int64[Tensor, " clip"]
    probabilities: Float[Tensor, "clip answer"]
    where: Float[Tensor, "clip segment token"]
    seen: Float[Tensor, "clip segment"]
    heard: Float[Tensor, "clip segment"]
    question: Int[Tensor, "clip word"]


class GroundedAnswers(nn.Module):
    r"""Answers a question from grounded frames and sounds: ST-AVQA's head, which LAVisH and DG-SCT share.

    The question attends to both sequences over the segments, $\hat v$ and $\hat a$; their means are added, and with
    $f = W \tanh [\hat a + \bar a; \hat v + \bar v]$ the logits are $W' \tanh(f \odot q)$.

    Shapes: stream `(clip, segment, token, width)`, audio `(clip, segment, audio_channel)`, question `(clip, word)`.
    Source: Li et al., *Learning to Answer Questions in Dynamic Audio-Visual Scenarios*, CVPR 2022.
    """

    def __init__(
        self,
        audio_channels: int,
        words: int,
        answers: int,
        *,
        width: int = 512,
        grounder: Callable[[int, int], nn.Module] = SoundGrounding,
        question: Callable[[int, int], nn.Module] = QuestionEncoder,
        attention: Callable[[int], nn.Module] = QuestionAttention,
        mean: float = 1.0,
    ):
        """Builds the head; the defaults are the published numbers.

        Args:
            audio_channels: Channels of a sound.
            words: Size of the questions' vocabulary.
            answers: Number of answers.
            width: Channels of a token, and of everything behind.
            grounder: Builds the grounding from the audio width and the width.
            question: Builds the encoder of questions from the vocabulary's size and the width.
            attention: Builds the attention over segments from the width; called for either modality.
            mean: Weight of the means over segments that are added; ST-AVQA's plain baseline adds none.
        """
        super().__init__()
        self.grounder = grounder(audio_channels, width)
        self.question = question(words, width)
        self.seen, self.heard = attention(width), attention(width)
        self.fuse, self.answer = nn.Linear(2 * width, width), nn.Linear(width, answers)
        self.mean = mean

    def forward(self, stream: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions; `others` are tokens of frames of other clips, where these are to be matched."""
        clips = stream.shape[0]
        found: SoundInFrames = self.grounder(stream.flatten(0, 1), audio.flatten(0, 1))
        wrong = found.match[:0]
        if others is not None:
            wrong = self.grounder(others.flatten(0, 1), audio.flatten(0, 1)).match
        heard, seen = (part.unflatten(0, (clips, -1)) for part in (found.audio, found.visual))
        asked = self.question(question)
        (at_sight, saw), (at_sound, heard_by) = self.seen(asked, seen), self.heard(asked, heard)
        both = [at_sound + self.mean * heard.mean(1), at_sight + self.mean * seen.mean(1)]
        answer = self.answer((self.fuse(torch.cat(both, dim=1).tanh()) * asked).tanh())
        where = found.where.unflatten(0, (clips, -1))
        return Answers(answer, found.match, wrong, where, saw, heard_by, question)

    def extra_repr(self) -> str:
        """Shows the weight of the means."""
        return f"mean={self.mean}"


@shaped
def answer_loss(answer: Float[Tensor, "clip answer"], target: Int[Tensor, " clip"]) -> Float[Tensor, ""]:
    """Computes the cross-entropy of answers; a target that is none of them is left out."""
    known = target < answer.shape[1]
    kept = F.cross_entropy(answer, torch.where(known, target, -100), reduction="sum", ignore_index=-100)
    return kept / known.sum().clamp(min=1)


def answer_losses(outputs: Answers, target: Tensor, *, match: float = 0.5) -> dict[str, Tensor]:
    """Computes the loss terms of a system that answers: of answers, and of matches where it matches any.

    Args:
        outputs: Of the system.
        target: Indices of the true answers.
        match: Weight of the matches.
    """
    terms = {"answer": answer_loss(outputs.answer, target)}
    if len(outputs.wrong):
        terms["match"] = match * match_loss(outputs.right, outputs.wrong)
    return terms


def decode_answers(outputs: Answers) -> DecodedAnswers:
    """Returns the likeliest answers."""
    probabilities = outputs.answer.softmax(1)
    return DecodedAnswers(probabilities.argmax(1), probabilities, *outputs[3:])


def answer_alone(
    answer: Tensor,
    question: Tensor,
    segments: int,
    *,
    where: Tensor | None = None,
    seen: Tensor | None = None,
    heard: Tensor | None = None,
) -> Answers:
    """Returns the outputs of a system that matches nothing, and may lack more.

    Args:
        answer: Logits of the answers.
        question: Ids of the questions' words.
        segments: Segments of a clip.
        where: As of `Answers`.
        seen: As of `Answers`.
        heard: As of `Answers`.
    """
    unmatched, clips = answer.new_zeros(0, 2), answer.shape[0]
    no_token, no_segment = answer.new_zeros(clips, segments, 0), answer.new_zeros(clips, 0)
    return Answers(
        answer,
        unmatched,
        unmatched,
        no_token if where is None else where,
        no_segment if seen is None else seen,
        no_segment if heard is None else heard,
        question,
    )
