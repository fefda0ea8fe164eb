"""Floor 4: prompt learners over frozen image-text encoders, and adapters of their features."""

from .conditional import ConditionalPrompts as ConditionalPrompts
from .deep import DeepPrompts as DeepPrompts
from .deep import DeepTokens as DeepTokens
from .deep import inserted_between as inserted_between
from .feature_adapter import FeatureAdapter as FeatureAdapter
from .fixed import FixedPrompts as FixedPrompts
from .fixed import template_tokens as template_tokens
from .layouts import PromptLayout as PromptLayout
from .layouts import at_end as at_end
from .layouts import at_front as at_front
from .layouts import in_middle as in_middle
from .matching import matched as matched
from .sentences import Sentences as Sentences
from .sentences import sentences as sentences
from .static import ContextFactory as ContextFactory
from .static import PromptVectors as PromptVectors
from .static import StaticPrompts as StaticPrompts
from .static import context_from_words as context_from_words
from .static import context_per_class as context_per_class
from .static import shared_context as shared_context
from .visual import VisualEntry as VisualEntry
from .visual import added_to_tokens as added_to_tokens
from .visual import appended_tokens as appended_tokens
from .visual import block_widths as block_widths
from .visual import entry_of as entry_of
