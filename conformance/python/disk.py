"""A small disk of a test's own, whose power can be cut: a file with an ext4 file system on it, mounted.

The cut is the file system's own shutdown: from then on nothing reaches the disk any more, and what was written and not
synced is gone at the next mount, as after a loss of power.
"""

import ctypes
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import sys

# From ext4's and xfs's headers; the flag says that the file system's own journal is not flushed either.
SHUTDOWN, WITHOUT_LOG_FLUSH = 0x8004587D, 2
# From sched.h: CLONE_NEWNS.
NEW_MOUNTS = 0x20000


class Disk:
    def __init__(self, folder, megabytes):
        self.image, self.folder = folder / "image", folder / "disk"
        self.megabytes, self.mounted = megabytes, False

    def __enter__(self):
        self.folder.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(self.megabytes << 20)
        # No room kept for root, whose server would not notice that the disk is full.
        run("mkfs.ext4", "-q", "-m", "0", self.image)
        self.mount()
        return self

    def __exit__(self, *_):
        self.unmount()
        self.image.unlink()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.folder)
        self.mounted = True

    def unmount(self):
        if self.mounted:
            run("umount", self.folder)
            self.mounted = False

    def sync(self):
        """Everything that was written so far is on the disk."""
        run("sync", "--file-system", self.folder)

    def cut(self):
        """Cuts the power. A file that was synced just before, and one that was not, show afterwards that it did."""
        for name, sync in [("synced", True), ("loose", False)]:
            with open(self.folder / name, "wb", buffering=0) as file:
                file.write(b"x" * 100_000)
                if sync:
                    os.fsync(file)
                    sync_folder(self.folder)
        shut_down(self.folder)

    def back(self):
        """Power again, when nobody uses the disk any more."""
        self.unmount()
        self.mount()
        assert (self.folder / "synced").stat().st_size == 100_000, "what was synced is there"
        loose = self.folder / "loose"
        assert not loose.exists() or loose.stat().st_size == 0, "what was not synced is gone: the cut cuts"
        (self.folder / "synced").unlink()
        loose.unlink(missing_ok=True)
        sync_folder(self.folder)


def apart():
    """From here on this process mounts for itself alone, and what it mounted goes when it ends, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "unshare")
    run("mount", "--make-rprivate", "/")


def sync_folder(path):
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def shut_down(path):
    folder = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_LOG_FLUSH))
    finally:
        os.close(folder)


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.returncode}")


def missing(folder):
    """Why there can be no such disk here; None if there can."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "mounting a disk takes Linux and root"
    if not shutil.which("mkfs.ext4"):
        return "mkfs.ext4 is not installed (Debian: e2fsprogs)"
    probe = pathlib.Path(folder) / "probe"
    probe.mkdir()
    try:
        apart()
        with Disk(probe, 16) as disk:
            shut_down(disk.folder)
    except OSError as error:
        return f"this kernel cannot mount a file or cut it off: {error}"
    return None
