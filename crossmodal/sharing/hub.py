"""Trained systems on the Hugging Face hub, by the mixin of its own library (extra `hub`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download
from torch import nn

from crossmodal.tasks.task import SystemModule
from crossmodal.training.run_folder import ADAPTERS, read_summary

from .loading import load
from .model_card import CARD
from .saved_folder import ADAPTER_CONFIG, load_folder, save
from .system_options import SystemOptions


class SharedSystem(ModelHubMixin, library_name="crossmodal"):
    """A trained system with what its folder holds beside it: `save_pretrained`, `push_to_hub`, `from_pretrained`.

    Attributes:
        system: The system.
        options: What it was built from.
        summary: Facts of its training, for the model card.
    """

    # no parameter that a file of the hub could fill: the mixin passes entries of a config.json by their names
    def __init__(self) -> None:
        # written as config.json, which the mixin asks a repository for first: without it no cache serves offline
        self._hub_mixin_config = {"library_name": "crossmodal"}
        self.system: SystemModule = nn.Module()  # type: ignore[assignment]  # `of` and `from_pretrained` set it
        self.options: SystemOptions | None = None
        self.summary: Mapping[str, Any] = {}

    @classmethod
    def of(
        cls,
        system: SystemModule,
        options: SystemOptions | None = None,
        *,
        summary: Mapping[str, Any] | None = None,
    ) -> "SharedSystem":
        """Returns a system ready to be pushed; the arguments are those of `save`."""
        shared = cls()
        shared.system, shared.options, shared.summary = system, options, summary or {}
        return shared

    @classmethod
    def of_run(cls, run: str | Path) -> "SharedSystem":
        """Returns the system of a finished run, with the facts of its training.

        Args:
            run: Folder of the run.

        Raises:
            OSError: As `load` does.
            ValueError: As `load` does.
        """
        return cls.of(load(run), summary=read_summary(Path(run)))

    def _save_pretrained(self, save_directory: Path) -> None:
        """Writes the folder; the mixin has made it, and calls this one."""
        save(self.system, save_directory, self.options, summary=self.summary)

    @classmethod
    def _from_pretrained(  # type: ignore[override]  # of the mixin's further keywords it takes two
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        trusted: bool = False,
        files: Mapping[str, str | Path] | None = None,
    ) -> "SharedSystem":
        """Downloads the folder and rebuilds the system; the mixin calls this one.

        Args:
            model_id: Name of the repository, or a folder.
            revision: Branch, tag or commit.
            cache_dir: Folder of downloads.
            force_download: Whether to download what is there already.
            local_files_only: Whether to look among earlier downloads alone.
            token: Of the hub.
            trusted: As `load` takes it.
            files: As `load` takes them.
        """
        folder = Path(model_id)
        local = folder.is_dir()
        if not local:
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                    allow_patterns=[ADAPTER_CONFIG, ADAPTERS, CARD],
                )
            )
        return cls.of(load_folder(folder, trusted=local or trusted, place=model_id, files=files))
