"""Floor 1: attention, and the learned tokens between a guide and a stream."""

from .attend import attend as attend
