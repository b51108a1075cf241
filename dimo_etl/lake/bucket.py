"""A warehouse in a bucket of an object store, through the same methods as one in a folder.

Promise: a file appears under its name whole or not at all: it is written on this machine, and put by one upload, which
object stores make atomic. Locks and files being written lie in a private temporary folder of this machine. So writers
of one machine wait for each other; those of several do not, and `write_day` looks again after it has written.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from dimo_etl.errors import ConfigError, WarehouseError
from dimo_etl.lake.store import Store

_CAUSE = re.compile(r"AWS Error (\w+)")


class BucketStore(Store):
    """The files below an address such as `s3://bucket/folder`.

    Args:
        root: the address, with what pyarrow takes in its query; `Store.root` is the address without it.

    Raises:
        ConfigError: pyarrow cannot make sense of the address.
        WarehouseError: the temporary folder of this machine is another user's.
    """

    shared = True

    def __init__(self, root: str) -> None:
        address = root.partition("?")[0].rstrip("/")
        super().__init__(address)
        try:
            self._fs, self._base = fs.FileSystem.from_uri(root)
        except (pa.ArrowException, OSError):
            # The reason is not repeated: it may quote what the address holds.
            raise ConfigError(
                f"DIMO_WAREHOUSE {address} has something after its `?` that cannot be used; "
                "give region, endpoint_override and scheme, or nothing."
            ) from None
        self._home = _private_folder() / hashlib.sha256(root.encode()).hexdigest()[:16]

    @property
    def filesystem(self) -> fs.FileSystem:
        """What reads the files."""
        return self._fs

    def publish(self, staged: Path, name: str) -> None:
        """Put a staged file under its name, replacing what was there."""
        with (
            self.explained(f"write {name} in"),
            # Mapped and given at once: no failure to read it here can end an upload as if it were whole.
            pa.memory_map(str(staged)) as source,
            self._fs.open_output_stream(f"{self._base}/{name}") as sink,
        ):
            sink.write(source.read_buffer())
        self.discard(staged)

    def set_aside(self, name: str) -> str:
        """Move a file that is not what was written to where no reader looks; returns its new name."""
        aside = f"damaged/{name}"
        with self.explained(f"move {name} in"):
            self._fs.move(f"{self._base}/{name}", f"{self._base}/{aside}")
        return aside

    def put_back(self, name: str) -> None:
        """Undo `set_aside`."""
        with self.explained(f"move {name} in"):
            self._fs.move(f"{self._base}/damaged/{name}", f"{self._base}/{name}")

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with self.explained(f"remove {name} from"):
            if self.exists(name):
                self._fs.delete_file(f"{self._base}/{name}")

    def open(self, name: str) -> pa.NativeFile:
        """A file opened for reading at any position."""
        with self.explained(f"read {name} in"):
            return super().open(name)

    def identity(self, name: str) -> str:
        """What tells a file from the one that replaces it; empty where there is none."""
        with self.explained(f"look for {name} in"):
            info = self._fs.get_file_info(f"{self._base}/{name}")
        return f"{info.size} {info.mtime_ns}" if info.is_file else ""

    def is_empty(self) -> bool:
        """Whether nothing was ever written here."""
        with self.explained("look into"):
            return not self._fs.get_file_info(fs.FileSelector(self._base, allow_not_found=True))

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        with self.explained(f"read {name} in"), self.open(name) as source:
            return bytes(source.read())

    def refused(self, error: BaseException) -> bool:
        """Whether an error tells of the object store rather than of what a file holds."""
        return _CAUSE.search(str(error)) is not None

    @contextlib.contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Turn what the object store refuses into one sentence.

        Raises:
            WarehouseError: it cannot be reached, or refused.
        """
        try:
            yield
        except OSError as error:
            raise WarehouseError(
                f"Cannot {doing} the warehouse {self.root} ({cause(error)}); check the address, that it can be "
                "reached, and that the credentials in the environment may read and write it, then run again."
            ) from error


def cause(error: BaseException) -> str:
    """What an error of an object store says, without the request it quotes, which may hold names of keys."""
    found = _CAUSE.search(str(error))
    if found is not None:
        return found[1].lower().replace("_", " ")
    return getattr(error, "strerror", None) or type(error).__name__


def _private_folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"dimo-etl-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise WarehouseError(f"The folder {folder} is not this user's; remove it, or set TMPDIR to another folder.")
    return folder
