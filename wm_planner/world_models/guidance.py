"""Classifier-free guidance, each condition with its own weight.

With all conditions c and their weights w, a dream is made of

    x(all) + sum over c of (w_c - 1) (x(all) - x(all but c)),

which is the usual guidance (Ho and Salimans 2022, equation 6) for one condition, and Vid2World's
action guidance for the actions. Each condition that is weighed costs one more evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: The network's input that says of each condition whether it is there: 0 for "left out".
GIVEN_BY = {
    "instruction": "words",
    "goal": "goal_given",
    "actions": "targets_given",
    "outcome": "outcome",
}


@dataclass(frozen=True, eq=False)
class Term:
    """One evaluation of the network: what it is told, and its share of the dream."""

    conditions: Mapping[str, np.ndarray]
    weight: float | np.ndarray  # one for all candidates, or (K,)


def guidance_terms(
    conditions: Mapping[str, np.ndarray], weights: Mapping[str, float | np.ndarray]
) -> list[Term]:
    """Return what to evaluate; the weights of the terms add up to 1.

    Args:
        conditions: inputs of the network by name, the first axis the candidates.
        weights: by name in `GIVEN_BY`, for all candidates or one each, (K,); 1 leaves a condition
            as the model learned it, more follows it further, 0 leaves it out.
    """
    without = []
    for name, weight in weights.items():
        given = conditions[GIVEN_BY[name]]
        if np.any(np.not_equal(weight, 1.0)) and given.any():
            dropped = {**conditions, GIVEN_BY[name]: np.zeros_like(given)}
            without.append(Term(dropped, 1.0 - weight))
    return [Term(conditions, 1.0 - sum(term.weight for term in without)), *without]
