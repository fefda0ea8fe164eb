"""The measures of the house stay within their bounds; `python -m tests.measures` prints them all."""

import pytest
from measures import measures, opens_with_noun


@pytest.fixture(scope="module")
def found():
    return measures()


def test_recipes_are_most_of_recipes(found):
    assert found.recipe_share >= 0.7, found.recipes_excluded


def test_a_public_name_stands_in_one_file(found):
    assert len(found.names_in_two_files) <= 5, found.names_in_two_files


def test_docstrings_open_with_a_verb(found):
    assert found.noun_share <= 0.1, found.nouns


def test_files_and_forwards_are_short(found):
    _, ninth, most = found.file_lines
    assert ninth <= 250
    assert most <= 300
    assert found.forward_lines[1] <= 20


@pytest.mark.parametrize(
    ("text", "noun"),
    [
        ("Computes the map.", False),
        ("Return the map.", False),
        ("Tries again.", False),
        ("Undoes it.", False),
        ("Counts of frames.", True),
        ("What a call looks like.", True),
        ("The map of a frame.", True),
        ("`(frame, channel)` → `(frame,)`.", True),
        ("", True),
    ],
)
def test_verbs_are_told_from_nouns(text, noun):
    assert opens_with_noun(text) == noun
