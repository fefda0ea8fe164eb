"""The picture of the docs can be drawn anew."""

from pathlib import Path

from crossmodal.evaluation.draw_world import main

PNG = b"\x89PNG"


def test_the_command_draws_a_picture_and_nothing_else(tmp_path):
    main([str(tmp_path / "clip.png"), "--index", "3"])
    assert (tmp_path / "clip.png").read_bytes()[:4] == PNG
    assert len(list(tmp_path.iterdir())) == 1


def test_the_docs_show_such_a_picture():
    page = Path(__file__).parents[2] / "docs/blocks"
    assert "python -m crossmodal.evaluation.draw_world" in (page / "world.md").read_text(encoding="utf-8")
    assert (page / "world.png").read_bytes()[:4] == PNG
