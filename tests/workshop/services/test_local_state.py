"""Test the state folders of the private services: private, owned, and with short socket paths."""

import os
import stat
from pathlib import Path

import pytest

from orchestration.errors import InsightsError
from workshop.services import LocalPostgres, LocalRedis, remove_state, state_root


def test_every_checkout_has_a_private_state_folder(tmp_path: Path) -> None:
    first, second = state_root(tmp_path / "first"), state_root(tmp_path / "second")
    assert first != second
    assert state_root(tmp_path / "first") == first
    assert stat.S_IMODE(first.stat().st_mode) & 0o066 == 0
    remove_state(first)
    remove_state(second)


def test_a_state_folder_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    name = state_root(tmp_path)
    name.rmdir()
    name.symlink_to(tmp_path)
    with pytest.raises(InsightsError, match=f"{name} is a link"):
        state_root(tmp_path)
    name.unlink()
    name.touch()
    with pytest.raises(InsightsError, match=f"{name} is not a folder"):
        state_root(tmp_path)
    name.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a folder")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    name = state_root(tmp_path)
    os.chown(name, 65534, 65534)
    with pytest.raises(InsightsError, match=f"{name} belongs to user 65534"):
        state_root(tmp_path)
    name.rmdir()


def test_a_socket_path_over_the_limit_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 107)
    with pytest.raises(InsightsError, match="more than 107"):
        LocalPostgres(deep).start()
    with pytest.raises(InsightsError, match="more than 107"):
        LocalRedis(deep).start()
