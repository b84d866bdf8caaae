#!/usr/bin/env python3
"""A sweep on a Ray cluster: each share is a task that Ray runs again if its node dies.

    python ray_sweep.py sweep.toml --shards 8 --out merged.csv

The folder of the sweep must be the same on all nodes (NFS or the like). A share that was
killed leaves what it had, and whoever runs it again goes on from there.
"""

import argparse
import ctypes
import signal
import subprocess
import time
from pathlib import Path

import ray


def die_with_parent() -> None:
    """Ends the program when the worker that began it ends: Linux only.

    Without it the program of a worker that was killed would go on, and its table would
    be locked.
    """
    set_death_signal = 1
    ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


@ray.remote(max_retries=10, retry_exceptions=True)
def share(program: str, sweep: str, index: int, of: int, threads: int) -> dict:
    """Simulates one share; gives its file and where it ran."""
    file = str(Path(sweep).with_suffix(f".{index}-of-{of}.csv"))
    command = [program, "sweep", sweep, "--shard", f"{index}/{of}", "--out", file]
    command += ["--threads", str(threads)]
    run = subprocess.run(command, capture_output=True, text=True, preexec_fn=die_with_parent)
    if run.returncode != 0:
        time.sleep(1)
        raise RuntimeError(f"share {index}/{of}: {run.stderr.strip()}")
    return {
        "file": file,
        "node": ray.get_runtime_context().get_node_id()[:8],
        "said": f"{run.stdout.strip()} {run.stderr.strip()}".strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of each share")
    parser.add_argument("--program", default="dtatrans")
    parser.add_argument("--address", default="auto")
    arguments = parser.parse_args()

    ray.init(address=arguments.address, logging_level="ERROR")
    sweep = str(arguments.sweep.resolve())
    of, threads = arguments.shards, arguments.threads
    running = {
        share.options(num_cpus=threads).remote(arguments.program, sweep, index, of, threads): index
        for index in range(1, of + 1)
    }
    files = {}
    while running:
        done, _ = ray.wait(list(running))
        for task in done:
            index, result = running.pop(task), ray.get(task)
            files[index] = result["file"]
            print(f"share {index}/{of} on node {result['node']}: {result['said']}", flush=True)
    shares = [files[index] for index in sorted(files)]
    subprocess.run([arguments.program, "merge", str(arguments.out), *shares], check=True)


if __name__ == "__main__":
    main()
