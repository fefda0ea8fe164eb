"""A cell of a CSV is never a formula, and is read back as it was; numbers stay numbers."""

import html
import io
import re

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmodal.data.table_cell import csv_text, in_markdown, plain_cell, safe_cell

TEXTS = st.text(st.sampled_from("=+-@'\t(|!ab 1"), max_size=6)


@given(TEXTS)
def test_a_cell_is_no_formula_and_comes_back(text):
    cell = safe_cell(text)
    assert not cell.startswith(("=", "@", "\t", "\r"))
    assert not (cell.startswith(("+", "-")) and set(cell) & set("(|!=@"))
    assert plain_cell(cell) == text


WORDS = {
    "dg_sct": "dg_sct",
    "a $k$ b $": r"a \$k\$ b \$",
    "<b>loud</b>": "&lt;b>loud&lt;/b>",
    "*x* _y_ `z`": r"\*x\* \_y\_ \`z\`",
    "Frying_(food), cat": r"Frying\_(food), cat",
    "[a](b) +1.0 [+0.5, +2.0]": r"[a\](b) +1.0 [+0.5, +2.0]",
}


@pytest.mark.parametrize("text", WORDS)
def test_markdown_shows_a_text_as_it_is(text):
    assert in_markdown(text) == WORDS[text]
    markdown = pytest.importorskip("markdown")
    shown = re.sub("<[^>]*>", "", markdown.markdown(in_markdown(text).replace(r"\$", "$")))
    assert html.unescape(shown) == text


def test_ids_that_begin_with_a_dash_and_numbers_stay_as_they_are():
    frame = pandas.DataFrame({"clip": ["-_x0-Az", "+1", "=1+1"], "value": [-0.5, 1.0, 2.0]})
    assert csv_text(frame) == "clip,value\n-_x0-Az,-0.5\n+1,1.0\n'=1+1,2.0\n"
    back = pandas.read_csv(io.StringIO(csv_text(frame)), dtype={"clip": str})
    assert back["clip"].map(plain_cell).tolist() == frame["clip"].tolist()
