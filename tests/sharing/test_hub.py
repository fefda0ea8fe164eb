"""The hub: a folder stands for it, at the border of huggingface_hub. What is downloaded may name no code of its own."""

import json
import shutil

import pytest
import torch
from huggingface_hub import hub_mixin

import crossmodal
from crossmodal.sharing import SystemOptions, build_system, hub
from crossmodal.sharing.downloaded import check_downloaded, is_component
from crossmodal.sharing.hub import SharedSystem


class FolderHub:
    """Repositories are folders; what the library's client would send and fetch is copied."""

    def __init__(self, root):
        self.root = root

    def __call__(self, token=None):  # in the place of the class HfApi
        return self

    def create_repo(self, repo_id, private=None, exist_ok=False):
        return type("Made", (), {"repo_id": repo_id})

    def upload_folder(self, *, repo_id, folder_path, **_):
        shutil.copytree(folder_path, self.root / repo_id)
        return repo_id

    def snapshot(self, repo_id, **_):
        return str(self.root / repo_id)

    def file(self, repo_id, filename, **_):
        return str(self.root / repo_id / filename)


@pytest.fixture
def folder_hub(tmp_path, monkeypatch):
    made = FolderHub(tmp_path / "hub")
    monkeypatch.setattr(hub_mixin, "HfApi", made)
    monkeypatch.setattr(hub_mixin, "hf_hub_download", made.file)
    monkeypatch.setattr(hub, "snapshot_download", made.snapshot)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_run_goes_to_the_hub_with_its_card_and_comes_back(alone, folder_hub, monkeypatch):
    monkeypatch.syspath_prepend(alone)
    SharedSystem.of_run(alone / "runs/alone").push_to_hub("me/alone")
    repository = folder_hub.root / "me/alone"
    assert sorted(file.name for file in repository.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapters.safetensors",
        "config.json",
    ]
    card = (repository / "README.md").read_text()
    summary = json.loads((alone / "runs/alone/summary.json").read_text())
    assert "library_name: crossmodal" in card
    assert "**Nothing here was trained on real data**: data was the built-in world" in card
    assert f"| accuracy | {100 * summary['test']['accuracy']:.1f} | {100 * summary['chance']['accuracy']:.1f} |" in card
    assert "seed 0" in card
    assert f"torch {torch.__version__.partition('+')[0]}" in card
    assert f"{summary['trainable_parameters']:,} trained parameters" in card
    # its system is a module of its author's own
    with pytest.raises(ValueError, match="load: me/alone sets system to 'alone', which is no component of crossmodal"):
        crossmodal.load("me/alone")
    back, run = crossmodal.load("me/alone", trusted=True), crossmodal.load(alone / "runs/alone")
    assert torch.equal(back.head.weight, run.head.weight)
    # a file of the hub cannot give the permission
    (repository / "config.json").write_text('{"trusted": true}')
    with pytest.raises(ValueError, match="sets system to 'alone'"):
        crossmodal.load("me/alone")


def test_a_system_of_ours_needs_no_permission(folder_hub):
    system = build_system(SystemOptions("ave", "avel"), ("dog", "bell"))
    SharedSystem.of(system).push_to_hub("me/avel")
    assert "**How it was trained is not known**" in (folder_hub.root / "me/avel/README.md").read_text()
    back = SharedSystem.from_pretrained("me/avel").system
    assert back.classes == ("dog", "bell")
    assert back.state_dict().keys() == system.state_dict().keys()


HOSTILE = [
    ("avel", "attention", "os.system"),
    ("avel", "attention", {"class_path": "subprocess.Popen", "init_args": {"args": "true"}}),
    ("avel", "attention", {"class_path": "crossmodal.heads.AdditiveAttention", "init_args": {"x": ["antigravity.x"]}}),
    ("avel", "objective", "crossmodal.io.os.system"),
    ("avel", "objective", "crossmodal.adapters.bottleneck.torch.load"),
    ("avel", "objective", "crossmodal.io.write_whole"),
    ("avel", "objective", "{class_path: os.system}"),
    ("avel", "objective", "./evil.yaml"),
    ("dg_sct", "visual_options", {"pretrained_cfg": {"url": "https://evil.example/weights.bin"}}),
    ("dg_sct", "coupling", "mylab.couple"),
]


@pytest.mark.parametrize(("system", "keyword", "value"), HOSTILE)
def test_what_a_downloaded_folder_names_outside_the_library_is_refused(system, keyword, value):
    with pytest.raises(ValueError, match=rf"load: me/x sets model\.{keyword}.* which is no component of crossmodal"):
        check_downloaded(SystemOptions("ave", system, {keyword: value}), "me/x")


@pytest.mark.parametrize("name", ["task", "system", "encoders", "lockstep"])
def test_no_other_option_of_a_downloaded_folder_names_a_path(name):
    with pytest.raises(ValueError, match=f"load: me/x sets {name} to 'os.system'"):
        check_downloaded(SystemOptions("ave", "avel")._replace(**{name: "os.system"}), "me/x")


def test_components_of_the_library_and_plain_values_are_let_pass():
    spatial = {"class_path": "crossmodal.guidance.SpatialGuidance", "init_args": {"reduction": 4}}
    arguments = {"spatial": spatial, "temporal": None, "visual": "timm:vit_tiny.augreg", "visual_weights": "a b.pt"}
    lockstep = "crossmodal.injection.recomputed"
    check_downloaded(SystemOptions("ave", "dg_sct", arguments, lockstep=lockstep), "me/x")
    check_downloaded(SystemOptions("ave", "dg_sct", {"coupling": "lavish"}), "me/x")


@pytest.mark.parametrize(
    "path", ["crossmodal", "crossmodal.io", "crossmodal.nothing.X", "crossmodal.cost", "torch.nn.GELU"]
)
def test_paths_that_are_no_components(path):
    assert not is_component(path)
