"""A question alone: what a system knows that neither looks nor listens. It measures the bias of a data set.

On the built-in world it cannot beat chance, for every question there comes with each of its answers equally often.
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.heads.answers import Answers, answer_alone
from crossmodal.heads.questions import QuestionEncoder
from crossmodal.named_draws import drawn
from crossmodal.tasks.answer_system import AnswerInputs, FeatureAnswerer, answer_inputs
from crossmodal.tasks.settings import Settings

SETTINGS = Settings(
    optim={"lr": 1e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 80}, data={"batch_size": 64}, seed=1
)
"""Training of ST-AVQA; that of the published “Q” row is not known."""


class QuestionOnly(FeatureAnswerer):
    """Reads the question, and nothing of the features."""

    def __init__(
        self, features: AnswerInputs, classes: Sequence[str], question: Callable[[int, int], nn.Module], width: int
    ):
        """Builds the system; the arguments are those of `question_only`."""
        super().__init__(features, classes)
        self.question = drawn("question", question, len(vocabulary_words(classes, "question_only")), width)
        self.answer = drawn("answer", nn.Linear, width, len(classes))

    def score(self, tokens: Tensor, others: Tensor | None, audio: Tensor, question: Tensor) -> Answers:
        """Answers questions."""
        return answer_alone(self.answer(self.question(question).tanh()), question, tokens.shape[1])


def question_only(
    visual: str = "tiny",
    audio: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    width: int = 512,
    question: Callable[[int, int], nn.Module] = QuestionEncoder,
) -> QuestionOnly:
    """Builds the system; features are read as by `st_avqa`, and not used.

    Args:
        visual: Visual extractor.
        audio: Audio extractor.
        classes: Answers, with the words of the questions.
        width: Channels of the question.
        question: Builds the encoder of questions from the vocabulary's size and the width.
    """
    return QuestionOnly(answer_inputs(visual, audio), classes, question, width)
