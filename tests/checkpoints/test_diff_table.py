"""Tables of differences: long cells are cut to where they part."""

from crossmodal.checkpoints.diff_table import MAX_WIDTH, Difference, diff_table, flatten


def test_nested_entries_have_dotted_names():
    header = {"recipe": "mine", "arguments": {"guide": {"name": "true"}, "edges": None, "none": {}}}
    assert flatten(header) == {
        "recipe": "mine",
        "arguments.guide.name": "true",
        "arguments.edges": None,
        "arguments.none": {},
    }


def test_long_cells_begin_just_before_they_part_and_fit_a_column():
    same = "a" * 100
    lines = diff_table(
        "title", [Difference("classes", f"'{same}bell{same}'", f"'{same}bark{same}'"), Difference("size", "1", None)]
    )
    _, there, here = lines.splitlines()[2].split()
    assert there.startswith("…aaaaaaabella")
    assert here.startswith("…aaaaaaabarka")
    assert len(there) == len(here) == MAX_WIDTH
    assert lines.splitlines()[3].split() == ["size", "1", "missing"]


def test_columns_line_up_and_the_rest_is_counted():
    rows = [Difference(f"name{number}", "1" * (number % 5), "2") for number in range(50)]
    lines = diff_table("title", rows).splitlines()
    starts = {line.rindex("  ") for line in lines[2:-1]}
    assert len(starts) == 1
    assert lines[0] == "title"
    assert lines[-1] == "  … and 30 more"
