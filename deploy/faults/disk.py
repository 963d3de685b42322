"""Small disks: tmpfs, where it may be mounted."""

import os

from broken import Skipped, output


class SmallDisk:
    """A tmpfs of its own, whose free space is taken and given back by a file that nobody needs."""

    def __init__(self, place, mib):
        place.mkdir()
        if os.geteuid() != 0:
            raise Skipped("mounting a tmpfs needs root")
        status, said = output(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0755", "rollbook-faults", place])
        if status != 0:
            raise Skipped(f"a tmpfs cannot be mounted: {said.strip()}")
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
        output(["umount", "-l", self.place])
