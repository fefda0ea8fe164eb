"""Class-aware grouping of both modalities: the parsing head of MGN, which DG-SCT takes over."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from ..encoders.halves import PreNorm
from ..shapes import check_width, shaped
from .grouping import Grouping, HardAssignment, QueryAttention, SoftAssignment, gelu_layers
from .parsing import Parsed


class ParsedByGroups(NamedTuple):
    """Outputs of `ClassGroups`: probabilities, and the category that each class token is taken for, as logits."""

    parsed: Parsed
    audio_tokens: Float[Tensor, "token category"]
    visual_tokens: Float[Tensor, "token category"]


class OnePlusSoftmax(nn.Module):
    """Returns 1 plus the softmax over time, as the released codes do.

    The factors of ten segments lie between 1.039 and 1.232. So a category of probability 0.4811 is on in every segment,
    one below 0.4058 in none, and little of an event's extent is predicted.

    Shapes: `(clip, segment, category)` → the same.
    """

    @shaped
    def forward(self, membership: Float[Tensor, "clip segment category"]) -> Float[Tensor, "clip segment category"]:
        """Computes the factors."""
        return 1 + membership.softmax(1)


class AsAssigned(nn.Module):
    """Returns the memberships themselves: MGN's paper, and its code where the assignment is hard.

    Shapes: `(clip, segment, category)` → the same.
    """

    @shaped
    def forward(self, membership: Float[Tensor, "clip segment category"]) -> Float[Tensor, "clip segment category"]:
        """Returns the factors."""
        return membership


class TokenBlock(nn.Module):
    """Pre-norm transformer block: self-attention, then an MLP."""

    def __init__(self, width: int, *, heads: int = 8, drop_path: float = 0.1):
        """Builds the block; the defaults are the published numbers.

        Args:
            width: Channels of the tokens.
            heads: Attention heads.
            drop_path: Share of clips whose residual is left out in training.
        """
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), QueryAttention(width, heads)
        self.drop = StochasticDepth(drop_path, "row")
        self.mlp = PreNorm(gelu_layers(width, 4 * width), width, drop_path=drop_path)

    @shaped
    def forward(self, tokens: Float[Tensor, "clip token width"]) -> Float[Tensor, "clip token width"]:
        """Transforms the tokens."""
        normed = self.norm(tokens)
        return self.mlp(tokens + self.drop(self.attention(normed, normed)))


class ClassGroups(nn.Module):
    """Parses a clip by one token for each category and modality, which gathers the segments that belong to it.

    Each modality's segments and class tokens pass through transformer blocks; audio segments are grouped around the
    visual ones; then each modality's segments are grouped into categories, and both modalities' categories once more.

    Shapes: audio and visual `(clip, segment, width)` → `ParsedByGroups`.
    Source: Mo and Tian, NeurIPS 2022 (MGN), its released code; DG-SCT's parsing head is the same.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        *,
        segments: int = 10,
        depths: tuple[int, int, int] = (3, 3, 6),
        heads: int = 8,
        drop_path: float = 0.1,
        assignment: Callable[[], nn.Module] = SoftAssignment,
        across: Callable[[], nn.Module] = HardAssignment,
        joint: Callable[[], nn.Module] = SoftAssignment,
        extent: Callable[[], nn.Module] = OnePlusSoftmax,
    ):
        """Builds the head; the defaults are the published numbers.

        Args:
            width: Channels of both modalities.
            classes: Number of categories.
            segments: Seconds of a clip: the grouping across modalities mixes them by number.
            depths: Transformer blocks on audio, visual and joint tokens.
            heads: Attention heads.
            drop_path: Share of clips whose residual a block leaves out in training.
            assignment: Makes the assignment of segments to categories.
            across: Makes that of audio to visual segments; in the released code the opposite of `assignment`.
            joint: Makes that of visual categories to audio categories.
            extent: Makes the factor of a segment in a category's probability.
        """
        super().__init__()
        self.segments, self.extent = segments, extent()
        blocks = [[TokenBlock(width, heads=heads, drop_path=drop_path) for _ in range(depth)] for depth in depths]
        self.audio_trunk, self.visual_trunk, self.joint_trunk = (nn.Sequential(*part) for part in blocks)
        grouping = partial(Grouping, width, heads=heads)
        self.across = grouping(segments, assignment=across)
        self.audio_groups, self.visual_groups = (grouping(classes, assignment=assignment) for _ in range(2))
        self.joint_groups = grouping(classes, assignment=joint)
        self.clip, self.audio, self.visual = (nn.Linear(width, 1) for _ in range(3))
        self.token_class = nn.Linear(width, classes)
        self.apply(small_normal)
        self.audio_tokens, self.visual_tokens = (nn.Parameter(torch.zeros(classes, width)) for _ in range(2))

    @shaped
    def forward(
        self, audio: Float[Tensor, "clip segment width"], visual: Float[Tensor, "clip segment width"]
    ) -> ParsedByGroups:
        """Computes probabilities of segments and clips, and the class tokens' logits."""
        check_width(self, "audio", audio, self.clip.in_features)
        if audio.shape[1] != self.segments:
            raise ValueError(
                f"ClassGroups: the clips have {audio.shape[1]} segments, but the head was built for segments="
                f"{self.segments}: pad or cut them."
            )
        seen, seen_tokens = self._with_tokens(self.visual_trunk, visual, self.visual_tokens)
        heard, heard_tokens = self._with_tokens(self.audio_trunk, audio, self.audio_tokens)
        by_sight = self.visual_groups(seen, seen_tokens)
        by_sound = self.audio_groups(self.across(heard, visual).groups, heard_tokens)
        both = self.joint_groups(*self._with_tokens(self.joint_trunk, by_sound.groups, by_sight.groups))
        of_audio, of_visual = self.audio(by_sound.groups).sigmoid(), self.visual(by_sight.groups).sigmoid()
        parsed = Parsed(
            self.clip(both.groups).sigmoid().squeeze(2),
            of_audio.squeeze(2),
            of_visual.squeeze(2),
            of_audio.mT * self.extent(by_sound.membership),
            of_visual.mT * self.extent(by_sight.membership),
        )
        return ParsedByGroups(parsed, self.token_class(self.audio_tokens), self.token_class(self.visual_tokens))

    @staticmethod
    def _with_tokens(trunk: nn.Module, segments: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Runs a trunk over segments and class tokens, of all clips or of each, together, and returns both."""
        both = trunk(torch.cat([segments, tokens.expand(segments.shape[0], -1, -1)], dim=1))
        return both[:, : segments.shape[1]], both[:, segments.shape[1] :]


def small_normal(part: nn.Module) -> None:
    """Draws the weights of a linear layer as ViTs do: a truncated normal of deviation 0.02, biases zero."""
    if isinstance(part, nn.Linear):
        nn.init.trunc_normal_(part.weight, std=0.02)
        nn.init.zeros_(part.bias)


def class_token_losses(outputs: ParsedByGroups) -> dict[str, Tensor]:
    """Returns the cross-entropies by which token number *k* of either modality becomes that of category *k*."""
    own = torch.arange(len(outputs.audio_tokens), device=outputs.audio_tokens.device)
    return {
        "audio_tokens": F.cross_entropy(outputs.audio_tokens, own),
        "visual_tokens": F.cross_entropy(outputs.visual_tokens, own),
    }
