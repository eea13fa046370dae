from __future__ import annotations

from pathlib import Path

import pytest

from wm_planner import share_folder as module
from wm_planner.errors import ConfigurationError
from wm_planner.share_folder import share_folder


def test_it_holds_what_comes_with_the_package() -> None:
    for folder in ("config", "launch", "models"):
        assert (share_folder() / folder).is_dir()


def place_module(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(module, "__file__", str(folder / "share_folder.py"))


def test_a_checkout_is_its_own_share_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "package.xml").touch()
    place_module(monkeypatch, tmp_path / "wm_planner")
    assert share_folder() == tmp_path


@pytest.mark.parametrize("packages", ["lib/python3.12/site-packages", "local/lib/x/dist-packages"])
def test_an_installed_package_finds_share_below_the_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: str
) -> None:
    (tmp_path / "share/wm_planner").mkdir(parents=True)
    (tmp_path / "share/wm_planner/package.xml").touch()
    place_module(monkeypatch, tmp_path / packages / "wm_planner")
    assert share_folder() == tmp_path / "share/wm_planner"


def test_a_partial_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place_module(monkeypatch, tmp_path / "lib/python3.12/site-packages/wm_planner")
    with pytest.raises(ConfigurationError, match="partly installed"):
        share_folder()
