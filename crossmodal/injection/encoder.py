"""An encoder cut into sections: stem, sections, head, and a site after the stem and after each section."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from ..printing import compact_repr
from ..site import Site


def module_key(name: str) -> str:
    """The key under which a dotted name is registered: `stages.2.5.attention` → `stages2_5_attention`."""
    head, _, rest = name.partition(".")
    return head + rest.replace(".", "_")


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that nobody knows, with near misses."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:3]
    return f"{what} {name!r} does not exist; nearest: {', '.join(map(repr, near))} (of {len(known)})."


class Encoder(nn.Module):
    """A model cut where residuals may be added: `head(sections(stem(x)))` equals the original.

    - `stem`: input → stream `(frame, token, channel)`.
    - `sections`: name → stream-to-stream module, in order. Half-blocks and merges are sections of their own.
    - `head`: what the original does after its last section (final norm; no classifier).
    - `sites`: one after the stem, named `"stem"`, then one per section, named as it.

    Sections are registered under `module_key(name)`. Raises `ValueError` where sites and sections do not match.
    """

    def __init__(self, stem: nn.Module, sections: Mapping[str, nn.Module], head: nn.Module, sites: Sequence[Site]):
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
        """Names of the sections, in order."""
        return tuple(site.name for site in self.sites[1:])

    def section(self, name: str) -> nn.Module:
        """The section of that name; `KeyError` with near misses where there is none."""
        key = module_key(name)
        if key not in self.sections:
            raise KeyError(unknown("section", name, self.names))
        return self.sections[key]

    def site(self, name: str) -> Site:
        """The site after the section of that name, or `"stem"`; `KeyError` with near misses."""
        for site in self.sites:
            if site.name == name:
                return site
        raise KeyError(unknown("site", name, (site.name for site in self.sites)))

    def before(self, name: str) -> Site:
        """The site at which the section of that name starts."""
        return self.sites[self.names.index(self.site(name).name)]

    def forward(self, x: Tensor) -> Tensor:
        """What the original model computes from `x`."""
        stream = self.stem(x)
        for section in self.sections.values():
            stream = section(stream)
        return self.head(stream)

    def extra_repr(self) -> str:
        sizes = dict.fromkeys(f"{site.tokens} x {site.width}" for site in self.sites)
        return f"tokens x width: {', '.join(sizes)}"

    def __repr__(self) -> str:
        return compact_repr(self)
