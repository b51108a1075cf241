"""The one place that writes files of the warehouse.

Promise: a file appears under its name whole and on disk, or not at all. It is written under `.tmp/`, where no
reader's glob matches, synced, renamed, and its folder synced. What a killed process left under `.tmp/` is removed by
the next process that writes.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa
from filelock import FileLock, Timeout
from pyarrow import fs

from dimo_etl.errors import WarehouseError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class StagedFile(io.RawIOBase):
    """A staged file that is being filled: what is written to it is with the system when `write` ends.

    Arrow writes through it too, so that all that is ever written to a warehouse passes by here.
    """

    def __init__(self, staged: Path) -> None:
        self._descriptor = os.open(staged, os.O_WRONLY)

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, content: Buffer) -> int:
        """Write all of it, in as many pieces as the system takes."""
        left = memoryview(content).cast("B")
        size = len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return size

    def close(self) -> None:
        """Close it; nothing happens where it is closed."""
        if not self.closed:
            super().close()
            os.close(self._descriptor)


class Store:
    """The files below a warehouse's root, named by relative paths with `/`.

    Args:
        root: an absolute folder, which is made with its first file.

    Attributes:
        root: the folder; of a bucket the address, without its query.
        shared: whether other machines may write here without any lock between.
    """

    shared = False

    def __init__(self, root: str) -> None:
        self.root = root
        self._fs: fs.FileSystem = fs.LocalFileSystem()
        self._base = root
        self._home = Path(root)
        self._scratch: Path | None = None
        self._scratch_lock: FileLock | None = None
        self._opening = threading.Lock()

    def stage(self) -> Path:
        """An empty private file to write to before `publish`; it is removed if this process dies."""
        with self.explained("write to"):
            path = self._scratch_folder() / secrets.token_hex(8)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return path

    def put(self, name: str, content: bytes | pa.Buffer) -> None:
        """Publish a small file that is at hand whole."""
        with self.explained(f"write {name} in"):
            staged = self.stage()
            try:
                with StagedFile(staged) as file:
                    file.write(content)
            except BaseException:
                self.discard(staged)
                raise
        self.publish(staged, name)

    def publish(self, staged: Path, name: str) -> None:
        """Move a staged file to its name, replacing what was there, so that no crash leaves anything between."""
        with self.explained(f"write {name} in"):
            target = Path(self.root, name)
            self._make_folder(target.parent)
            _sync(staged)
            staged.replace(target)
            _sync(target.parent)

    def discard(self, staged: Path) -> None:
        """Remove a staged file that will not be published."""
        staged.unlink(missing_ok=True)

    def set_aside(self, name: str) -> str:
        """Move a file that is not what was written to where no reader looks; returns its new name."""
        aside = f"damaged/{name}"
        with self.explained(f"move {name} in"):
            source, target = Path(self.root, name), Path(self.root, aside)
            self._make_folder(target.parent)
            source.replace(target)
            _sync(target.parent)
            _sync(source.parent)
        return aside

    def put_back(self, name: str) -> None:
        """Undo `set_aside`."""
        with self.explained(f"move {name} in"):
            target = Path(self.root, name)
            Path(self.root, "damaged", name).replace(target)
            _sync(target.parent)

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with self.explained(f"remove {name} from"):
            target = Path(self.root, name)
            if not target.is_file():
                return
            target.unlink()
            _sync(target.parent)

    def exists(self, name: str) -> bool:
        """Whether a file of that name is there."""
        with self.explained(f"look for {name} in"):
            return bool(self._fs.get_file_info(f"{self._base}/{name}").type == fs.FileType.File)

    def names(self, folder: str) -> list[str]:
        """The names of the files and folders directly in a folder, sorted; none where it does not exist."""
        selector = fs.FileSelector(f"{self._base}/{folder}", allow_not_found=True)
        with self.explained(f"list {folder} in"):
            return sorted(info.base_name for info in self._fs.get_file_info(selector))

    def size_of(self, folder: str) -> int:
        """The bytes of the files directly in a folder; 0 where it does not exist."""
        selector = fs.FileSelector(f"{self._base}/{folder}", allow_not_found=True)
        with self.explained(f"list {folder} in"):
            return sum(info.size or 0 for info in self._fs.get_file_info(selector))

    def open(self, name: str) -> pa.NativeFile:
        """A file opened for reading at any position."""
        return self._fs.open_input_file(f"{self._base}/{name}")

    def refused(self, error: BaseException) -> bool:  # noqa: ARG002 - an object store tells by it
        """Whether an error tells of where the files lie rather than of what a file holds; a disk tells it itself."""
        return False

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes of this machine out while a file is read, changed and published.

        The lock is the operating system's, on an open file: a killed process leaves none behind.
        """
        with self.explained("lock"):
            folder = self._home / ".locks"
            self._make_folder(folder)
            lock = FileLock(folder / quote(name, safe="="), mode=0o600, thread_local=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Give up the scratch folder of this process."""
        if self._scratch is not None and self._scratch_lock is not None:
            self._scratch_lock.release()
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _scratch_folder(self) -> Path:
        """This store's own folder under `.tmp/`, held by a lock for as long as the process lives."""
        with self._opening:
            if self._scratch is None:
                self._scratch = self._open_scratch()
            return self._scratch

    def _open_scratch(self) -> Path:
        with self.lock("tmp"):
            home = self._home / ".tmp"
            self._make_folder(home)
            _sweep(home)
            folder = home / f"{os.getpid()}-{secrets.token_hex(4)}"
            folder.mkdir(mode=0o700)
            self._scratch_lock = FileLock(folder / "lock", mode=0o600, thread_local=False)
            self._scratch_lock.acquire()
        return folder

    def _make_folder(self, folder: Path) -> None:
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        for part in reversed(missing):
            part.mkdir(mode=0o700, exist_ok=True)
            _sync(part.parent)

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn what the system refuses into one sentence.

        Args:
            doing: what is under way, such as `write the signals of a day to`.

        Raises:
            WarehouseError: the system refused it: no room, no permission, a broken disk.
        """
        try:
            yield
        except OSError as error:
            why = error.strerror or _first_line(error)
            raise WarehouseError(
                f"Cannot {doing} the warehouse {self.root} ({why}); make room or allow writing there, then run again."
            ) from error


def _sweep(home: Path) -> None:
    """Remove the scratch folders of processes that are gone: those whose lock nobody holds."""
    for folder in home.iterdir():
        lock = FileLock(folder / "lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
