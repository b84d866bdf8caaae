"""The program `dtatrans`: where it is, and what it is asked."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from failure import Failure

ROOT = Path(__file__).resolve().parents[2]


def path():
    """The program that the environment variable DTATRANS names, else this
    repository's release build, else the one on the search path."""
    built = ROOT / "target/release/dtatrans"
    found = os.environ.get("DTATRANS") or (str(built) if built.exists() else shutil.which("dtatrans"))
    if not found:
        raise Failure("no program `dtatrans`: build it with `cargo build --release`")
    return found


def ask(*arguments):
    """What the program prints."""
    try:
        done = subprocess.run(
            [path(), *map(str, arguments)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
    except OSError as error:
        raise Failure(f"{path()}: {error.strerror}") from None
    if done.returncode:
        raise Failure(f"`dtatrans {' '.join(map(str, arguments))}` failed")
    return done.stdout


def model(name):
    """The folder of a checkpoint: a folder, or a built-in model's name, which the
    program fetches where it must."""
    if Path(name).is_dir():
        return Path(name)
    for attempt in range(2):
        models = {entry["name"]: entry for entry in json.loads(ask("models", "--json"))["models"]}
        if name not in models:
            raise Failure(f"{name}: no such folder, and no built-in model (there is: {', '.join(models)})")
        if models[name]["cached"]:
            return Path(models[name]["cached"])
        if attempt == 0:
            ask("run", "--model", name, "--bits", 32, "fetch")
    raise Failure(f"{name}: could not be fetched")
