"""A full disk ends a run in one sentence, and leaves the last good checkpoint to go on from."""

import pytest
from commands import SMALL
from forked import Forked
from safetensors.torch import load_file

from crossmodal.io import write_whole
from crossmodal.training.checkpoint_io import WholeFiles
from crossmodal.training.run_folder import claimed_run, find_place


def test_a_run_whose_disk_is_full_goes_on_once_there_is_room(lab, tmp_path):
    run = tmp_path / "runs/full"
    last = run / "checkpoints/last.ckpt"
    with Forked() as forked:

        def fit(*words, **limits):
            code = forked(tmp_path, "ave", "fit", "--name", "full", *words, **limits)
            return code, beside_remarks((tmp_path / "said").read_text())

        none = one_line("full", "there is none before it")
        assert fit(*SMALL, "--save_minutes=0", largest_file=1_000_000) == (1, none)
        assert not last.exists()
        assert fit("--resume=true", "--save_minutes=10", "--trainer.max_epochs=1")[0] == 0
        kept = last.read_bytes()
        more = ["--resume=true", "--trainer.max_epochs=2", "--save_minutes=0"]
        assert fit(*more, largest_file=1_000_000) == (1, one_line("full", "the checkpoint before it is whole"))
        assert last.read_bytes() == kept
        assert not list(run.rglob(".*"))
        assert fit(*more)[0] == 0
    ours, other = (load_file(folder / "adapters.safetensors") for folder in (run, lab[0] / "runs/first"))
    assert all((ours[name] == other[name]).all() for name in other)


def beside_remarks(said):
    """What a run says, but for what it says of its system."""
    return "".join(line for line in said.splitlines(keepends=True) if not line.startswith("system "))


def one_line(name, kept):
    """What a run says whose checkpoint does not fit."""
    return (
        "crossmodal ave fit: system dg_sct, on the built-in world (seed 0, 4 training clips): procedural clips, no real"
        f" data; run runs/{name}\ncrossmodal: runs/{name}/checkpoints/last.ckpt cannot be written: File too large; "
        f"make room there, or choose another folder ({kept}); go on with: "
        f"crossmodal ave fit --runs runs --name {name} --resume true\n"
    )


def test_a_file_that_cannot_be_written_is_named_and_left_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "metrics.csv"
    write_whole(file, b"before")
    monkeypatch.setattr("os.fsync", raising(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"metrics.csv cannot be written: No space left on device; make room there"):
        write_whole(file, b"after")
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_checkpoint_folder_that_cannot_be_made_is_named(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").write_text("in the way")
    with pytest.raises(OSError, match=r"checkpoints.*there is none before"):
        WholeFiles().save_checkpoint({}, run / "checkpoints/last.ckpt")


def test_what_a_kill_left_half_written_is_cleared_away_and_nothing_else(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    half = [run / ".part-12.config.yaml", run / "checkpoints/.part-12.last.ckpt"]
    for file in (*half[:1], run / "checkpoints/last.ckpt"):
        file.write_text("")
    with pytest.raises(FileExistsError, match="exists: choose another --name"):
        find_place(tmp_path, "run", resume=False)
    (run / "checkpoints/last.ckpt").rename(half[1])
    half[1].rename(run / half[1].name)
    (run / "checkpoints").rmdir()
    assert find_place(tmp_path, "run", resume=False) == run  # killed before its first file was whole
    with claimed_run(tmp_path, "run", resume=False) as claimed:
        assert claimed == run
        assert not list(run.iterdir())
        (run / "notes.txt").write_text("mine")
    assert [file.name for file in run.iterdir()] == ["notes.txt"]


def raising(error):
    def fail(*_):
        raise error

    return fail
