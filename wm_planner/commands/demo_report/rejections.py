"""What candidates were rejected for, in sentences: of each limit the narrowest and the worst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wm_planner.commands.demo_report.recording import Recording
from wm_planner.messages.plans import verdict_from_message


@dataclass(frozen=True)
class Rejections:
    """One limit, over all planning cycles.

    Attributes:
        reason: what was measured.
        count: candidates that are over it.
        nearest: the sentence on the one that is least over it.
        furthest: on the one that is most; the same text where there is only one.
    """

    reason: str
    count: int
    nearest: str
    furthest: str


def rejections_by_limit(run: Recording) -> list[Rejections]:
    """Return one row a limit that anything was over, the commonest first.

    Candidates are those of the last round of each cycle, and count for every limit that they are
    over. What is measured in two units, as the residual of inverse kinematics, has two rows.
    """
    found: dict[tuple[str, str, str], list[tuple[float, str]]] = {}
    for cycle, (_, report) in enumerate(run.reports):
        for message in report.verdicts:
            verdicts = verdict_from_message(message)
            over = np.nan_to_num(verdicts.measured, nan=np.inf)
            limit = (verdicts.filter, verdicts.reason.value, verdicts.unit)
            for k in np.flatnonzero(~verdicts.accepted):
                told = f"cycle {cycle}, {verdicts.sentence(int(k))}"
                found.setdefault(limit, []).append((float(over[k]), told))
    rows = [
        Rejections(reason, len(over), min(over)[1], max(over)[1])
        for (_, reason, _), over in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.count, row.reason))
