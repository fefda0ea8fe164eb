"""Tables in LaTeX, with the rules of the package booktabs."""

import re
from collections.abc import Sequence

ESCAPED = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↔": r"$\leftrightarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
}


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(ESCAPED.get(sign, sign) for sign in text)


def mathematics(text: str) -> str:
    """Escaped text whose numbers with a sign, an interval or a deviation are set as mathematics."""
    if not re.fullmatch(r"[-+±\d.,\[\] ]+", text):
        return escaped(text)
    thousands = re.sub(r"(?<=\d),(?=\d)", "{,}", text)
    return f"${thousands.replace('±', chr(92) + 'pm').replace(' [', chr(92) + ';[')}$"


def tabular(head: Sequence[str], body: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A `tabular`: names to the left, numbers to the right; `notes` as comments before it."""
    lines = [*(f"% {' '.join(note.split())}" for note in notes), r"% needs \usepackage{booktabs}"]
    lines += [rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule"]
    lines += [" & ".join(map(escaped, head)) + r" \\", r"\midrule"]
    lines += [" & ".join([escaped(row[0]), *map(mathematics, row[1:])]) + r" \\" for row in body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])
