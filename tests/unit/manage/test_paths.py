from __future__ import annotations

import os
from pathlib import Path

import pytest

from lispfast.manage import paths

INODE = 4026539999


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """The inodes of our namespace and of process 1's; None for one that may not be seen."""
    shown: dict[str, int | None] = {"/proc/thread-self/ns/net": INODE, "/proc/1/ns/net": 1, "euid": 0}

    def inode(path: str) -> int:
        shown_inode = shown[path]
        if shown_inode is None:
            raise PermissionError(path)
        return shown_inode

    monkeypatch.setattr(paths, "_inode", inode)
    monkeypatch.setattr(paths.os, "geteuid", lambda: shown["euid"])
    return shown


def test_process_1s_namespace_is_the_default(world: dict[str, int | None], tmp_path: Path) -> None:
    world["/proc/1/ns/net"] = INODE
    assert paths.namespace_name(tmp_path) == "default"


def test_another_is_named_by_its_inode(world: dict[str, int | None], tmp_path: Path) -> None:
    assert paths.namespace_name(tmp_path) == f"net-{INODE}"


def test_root_in_a_container_that_hides_process_1(world: dict[str, int | None], tmp_path: Path) -> None:
    world["/proc/1/ns/net"] = None
    assert paths.namespace_name(tmp_path) == f"net-{INODE}"
    world["/proc/thread-self/ns/net"] = paths.INITIAL_INODE
    assert paths.namespace_name(tmp_path) == "default"


def test_a_user_takes_the_directory_that_is_there(world: dict[str, int | None], tmp_path: Path) -> None:
    world["/proc/1/ns/net"], world["euid"] = None, 1000
    assert paths.namespace_name(tmp_path) == "default"
    os.mkdir(tmp_path / f"net-{INODE}")
    assert paths.namespace_name(tmp_path) == f"net-{INODE}"


def test_a_path_of_the_configuration_wins() -> None:
    assert paths.state_directory("/some/where") == Path("/some/where")
    assert paths.control_socket("/some/where.sock") == Path("/some/where.sock")
    assert paths.state_directory().parent == paths.STATE_ROOT
    assert paths.control_socket().name == "control.sock"


def test_the_identity_is_the_same_each_time() -> None:
    first = paths.namespace_identity()
    assert first == paths.namespace_identity()
    assert first.inode > 0
    assert first.boot_id
