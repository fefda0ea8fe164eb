"""Tables inside a page: all other text of the page stays, whatever it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.evaluation.page_marks import check_page, write_between

BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"
LINES = ("", "a chapter", f"Put it between `{BEGIN}` and `{END}`.", f"`{END}`", "<!-- other: begin -->", "    code")


@given(*[st.lists(st.sampled_from(LINES)).map("\n".join)] * 3, st.booleans())
def test_what_lies_outside_the_marks_stays(tmp_path_factory, before, between, behind, one_line):
    page = tmp_path_factory.mktemp("page") / "page.md"
    block = f"{BEGIN}{END}" if one_line else f"  {BEGIN} \n{between}\n{END}\t"
    page.write_text(f"{before}\n{block}\n{behind}")
    write_between(page, "compare", "| old |")
    write_between(page, "compare", "| new |")
    head, tail = block.split(BEGIN)[0], block.split(END)[-1]
    assert page.read_text() == f"{before}\n{head}{BEGIN}\n\n| new |\n\n{END}{tail}\n{behind}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{BEGIN}\n1\n{END}\nmiddle\n{BEGIN}\n2\n{END}\nlast", "begin --> 2 times and <!-- compare: end --> 2 times;"),
        (f"{BEGIN}\n{END}\nlast\n{END}", "begin --> 1 time and <!-- compare: end --> 2 times;"),
        (f"{END}\nmiddle\n{BEGIN}", "begin --> 1 time and <!-- compare: end --> 1 time, in the other order;"),
        (f"Between `{BEGIN}` and `{END}`.", "begin --> 0 times and <!-- compare: end --> 0 times;"),
        ("nothing", "it lacks <!-- compare: begin --> and <!-- compare: end -->"),
    ],
)
def test_a_page_without_exactly_one_place_is_refused_and_left(tmp_path, text, words):
    page = tmp_path / "page.md"
    page.write_text(text)
    for refused in (lambda: check_page(page, "compare"), lambda: write_between(page, "compare", "new")):
        with pytest.raises(ValueError, match=f"compare: .*page.md has no .*{words}"):
            refused()
    assert page.read_text() == text
