"""An encoder cut into sections: stem, sections, head, and a site after the stem and after each section."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from ..printing import compact_repr
from ..site import Site


def module_key(name: str) -> str:
    """Returns the key under which a dotted name is registered: `stages.2.5.attention` → `stages2_5_attention`."""
    head, _, rest = name.partition(".")
    return head + rest.replace(".", "_")  # a ModuleDict takes no dots in its keys


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Returns the sentence for a name that does not exist, with near misses."""
    known = list(known)
    # some of them show at least what names look like
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    return f"{what} {name!r} does not exist; nearest: {', '.join(map(repr, near))} (of {len(known)})."


class Encoder(nn.Module):
    """A model cut where residuals may be added: `head(sections(stem(x)))` equals the original.

    Sections are registered under `module_key(name)`. A lockstep calls stem and sections one by one and never the
    encoder: a hook on the encoder runs only where the encoder itself is called, one on a section always.
    """

    def __init__(self, stem: nn.Module, sections: Mapping[str, nn.Module], head: nn.Module, sites: Sequence[Site]):
        """Puts the pieces together.

        Args:
            stem: Input → stream `(frame, token, channel)`.
            sections: Name → stream-to-stream module, in order. Half-blocks and merges are sections of their own.
            head: The part of the original after its last section (final norm; no classifier).
            sites: One after the stem, named `"stem"`, then one per section, named as it.

        Raises:
            ValueError: If sites and sections do not match, or two sections share a key.
        """
        super().__init__()
        names, expected = [site.name for site in sites], ["stem", *sections]
        if names != expected:
            raise ValueError(
                f"Encoder: sites must be named {expected[:3]}… as stem and sections are; got {names[:3]}…."
            )
        keys = [module_key(name) for name in sections]
        if len(set(keys)) != len(keys):
            raise ValueError(f"Encoder: two sections share a key; section names {list(sections)} must stay different.")
        self.stem = stem
        self.sections = nn.ModuleDict(dict(zip(keys, sections.values(), strict=True)))
        self.head = head
        self.sites = tuple(sites)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sections, in order."""
        return tuple(site.name for site in self.sites[1:])

    def section(self, name: str) -> nn.Module:
        """Returns the section of that name; raises `KeyError` with near misses where there is none."""
        key = module_key(name)
        if key not in self.sections:
            raise KeyError(unknown("section", name, self.names))
        return self.sections[key]

    def site(self, name: str) -> Site:
        """Returns the site after the section of that name, or after `"stem"`; raises `KeyError` with near misses."""
        for site in self.sites:
            if site.name == name:
                return site
        raise KeyError(unknown("site", name, (site.name for site in self.sites)))

    def before(self, name: str) -> Site:
        """Returns the site at which the section of that name starts; raises `KeyError` with near misses."""
        if name not in self.names:
            stem = " (the stem starts at no site: it takes the input)" if name == "stem" else ""
            raise KeyError(unknown("section", name, self.names) + stem)
        return self.sites[self.names.index(name)]

    def forward(self, x: Tensor) -> Tensor:
        """Computes the output of the original model."""
        stream = self.stem(x)
        for section in self.sections.values():
            stream = section(stream)
        return self.head(stream)

    def extra_repr(self) -> str:
        """Returns the numbers that `print` shows."""
        sizes = dict.fromkeys(f"{site.tokens} x {site.width}" for site in self.sites)
        return f"tokens x width: {', '.join(sizes)}"

    def __repr__(self) -> str:
        return compact_repr(self)
