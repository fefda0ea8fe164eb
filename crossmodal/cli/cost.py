"""`crossmodal TASK cost`: what a training step of a system costs, before any weight of it exists."""

import json
from collections.abc import Sequence

from crossmodal.evaluation.step_cost import described_cost
from crossmodal.option_parser import OptionParser
from crossmodal.tasks.task import Task

FORMS = ("table", "markdown", "json")


def cost(argv: Sequence[str], task: Task) -> None:
    """Prints parameters, operations and bytes, part by part, of the system that the options of `fit` describe."""
    parser = cost_parser(task)
    own, others = parser.parse_known_args(list(argv))  # the others describe the system
    if own.clips < 1:
        raise ValueError(f"{task.name} cost: --clips={own.clips} must be at least 1.")
    found, remarks = described_cost(others, task, own.clips, asked_by=parser)
    if own.form == "json":
        print(json.dumps(found.as_dict(own.depth), indent=1))
        return
    print(f"A training step of {task.name} on {own.clips} item(s), in float32\n")
    print(found.table(own.depth) if own.form == "table" else found.markdown(own.depth))
    if remarks:
        print("", *remarks, sep="\n")


def cost_parser(task: Task) -> OptionParser:
    """Returns the parser of `cost`; what it does not know are options of `fit`."""
    parser = OptionParser(
        prog=f"crossmodal {task.name} cost",
        description="Counts what a training step costs, without weights and without data.",
        epilog=f"The system is described as for `crossmodal {task.name} fit`: --system, --model.… and so on.",
        allow_abbrev=False,
    )
    parser.add_argument("--clips", type=int, default=1, help="items in the batch, of full length (default: 1)")
    parser.add_argument("--depth", type=int, default=3, help="how far down the parts are listed (default: 3)")
    parser.add_argument("--form", choices=FORMS, default="table", help="how it is printed (default: table)")
    return parser
