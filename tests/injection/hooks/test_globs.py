from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.injection.hooks.globs import fill, match, near

parts = st.text("ab1_", min_size=1, max_size=3)
names = st.lists(parts, min_size=1, max_size=4).map(".".join)
patterns = st.lists(st.text("ab1_*?", min_size=1, max_size=3), min_size=1, max_size=4).map(".".join)


def matches_part_by_part(pattern, name):
    """`fnmatch` on every part, the slow way; here a star stands for at least one character."""
    pattern, name = pattern.split("."), name.split(".")
    return len(pattern) == len(name) and all(
        fnmatchcase(n, p.replace("*", "?*")) for p, n in zip(pattern, name, strict=True)
    )


@given(patterns.filter(lambda pattern: "**" not in pattern), st.lists(names, unique=True, max_size=6))
def test_stars_and_question_marks_match_within_a_part(pattern, names):
    assert list(match(pattern, names)) == [name for name in names if matches_part_by_part(pattern, name)]


@given(patterns, names)
def test_what_the_wildcards_stand_for_fills_the_pattern_to_the_name(pattern, name):
    for found, stand_for in match(pattern, [name]).items():
        assert fill(pattern, stand_for) == found == name


def test_two_stars_match_across_dots():
    names = ["mlp", "layers.0.mlp", "layers.0.blocks.1.mlp", "layers.0.mlp.fc1"]
    assert list(match("layers.**.mlp", names)) == names[1:3]
    assert list(match("layers.*.mlp", names)) == names[1:2]


def test_dots_are_dots():
    assert match("a.b", ["a.b", "axb"]) == {"a.b": ()}


def test_wildcards_are_filled_in_order():
    stand_for = match("layers.*.blocks.*", ["layers.2.blocks.11"])["layers.2.blocks.11"]
    assert fill("layers.*.blocks.*.mlp", stand_for) == "layers.2.blocks.11.mlp"
    assert fill("layers.*.norm", stand_for) == "layers.2.norm"


def test_more_wildcards_than_the_pattern_has_are_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"reads='a.\*.b.\*' has 2 wildcards, but .* has 1"):
        fill("a.*.b.*", ("0",))


def test_near_misses_come_first():
    assert near("layer.2.block", ["head", "layers.2.blocks", "stem"]).startswith("nearest are 'layers.2.blocks'")
    assert near("x", []) == "there are none"
