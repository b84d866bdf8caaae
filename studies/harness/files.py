"""Files that are complete or absent, and digests of what they hold."""

import hashlib
import json
import os
import tempfile
from functools import lru_cache
from pathlib import Path


def write(path, content):
    """Writes text or bytes by way of a temporary file beside it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(prefix=".unfinished-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def digest(path):
    """The SHA-256 of a file, or of the names and contents of all files below a
    folder."""
    path = Path(path)
    if not path.is_dir():
        status = path.stat()
        return digest_of_version(path, status.st_size, status.st_mtime_ns)
    names = sorted(file for file in path.rglob("*") if file.is_file())
    return digest_of([[str(file.relative_to(path)), digest(file)] for file in names])


@lru_cache(maxsize=None)
def digest_of_version(path, size, modified):
    """A model is read once, however many plans run on it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value):
    """The SHA-256 of plain data."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
