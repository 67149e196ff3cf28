"""Parsing of the kernel's mount table."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.local.mountinfo import errors_recorded, mounted, volume_of

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


def _named(path: str, device: str, *lines: str) -> str | None:
    return volume_of(path, device, mounted(lines))


NETNS = "61 27 254:0 /run/netns /run/netns rw,relatime shared:1 - ext4 /dev/vda rw"
DATA = "/var/lib/postgresql/15/main/base/1/2"


def test_a_device_mounted_again_for_a_network_namespace_keeps_its_name() -> None:
    # `ip netns add` binds /run/netns onto itself
    assert _named(DATA, "254:0", ROOT, NETNS) == "/"
    assert _named(DATA, "254:0", NETNS, ROOT) == "/"
    assert _named("/run/netns/a", "254:0", ROOT, NETNS) == "/run/netns"


def test_a_data_directory_that_is_a_bind_mount_is_named_as_the_server_knows_it() -> None:
    bound = "70 27 254:0 /srv/cepat /var/lib/postgresql rw - ext4 /dev/vda rw"
    assert _named(DATA, "254:0", ROOT, bound) == "/var/lib/postgresql"
    assert _named("/srv/cepat/15", "254:0", ROOT, bound) == "/"


def test_folders_bound_into_a_unit_by_systemd_change_no_name() -> None:
    own = "90 88 254:0 /var/lib/sigap /var/lib/sigap rw - ext4 /dev/vda rw"
    assert _named(DATA, "254:0", ROOT, own) == "/"


IN_A_CONTAINER = (
    "400 300 0:53 / / rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w",
    "410 400 8:1 /docker/containers/c/hosts /etc/hosts rw - ext4 /dev/sda1 rw",
    "411 400 8:1 /docker/volumes/v/_data /var/lib/postgresql rw - ext4 /dev/sda1 rw",
    "412 400 8:1 /docker/containers/c/resolv.conf /etc/resolv.conf rw - ext4 /dev/sda1 rw",
)


def test_in_a_container_the_volume_is_the_one_bound_to_the_data() -> None:
    assert _named(DATA, "8:1", *IN_A_CONTAINER) == "/var/lib/postgresql"
    assert _named("/run/urut", "0:53", *IN_A_CONTAINER) == "/"


def test_an_overlay_whose_files_have_numbers_of_their_lower_layer_is_named_by_the_path() -> None:
    assert _named("/usr/lib/x.so", "0:77", *IN_A_CONTAINER) == "/"


def test_a_path_inside_somebody_elses_container_is_named_by_the_whole_file_system() -> None:
    host = (
        "27 1 8:2 / / rw - ext4 /dev/sda2 rw",
        "30 27 8:1 /docker/kept /srv/kept rw - ext4 /dev/sda1 rw",
        "31 27 8:1 / /var/lib/docker rw - ext4 /dev/sda1 rw",
        "32 27 0:53 / /var/lib/docker/overlay2/c/merged rw - overlay overlay rw",
    )
    assert _named(DATA, "8:1", *host) == "/var/lib/docker"
    assert _named("/run/urut", "0:53", *host) == "/var/lib/docker/overlay2/c/merged"


def test_btrfs_subvolumes_are_named_by_their_own_mounts() -> None:
    # a file's device number is the subvolume's, and mountinfo shows the file system's
    subvolumes = (
        "27 1 0:25 /@ / rw - btrfs /dev/sda2 rw,subvol=/@",
        "28 27 0:25 /@data /var/lib/postgresql rw - btrfs /dev/sda2 rw,subvol=/@data",
        "29 27 8:17 / /srv rw - ext4 /dev/sdb1 rw",
    )
    assert _named(DATA, "0:31", *subvolumes) == "/var/lib/postgresql"
    assert _named("/run/urut", "0:30", *subvolumes) == "/"
    assert _named("/srv/x", "0:31", *subvolumes) is None


def test_a_device_nobody_here_mounts_has_no_name() -> None:
    assert _named("/x", "9:9", ROOT) is None
