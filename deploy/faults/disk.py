"""Small disks: tmpfs, where it may be mounted."""

import os
import subprocess


class NoDisk(Exception):
    """A small file system cannot be mounted here; says why."""


class SmallDisk:
    """A tmpfs of its own, whose free space is taken and given back by a file that nobody needs."""

    def __init__(self, place, mib):
        place.mkdir()
        if os.geteuid() != 0:
            raise NoDisk("mounting a tmpfs needs root")
        answer = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "rollbook-faults", place],
                                capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise NoDisk(f"a tmpfs cannot be mounted: {answer.stderr.strip()}")
        self.place = place

    def fill(self, leave):
        """Takes all space but about `leave` bytes."""
        status = os.statvfs(self.place)
        free = status.f_bavail * status.f_frsize
        with open(self.place / "filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, free - leave))

    def clear(self):
        os.remove(self.place / "filler")

    def remove(self):
        subprocess.run(["umount", "-l", self.place], check=False, capture_output=True)
