"""`crossmodal TASK test`: tests a finished run on the test split of its data."""

from collections.abc import Sequence

from crossmodal.option_parser import OptionParser
from crossmodal.tasks.task import Task
from crossmodal.training.lightning_module import SystemTraining
from crossmodal.training.run import feature_folder, load_run, prepare_source_of_run, test_run, testing_trainer
from crossmodal.training.run_folder import add_run_options, find_run, read_summary

from .fit import tell, warn


def test(argv: Sequence[str], task: Task) -> None:
    """Tests a finished run on the test split of its data."""
    parser = OptionParser(prog=f"crossmodal {task.name} test", description="Tests a finished run.")
    add_run_options(parser)
    given = parser.parse_args(list(argv))
    run = find_run(given.runs, given.run, task.name)
    system, arguments = load_run(run, task)
    source = prepare_source_of_run(arguments.data, system, feature_folder(run.parent), splits=("test",))
    training = SystemTraining(system, task, **vars(arguments.optim))
    # not the trainer of the run: its loggers and callbacks would write into it again
    trainer = testing_trainer(vars(arguments.trainer))
    warn(read_summary(run).get("deviations", ()))
    tested = test_run(run, trainer, training, source)
    tell(run, tested, training, source, tried=bool(arguments.trainer.fast_dev_run))
