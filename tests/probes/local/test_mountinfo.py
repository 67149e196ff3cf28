"""What the kernel says of mounts, read rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.local.mountinfo import errors_recorded, mounted

ROOT = "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro"


def test_a_line_is_read_with_and_without_optional_fields() -> None:
    found = mounted([ROOT, "28 27 0:33 / /srv rw - tmpfs tmpfs rw,size=16384k"])
    assert found["/"].device == "254:0"
    assert found["/"].kind == "ext4"
    assert found["/srv"].source == "tmpfs"
    assert not found["/"].takes_no_writes


def test_blanks_in_names_are_read() -> None:
    found = mounted([r"28 27 0:33 / /srv/dua\040kata rw - nfs4 db:/a\040b rw"])
    assert found["/srv/dua kata"].source == "db:/a b"


@pytest.mark.parametrize(
    ("mount", "super_options", "no_writes", "by_itself"),
    [
        ("ro,relatime", "rw,errors=remount-ro", False, False),
        ("rw,relatime", "ro,errors=remount-ro", True, False),
        ("rw,relatime", "rw,errors=remount-ro,emergency_ro", True, True),
        ("rw,relatime", "rw,shutdown", True, True),
    ],
)
def test_only_the_file_system_itself_decides_about_writes(
    mount: str, super_options: str, no_writes: bool, by_itself: bool
) -> None:
    (found,) = mounted([f"27 1 254:0 / / {mount} - ext4 /dev/vda {super_options}"]).values()
    assert found.takes_no_writes is no_writes
    assert found.after_an_error is by_itself


def test_the_uppermost_of_several_mounts_counts() -> None:
    assert mounted([ROOT, "30 27 0:40 / / rw - tmpfs tmpfs rw"])["/"].kind == "tmpfs"


def test_lines_nobody_understands_are_passed_over() -> None:
    assert set(mounted(["", "x y", ROOT])) == {"/"}


def test_recorded_errors_are_read_by_device_number(tmp_path: Path) -> None:
    (tmp_path / "devices" / "sdb1").mkdir(parents=True)
    (tmp_path / "dev" / "block").mkdir(parents=True)
    (tmp_path / "dev" / "block" / "8:17").symlink_to(tmp_path / "devices" / "sdb1")
    (tmp_path / "fs" / "ext4" / "sdb1").mkdir(parents=True)
    (tmp_path / "fs" / "ext4" / "sdb1" / "errors_count").write_text("3\n")
    assert errors_recorded("8:17", tmp_path) == 3
    assert errors_recorded("8:18", tmp_path) is None
