"""Errors: one root, helpful texts, and whole after the way from another process."""

from __future__ import annotations

import inspect
import pickle

import pytest

from wm_planner import errors
from wm_planner.errors import UnknownNameError, WmPlannerError

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if cls.__module__ == errors.__name__
]


@pytest.mark.parametrize("cls", CLASSES)
def test_that_every_error_has_the_root_and_survives_pickling(cls):
    error = cls("filter", "dwt", ["dtw", "kinematic"]) if cls is UnknownNameError else cls("why")
    assert isinstance(error, WmPlannerError)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)


def test_that_an_unknown_name_lists_the_known_and_the_closest():
    text = str(UnknownNameError("filter", "dwt", ["kinematic", "dtw"]))
    assert text == "Unknown filter 'dwt'. Did you mean 'dtw'? Known: dtw, kinematic."
    assert str(UnknownNameError("filter", "x", [])) == "Unknown filter 'x'. Known: none."
