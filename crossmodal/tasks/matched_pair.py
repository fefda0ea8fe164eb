"""Coupled CLIP and CLAP: frames and sounds that guide each other, matched with class names by both text towers."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from crossmodal.cached_from_frozen import CachedWithoutGradients
from crossmodal.data import Clip, Preprocess
from crossmodal.data.shots import ShotClip
from crossmodal.encoders.towers import DualEncoder, Tower
from crossmodal.heads import MeanPooling
from crossmodal.heads.matched_clips import (
    ClipContrast,
    ScoreRule,
    Weighing,
    contrastive_losses,
    doubled_sum,
    exponentiated,
    matched_event_loss,
    weighed_dynamically,
)
from crossmodal.injection import Coupled, Lockstep, freeze
from crossmodal.named_draws import drawn
from crossmodal.prompts import FeatureAdapter, matched

from .coupled_system import CoupledSystem, Pair
from .matched_system import Matched, SpokenBy, spoken_of


class PairFeatures(NamedTuple):
    """Features of frames and sounds in the spaces of their text towers, not normalised."""

    visual: Float[Tensor, "clip segment feature"]
    audio: Float[Tensor, "clip segment audio_feature"]


class PairMatched(NamedTuple):
    """Outputs of coupled encoders: logits of every class in every second, and of every sound for every picture."""

    scores: Float[Tensor, "clip segment label"]
    contrast: Float[Tensor, "clip clip"]


class Reading(nn.Module):
    """Reads the final stream of a tower's encoder as features: pooling of its tokens, projection."""

    def __init__(self, tower: Tower):
        """Takes both from a tower.

        Args:
            tower: The tower; its encoder has another home.
        """
        super().__init__()
        self.pool, self.projection, self.features = tower.pool, tower.projection, tower.features

    def forward(self, stream: Tensor) -> Tensor:
        """Computes the features."""
        features: Tensor = self.projection(self.pool(stream))
        return features


class TextSide(nn.Module):
    """Features of classes by a frozen text tower, computed once while nothing of them learns."""

    def __init__(self, model: DualEncoder, prompts: nn.Module, adapter: nn.Module):
        """Takes the text tower of a dual encoder.

        Args:
            model: Whose text tower and scale are taken; frozen in place.
            prompts: Speak of the classes.
            adapter: Changes the features of classes before they are normalised.
        """
        super().__init__()
        self.text, self.prompts, self.adapter = freeze(model.text), prompts, adapter
        self.log_scale = nn.Parameter(model.log_scale.detach().clone(), requires_grad=False)
        self.cache = CachedWithoutGradients()

    def forward(self) -> Float[Tensor, "label feature"]:
        """Computes the features, or returns those that were computed."""
        prompts: Any = self.prompts
        known = prompts, getattr(prompts, "sentences", None)
        both = nn.ModuleList([self.text, prompts])
        features: Tensor = self.adapter(self.cache.get(both, lambda: prompts.class_features(self.text), *known))
        return features


