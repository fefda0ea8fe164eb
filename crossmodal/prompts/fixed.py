"""Fixed prompts: sentences of a template, with nothing to learn."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..encoders.towers import TextEncoder, Tokenizer


class FixedPrompts(nn.Module):
    """Speaks of every class in the words of a template.

    Plain numbers, so that a model on the meta device, a copy and a pickle keep them.
    """

    def __init__(self, ids: Tensor):
        """Keeps the sentences.

        Args:
            ids: Token ids `(class, position)`, as `template_tokens` returns them.
        """
        super().__init__()
        self.ids = tuple(map(tuple, ids.tolist()))

    def class_features(self, text: TextEncoder) -> Tensor:
        """Computes the features of all classes, `(class, feature)`, by the text tower."""
        weights = text.parameters() if isinstance(text, nn.Module) else iter(())
        return text(torch.tensor(self.ids, device=next(weights, torch.zeros(())).device))

    def extra_repr(self) -> str:
        """Shows the number of classes."""
        return f"classes={len(self.ids)}"


def template_tokens(tokenizer: Tokenizer, names: Sequence[str], template: str = "a photo of a {}.") -> Tensor:
    """Returns the ids of fixed sentences, one per class name, which stands where `template` has braces.

    Args:
        tokenizer: Of the text tower.
        names: Class names; underscores stay as they are.
        template: Sentence.

    Raises:
        ValueError: If the template has no place for a name, or there is no name.
    """
    if template.count("{}") != 1:
        raise ValueError(f"template_tokens: template={template!r} must hold one {{}}, where the class name goes.")
    if not names:
        raise ValueError("template_tokens: names is empty: give one class name at least.")
    return tokenizer([template.format(name) for name in names])
