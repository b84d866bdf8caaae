"""The program `dtatrans`: built, identified, and run from a copy, so that nobody's
rebuild changes it in the middle of a study."""

import json
import os
import shutil
import subprocess
import tempfile

from harness import files
from harness.failure import Failure

# What the figures depend on. Its other crates read arguments and print.
SOURCES = [
    "crates/kernels/src",
    "crates/precision/src",
    "crates/model/src",
    "crates/tasks/src",
    "crates/assets/src/catalogue.rs",
]


class Program:
    """A copy of the program below the cache; `identity` tells versions apart
    whose figures may differ."""

    def __init__(self, path, identity, threads=None):
        self.path = path
        self.identity = identity
        self.threads = threads

    @classmethod
    def find(cls, root, cache, threads=None):
        """The file that the environment variable DTATRANS names, or a release
        build of the repository at `root`."""
        given = os.environ.get("DTATRANS")
        if given:
            found = shutil.which(given)
            if not found:
                raise Failure(f"DTATRANS={given}: no such program")
            identity = files.digest(found)
        else:
            found = build(root)
            identity = files.digest_of([[source, files.digest(root / source)] for source in SOURCES])
        copy = cache / "program" / files.digest(found) / "dtatrans"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            unfinished = copy.with_name(f"unfinished-{os.getpid()}")
            shutil.copy2(found, unfinished)
            os.replace(unfinished, copy)
        return cls(copy, identity, threads)

    def objects(self, *arguments, progress=False):
        """Runs a command with --json: yields each object that it prints, as soon
        as it does. With `progress` what it says on the way is passed on."""
        command = [str(self.path), *map(str, arguments), "--json"]
        if self.threads:
            command += ["--threads", str(self.threads)]
        with tempfile.TemporaryFile("w+") as errors:
            said = None if progress else errors
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
            try:
                for line in process.stdout:
                    yield json.loads(line)
                status = process.wait()
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
                process.stdout.close()
            if status:
                errors.seek(0)
                said = [line for line in errors.read().splitlines() if line.startswith("error:")]
                reason = said[-1].removeprefix("error:").strip() if said else f"exit status {status}"
                raise Failure(f"dtatrans {arguments[0]}: {reason}")

    def built_in(self, name):
        """What is known of a built-in model: an entry of `dtatrans models`."""
        (found,) = self.objects("models")
        return next((model for model in found["models"] if model["name"] == name), None)


def build(root, release=True):
    """Builds the program; returns its path."""
    command = ["cargo", "build", "--package", "dtatrans", "--message-format", "json-render-diagnostics"]
    command += ["--release"] if release else []
    try:
        outcome = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Failure("cargo: not found: install Rust, or name a built program in DTATRANS") from None
    if outcome.returncode:
        raise Failure("the program does not build (see above)")
    for line in outcome.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "dtatrans":
            return message["executable"]
    raise Failure("cargo built no program")
