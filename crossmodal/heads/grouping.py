"""Grouping: segments are assigned to group tokens, which become one vector for every category."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from ..shapes import check_width, shaped


class Grouped(NamedTuple):
    """Group vectors, and to which degree each token belongs to each group."""

    groups: Float[Tensor, "clip group width"]
    membership: Float[Tensor, "clip token group"]


class SoftAssignment(nn.Module):
    """Assigns every token to all groups, by a softmax over the groups."""

    @shaped
    def forward(self, scores: Float[Tensor, "clip group token"]) -> Float[Tensor, "clip group token"]:
        """Computes the assignment."""
        return scores.softmax(1)


class HardAssignment(nn.Module):
    """Assigns every token to its best group; gradients pass as through a softmax, and training adds Gumbel noise."""

    @shaped
    def forward(self, scores: Float[Tensor, "clip group token"]) -> Float[Tensor, "clip group token"]:
        """Computes the assignment."""
        soft = (scores + gumbel_noise(scores) if self.training else scores).softmax(1)
        return best_group(soft) - soft.detach() + soft


def gumbel_noise(like: Tensor) -> Tensor:
    """Draws standard Gumbel noise of a tensor's shape."""
    return -torch.empty_like(like).exponential_().log()


def best_group(scores: Float[Tensor, "clip group token"]) -> Float[Tensor, "clip group token"]:
    """Returns 1 for the group of the largest score of every token, 0 for the others."""
    return torch.zeros_like(scores).scatter_(1, scores.argmax(1, keepdim=True), 1.0)


class QueryAttention(nn.Module):
    """Attends from queries to a memory, with a projection each for queries, keys, values and outputs.

    Shapes: queries `(clip, query, width)`, memory `(clip, step, width)` → `(clip, query, width)`.
    """

    def __init__(self, width: int, heads: int):
        """Builds the projections.

        Args:
            width: Channels of queries and memory.
            heads: Attention heads; must divide `width`.

        Raises:
            ValueError: If it does not.
        """
        super().__init__()
        if width % heads:
            raise ValueError(f"QueryAttention: heads={heads} must divide width={width}.")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    @shaped
    def forward(
        self, queries: Float[Tensor, "clip query width"], memory: Float[Tensor, "clip step width"]
    ) -> Float[Tensor, "clip query width"]:
        """Computes the attended values."""
        check_width(self, "queries", queries, self.query.in_features)
        split = (self.query(queries), self.key(memory), self.value(memory))
        by_head = (rearrange(part, "b n (h c) -> b h n c", h=self.heads) for part in split)
        return self.out(rearrange(F.scaled_dot_product_attention(*by_head), "b h n c -> b n (h c)"))


def gelu_layers(channels: int, hidden: int) -> nn.Sequential:
    """Builds two linear layers with an exact GELU between them."""
    return nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))


class Grouping(nn.Module):
    r"""Computes one vector for every group from the tokens that are assigned to it.

    The groups mix among each other and read the tokens; then, with scores $R = q(g) k(x)^\top / \sqrt{d}$ and the
    assignment $S$ over the groups, $n = W (S / (1 + \sum_x S)\, v(x)) + g$ and the result is $n + \mathrm{MLP}(n)$.

    Shapes: tokens `(clip, token, width)`, groups `(clip, group, width)` → `Grouped`.
    Source: Mo and Tian, *Multi-modal Grouping Network*, NeurIPS 2022 (MGN), and its released code, after GroupViT. Its
    paper divides by $\sum_x S$ alone, which is undefined for a group without tokens.
    """

    def __init__(
        self, width: int, groups: int, *, heads: int = 8, assignment: Callable[[], nn.Module] = SoftAssignment
    ):
        """Builds the block; the defaults are the published numbers.

        Args:
            width: Channels of tokens and groups.
            groups: Number of groups.
            heads: Attention heads of the groups' reading of the tokens.
            assignment: Makes the assignment: `SoftAssignment` or `HardAssignment`.
        """
        super().__init__()
        self.groups, self.assignment = groups, assignment()
        self.token_norm, self.group_norm, self.mixed_norm, self.read_norm = (nn.LayerNorm(width) for _ in range(4))
        self.mix = gelu_layers(groups, width // 2)
        self.attention = QueryAttention(width, heads)
        self.read = nn.Sequential(nn.LayerNorm(width), gelu_layers(width, 4 * width))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.refine = nn.Sequential(nn.LayerNorm(width), gelu_layers(width, 4 * width))

    @shaped
    def forward(self, tokens: Float[Tensor, "clip token width"], groups: Float[Tensor, "clip group width"]) -> Grouped:
        """Computes the groups."""
        check_width(self, "tokens", tokens, self.query.in_features)
        if groups.shape[1] != self.groups:
            raise ValueError(
                f"Grouping: groups holds {groups.shape[1]} tokens, but was built for groups={self.groups}."
            )
        tokens, groups = self.token_norm(tokens), self.group_norm(groups)
        groups = self.mixed_norm(self.mix(groups.mT).mT)
        groups = groups + self.attention(groups, tokens)
        groups = self.read_norm(groups + self.read(groups))
        scores = self.query(groups) @ self.key(tokens).mT / groups.shape[2] ** 0.5
        assigned = self.assignment(scores)
        joined = self.out((assigned / (1 + assigned.sum(2, keepdim=True))) @ self.value(tokens)) + groups
        return Grouped(joined + self.refine(joined), assigned.mT)
