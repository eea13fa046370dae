"""Which topics a recording lacks, and which come too seldom."""

from __future__ import annotations

from collections.abc import Mapping


class TopicWatch:
    """Looks at counts of messages now and then.

    Args:
        needed: topics without which nothing can be replayed, and what each is.
        welcome: topics that are recorded where somebody publishes them, and what each is.
        rate: of needed topics, Hz; below it they are slow.
    """

    def __init__(self, needed: Mapping[str, str], welcome: Mapping[str, str], rate: float) -> None:
        self._needed, self._welcome, self._rate = needed, welcome, rate
        self._counts: dict[str, int] = {}
        self._looked_s: float | None = None

    def look(
        self, counts: Mapping[str, int], published: Mapping[str, str], now_s: float
    ) -> list[str]:
        """Return what is wrong since the last look, a line each; what is only welcome once.

        Args:
            counts: messages recorded so far, by topic.
            published: type of every topic that somebody publishes.
            now_s: since the begin of the recording, on the graph's clock.
        """
        first, since_s = self._looked_s is None, max(now_s - (self._looked_s or 0.0), 1e-6)
        lines = []
        for topic, what in self._needed.items():
            came = counts.get(topic, 0) - self._counts.get(topic, 0)
            if not came:
                lines.append(f"missing: {topic} ({what}): {_why(topic, published)}")
            elif came / since_s < 0.9 * self._rate:
                rate = came / since_s
                lines.append(f"slow: {topic} ({what}): {rate:.1f} Hz, wanted {self._rate:g}")
        if first:
            lines += [
                f"not heard yet: {topic} ({what})"
                for topic, what in self._welcome.items()
                if not counts.get(topic)
            ]
        self._counts, self._looked_s = dict(counts), now_s
        return lines

    def never_heard(self, counts: Mapping[str, int]) -> list[str]:
        """Return the needed topics of which there is no message."""
        return [topic for topic in self._needed if not counts.get(topic)]


def _why(topic: str, published: Mapping[str, str]) -> str:
    if topic in published:
        return "somebody publishes it, but nothing comes (another quality of service?)"
    compressed = f"{topic}/compressed"
    if compressed in published:
        return f"nobody publishes it, but {compressed}: --compressed"
    return "nobody publishes it"
