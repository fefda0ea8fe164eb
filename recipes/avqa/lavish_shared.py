"""LAVisH on audio-visual questions: one frozen image encoder sees frames and hears spectrograms given as pictures.

Source: Lin et al., *Vision Transformers are Parameter-Efficient Audio-Visual Learners*, CVPR 2023, and its released
code for MUSIC-AVQA: adapters of 64 latent tokens and four groups at both halves of every block, tokens projected to
512, and ST-AVQA's head. The published training trains the encoder's norms, too. Departure: a second of sound is
repeated to 1.95 s. It was never trained on the real MUSIC-AVQA here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor, nn

from crossmodal.adapters import Sized
from crossmodal.audio.fbank import FbankPicture
from crossmodal.data import Preprocess
from crossmodal.data.vocabulary import vocabulary_words
from crossmodal.data.world.questions import WORLD_QUESTIONS
from crossmodal.encoders.by_name import visual_backbone
from crossmodal.heads import MeanPooling, PoolFactory
from crossmodal.heads.answers import GroundedAnswers
from crossmodal.heads.grounding import SoundGrounding
from crossmodal.heads.questions import QuestionAttention, QuestionEncoder
from crossmodal.injection import freeze_all_but_norms
from crossmodal.named_draws import drawn
from crossmodal.recipes.avqa.released_adapters import many_latents, plain_bottleneck
from crossmodal.recipes.lavish import lavish_shared as couple_lavish_shared
from crossmodal.tasks.answer_system import CoupledAnswerer
from crossmodal.tasks.coupled_system import Pair
from crossmodal.tasks.settings import Settings
from crossmodal.tasks.sound_matching import grounding_stage, matching_of_clips

STAGES = (
    grounding_stage(
        matching_of_clips,
        Settings(optim={"lr": 1e-4, "decay": 0.1, "every": 8}, trainer={"max_epochs": 30}, data={"batch_size": 7}),
    ),
)
"""Training of the grounding: ST-AVQA's, from whose checkpoint the release starts."""
SETTINGS = Settings(
    optim={"lr": 8e-5, "decay": 0.1, "every": 8},
    trainer={"max_epochs": 30},
    data={"batch_size": 1},
    encoders=freeze_all_but_norms,
    seed=1,
)
"""Published training: Adam for everything and one rate, the encoder's norms included, batches of one, early stop after
three worse epochs (left to a callback). On tiny encoders the task's quick settings leave the norms frozen."""

RATE, STATISTICS = 16_000, (-5.38533, 3.59286)
"""Samples a second, and mean and standard deviation of the filter banks of MUSIC-AVQA."""


class SharedAnswerer(CoupledAnswerer):
    """A system whose two streams run through one encoder, and both through its last norm."""

    def _final(self, name: str, stream: Tensor) -> Tensor:
        """Applies the encoder's head to either stream."""
        found: Tensor = self.coupled.encoder(name).head(stream)
        return found


def lavish_shared(
    visual: str = "tiny",
    *,
    classes: Sequence[str] = WORLD_QUESTIONS,
    latents: Sized = many_latents,
    bottleneck: Sized = plain_bottleneck,
    pool: PoolFactory = MeanPooling,
    width: int = 512,
    grounder: Callable[[int, int], nn.Module] = SoundGrounding,
    question: Callable[[int, int], nn.Module] = QuestionEncoder,
    attention: Callable[[int], nn.Module] = QuestionAttention,
    share_clips: bool = False,
    visual_weights: str | Path | None = None,
) -> SharedAnswerer:
    """Builds the system on one encoder by name.

    Args:
        visual: Encoder of both streams: `tiny`, `swin_v2_l` (published), or another.
        classes: Answers, with the words of the questions.
        latents: Builds the latent tokens of an adapter from the width.
        bottleneck: Builds the bottleneck of an adapter from the width.
        pool: Builds the pooling of the sound over its tokens.
        width: Channels that tokens are projected to.
        grounder: Builds the grounding of sounds in frames from the audio width and the width.
        question: Builds the encoder of questions from the vocabulary's size and the width.
        attention: Builds the question's attention over segments from the width; called for either modality.
        share_clips: Whether questions about one clip run the encoder once in training, too; published, each runs it.
        visual_weights: File of weights, or `pretrained`; without it the encoder is random (save `tiny`).
    """
    sight = drawn("visual", visual_backbone, visual, weights=visual_weights)
    coupled = drawn("coupled", couple_lavish_shared, sight.encoder, latents=latents, bottleneck=bottleneck)
    sound = FbankPicture(sight.size, rate=RATE, statistics=STATISTICS)
    pair = Pair(coupled, (sight.width, sight.width), sound, Preprocess(sight.size, RATE, sight.mean, sight.std))
    head = drawn(
        "head",
        GroundedAnswers,
        sight.width,
        len(vocabulary_words(classes, "lavish_shared")),
        len(classes),
        width=width,
        grounder=grounder,
        question=question,
        attention=attention,
    )
    project = drawn("project", nn.Linear, sight.width, width)
    return SharedAnswerer(pair, head=head, project=project, classes=classes, pool=pool, share_clips=share_clips)
