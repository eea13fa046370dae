"""Which futures to compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from wm_planner.commands.labelling.futures import RECORDED, Future

Pair = tuple[Future, Future]


def propose(futures: Sequence[Future], count: int, generator: np.random.Generator) -> list[Pair]:
    """Draw pairs for people, every group in turn; which one is left is a matter of chance.

    Recorded ones of two episodes are shown at the same share of their lengths.
    """
    groups: dict[str, list[Future]] = defaultdict(list)
    for future in futures:
        at = f" {future.moment}" if future.what == RECORDED else ""
        groups[f"{future.what} {future.group}{at}"].append(future)
    rounds = [group for group in groups.values() if len(group) > 1]
    return _draw(rounds, count, generator, lambda group: _two(group, generator))


def by_outcome(futures: Sequence[Future], count: int, generator: np.random.Generator) -> list[Pair]:
    """Draw pairs (better, worse) that the record decides.

    Half are a success and a failure of a task at the same share of their lengths, half two moments
    of one success.
    """
    ended: dict[tuple[str, float, bool], list[Future]] = defaultdict(list)
    episodes: dict[tuple[str, str], list[Future]] = defaultdict(list)
    for future in futures:
        if future.what == RECORDED and future.success is not None:
            ended[future.group, future.moment, future.success].append(future)
            if future.success:
                episodes[str(future.run), future.episode].append(future)
    against = [
        (good, ended[group, moment, False])
        for (group, moment, success), good in sorted(ended.items())
        if success and (group, moment, False) in ended
    ]
    later = [sorted(group, key=lambda f: f.moment) for group in episodes.values()]
    half = count // 2 if against else 0

    def one_of_each(sides: tuple[list[Future], list[Future]]) -> Pair:
        good, bad = sides
        return good[generator.integers(len(good))], bad[generator.integers(len(bad))]

    def late_and_early(group: list[Future]) -> Pair:
        early, late = np.sort(generator.choice(len(group), 2, replace=False))
        return group[late], group[early]

    found = _draw(against, half, generator, one_of_each)
    return found + _draw(later, count - len(found), generator, late_and_early)


def _two(group: list[Future], generator: np.random.Generator) -> Pair:
    left, right = generator.choice(len(group), 2, replace=False)
    return group[left], group[right]


def _draw(groups, count, generator, draw) -> list[Pair]:  # type: ignore[no-untyped-def]
    """Draw different pairs, from all groups in turn, until they repeat."""
    found: dict[frozenset[Future], Pair] = {}
    tries = 0
    while groups and len(found) < count and tries < 4 * count:
        for group in generator.permutation(len(groups)):
            pair = draw(groups[group])
            found.setdefault(frozenset(pair), pair)
            tries += 1
            if len(found) >= count or tries >= 4 * count:
                break
    return list(found.values())
