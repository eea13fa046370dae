"""Names stand for classes; unknown ones list the known."""

from __future__ import annotations

import inspect

import pytest

from wm_planner import registry
from wm_planner.errors import ConfigurationError, UnknownNameError

BUILT_IN = [(kind, name) for kind, known in registry.BUILT_IN.items() for name in known]


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_that_every_built_in_class_is_whole(kind, name):
    cls = registry.resolve(kind, name)
    assert not inspect.isabstract(cls), f"{cls} lacks {cls.__abstractmethods__}"


def test_that_an_unknown_name_offers_the_closest():
    with pytest.raises(UnknownNameError, match="Did you mean 'kinematic'"):
        registry.resolve("filters", "kinematics")


def test_that_an_unknown_kind_lists_the_kinds():
    with pytest.raises(UnknownNameError, match="filters"):
        registry.resolve("filter", "kinematic")


def test_that_a_class_that_cannot_be_imported_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(registry.BUILT_IN["filters"], "broken", "wm_planner.nowhere:Nothing")
    with pytest.raises(ConfigurationError, match="Cannot load 'broken' of filters"):
        registry.resolve("filters", "broken")


def test_that_other_packages_cannot_replace_a_built_in_name(monkeypatch):
    class Entry:
        name, value = "kinematic", "elsewhere:Class"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Entry])
    assert registry.names("filters")["kinematic"] == registry.BUILT_IN["filters"]["kinematic"]
