"""Trains a system of this library by Hugging Face's Trainer, whose checkpoints then hold the adapters alone."""

from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import default_collate
from transformers import Trainer, TrainingArguments

import crossmodal
from crossmodal.checkpoints import load_adapters, save_adapters
from crossmodal.data import LabelledClip, World
from crossmodal.sharing import SystemOptions, build_system

ADAPTERS = "adapters.safetensors"


class AdapterTrainer(Trainer):
    """Sums the named losses of a system, and keeps what is trained of it."""

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, **_: Any) -> Any:
        """Computes the loss that is trained."""
        batch = LabelledClip(**inputs)
        outputs = model(batch)
        loss = sum(self.accelerator.unwrap_model(model).loss(outputs, batch).values())
        return (loss, outputs) if return_outputs else loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_adapters(self.accelerator.unwrap_model(self.model), folder / ADAPTERS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_adapters(self.accelerator.unwrap_model(model or self.model), Path(resume_from_checkpoint) / ADAPTERS)


def by_field(items: list[LabelledClip]) -> dict[str, Any]:
    """Returns the fields of a batch: the trainer moves dictionaries to its device."""
    return default_collate(items)._asdict()


def train(options: SystemOptions, folder: str, *, clips: int, steps: int, go_on: bool = False) -> nn.Module:
    """Trains on the built-in world; with `go_on`, from the last checkpoint in the folder."""
    world = World("train", clips=clips)
    system = build_system(options, world.classes)
    world.preprocess = system.inputs.preprocess
    arguments = TrainingArguments(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        learning_rate=3e-4,
        lr_scheduler_type="constant",
        save_steps=1,
        save_total_limit=2,
        logging_steps=1,
        report_to=[],
        remove_unused_columns=False,  # a system takes a batch, not keywords by the names of columns
        dataloader_pin_memory=False,
        use_cpu=True,  # take this line out where there is a GPU
    )
    trainer = AdapterTrainer(system, arguments, train_dataset=world, data_collator=by_field)
    trainer.train(resume_from_checkpoint=go_on)
    return system


if __name__ == "__main__":
    trained = train(SystemOptions("ave", "lite"), "hf", clips=4, steps=2)
    crossmodal.save(trained, "shared/hf")
    print(crossmodal.load("shared/hf").classes)