class MatchedPair(CoupledSystem):
    """Coupled CLIP and CLAP on class names, as DG-SCT learns from few clips.

    Source: the few-shot code of Duan et al., *Cross-modal Prompts*, NeurIPS 2023.
    """

    def __init__(
        self,
        clip: DualEncoder,
        clap: DualEncoder,
        *,
        coupling: Callable[..., Lockstep],
        sound: nn.Module,
        preprocess: Preprocess,
        speak: SpokenBy,
        speak_of_sound: SpokenBy,
        classes: Sequence[str],
        adapter: Callable[[int], nn.Module] = FeatureAdapter,
        rule: ScoreRule = doubled_sum,
        weighing: Weighing = weighed_dynamically,
        audio_scale: Callable[[Tensor], Tensor] = exponentiated,
        sentence: Float[Tensor, " feature"] | None = None,
    ):
        """Couples the towers' encoders and puts prompts and adapters beside them.

        Args:
            clip: Image and text tower; frozen in place.
            clap: Sound and text tower; frozen in place.
            coupling: Couples the encoders of both towers.
            sound: Wave `(second, sample)` → input of the sound tower.
            preprocess: Size, rate and normalisation of the clips.
            speak: Builds CLIP's prompts of class names.
            speak_of_sound: Builds CLAP's.
            classes: Names of the classes, background included where it is one.
            adapter: Builds the adapters of frame and class features from their width.
            rule: Scores from the logits of frames and of sounds.
            weighing: Weighs the loss terms over epochs in training; on held-out clips their weights are one.
            audio_scale: Scale of CLAP's cosines from its stored logarithm; the released code takes the logarithm.
            sentence: Features of a sentence: the stream `text`, by which the coupling lets it guide both others.
        """
        freeze(clip.tower)
        freeze(clap.tower)
        lockstep = drawn("coupled", coupling, clip.tower.encoder, clap.tower.encoder)
        widths = clip.tower.encoder.sites[-1].width, clap.tower.encoder.sites[-1].width
        super().__init__(Pair(lockstep, widths, sound, preprocess), classes=classes, pool=MeanPooling)
        self.pooling = nn.ModuleDict({"visual": Reading(clip.tower), "audio": Reading(clap.tower)})
        self.speak, self.speak_of_sound = speak, speak_of_sound
        self.adapter = drawn("adapter", adapter, clip.tower.features)
        self.names = TextSide(
            clip, drawn("prompts", speak, classes), drawn("text adapter", adapter, clip.tower.features)
        )
        self.sound_names = TextSide(clap, speak_of_sound(classes), nn.Identity())
        self.contrast = drawn("contrast", ClipContrast, clip.tower.features)
        self.rule, self.weighing, self.audio_scale = rule, weighing, audio_scale
        self.epoch = 1
        self.sentence: Tensor | None
        self.register_buffer("sentence", sentence, persistent=False)  # told by the system's keywords

    def forward(self, batch: Clip | ShotClip) -> PairMatched:
        """Scores a batch of clips."""
        return self.score(*self.features_of(batch.frames, batch.wave))

    def features_of(self, frames: Tensor | None, wave: Tensor | None) -> PairFeatures:
        """Computes the features of every second of clips."""
        return PairFeatures(*self.pool(frames, wave))

    def stem_inputs(self, frames: Tensor | None, wave: Tensor | None) -> dict[str, Tensor | None]:
        """Returns the inputs of the lockstep's stems: those of frames and sounds, and the sentence for each of them."""
        inputs = super().stem_inputs(frames, wave)
        if self.sentence is None:
            return inputs
        seconds = next(len(given) for given in inputs.values() if given is not None)
        return {**inputs, "text": self.sentence.expand(seconds, -1)}

    def score(self, visual: Tensor, audio: Tensor) -> PairMatched:
        """Scores clips given by their features."""
        seen, heard = self.logits(visual, audio)
        scores = rearrange(self.rule(seen, heard), "(clip segment) label -> clip segment label", clip=visual.shape[0])
        return PairMatched(scores, self.contrast(visual, audio, self.names.log_scale.exp()))

    def logits(self, visual: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Computes the logits of frames and of sounds, `(second, label)` each."""
        seen = matched(self.adapter(visual.flatten(0, 1)), self.names(), self.names.log_scale.exp())
        heard = matched(audio.flatten(0, 1), self.sound_names(), self.audio_scale(self.sound_names.log_scale))
        return seen, heard

    def loss(self, outputs: PairMatched, batch: ShotClip) -> dict[str, Tensor]:
        """Returns the cross-entropies of the target and of pictures and sounds of the batch."""
        terms = {"event": matched_event_loss(outputs.scores, batch.target), **contrastive_losses(outputs.contrast)}
        return self.weighing(terms, self.epoch) if self.training else terms

    def begin_epoch(self, epoch: int) -> None:
        """Weighs the loss as of this epoch, counted from 0."""
        self.epoch = epoch + 1

    def predict(self, outputs: PairMatched) -> Matched:
        """Returns the logits."""
        return Matched(outputs.scores)

    def probabilities(self, outputs: PairMatched) -> Float[Tensor, "clip segment label"]:
        """Returns the probability of every class in every second."""
        return outputs.scores.softmax(-1)

    def use_classes(self, classes: Sequence[str]) -> None:
        """Makes the system match other names: open vocabulary.

        Args:
            classes: Names of the classes.
        """
        self.names.prompts = spoken_of(self.names.prompts, self.speak(classes))
        self.sound_names.prompts = spoken_of(self.sound_names.prompts, self.speak_of_sound(classes))
        self.classes = tuple(classes)

    def remarks(self) -> list[str]:
        """Returns nothing: both streams are read as their towers read them."""
        return []

    def _pool_stream(self, name: str, coupled: Coupled) -> Tensor:
        features: Tensor = self.pooling[name](self._final(name, coupled.streams[name]))
        return features

    def _final(self, name: str, stream: Tensor) -> Tensor:
        """Applies the head of either encoder: here HTS-AT's final norm is part of the model."""
        normed: Tensor = self.coupled.encoder(name).head(stream)
        return normed

    def _zeros(self, name: str, like: Tensor) -> Tensor:
        reading: Any = self.pooling[name]
        return like.new_zeros(len(like), reading.features)
