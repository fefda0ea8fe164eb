"""Parser of options whose values may be components of a user's own, without type hints if need be."""

import inspect
from typing import Any

from jsonargparse import ArgumentParser


class ComponentParser(ArgumentParser):
    """Parser that takes the place of jsonargparse's, which makes the parsers of components of the same class.

    A factory such as `Callable[[int, int], nn.Module]` gives its first arguments itself, so that a component need not
    say their types. Where it replaces another one of a file, jsonargparse looks at its arguments before it knows that,
    and would refuse those without a type.
    """

    def add_class_arguments(
        self, theclass: Any, nested_key: str | None = None, *rest: Any, **options: Any
    ) -> list[str]:
        """Adds the arguments of a class, as jsonargparse does."""
        looked_at = nested_key is None and not options.get("skip")  # a component, of which nothing is given yet
        added: list[str] = super().add_class_arguments(
            theclass, nested_key, *rest, **options | ({"fail_untyped": False} if looked_at else {})
        )
        if looked_at:  # jsonargparse takes `None` for them: what must be given must be given
            parameters = inspect.signature(theclass).parameters.values()
            bare = {each.name for each in parameters if each.annotation is each.default is inspect.Parameter.empty}
            for action in self._actions:
                action.required = action.required or action.dest in bare
        return added
