"""The products of one encoder layer of BERT-base, on a plain array, beside SCALE-Sim 3.0.0.

    python3 -m venv venv && venv/bin/pip install scalesim==3.0.0 "numpy<2.3"
    venv/bin/python studies/peers/scalesim_cycles.py --program target/release/dtatrans

Both read the same list of products and run it on the same array, folds one after the other.
Prints for each product the cycles of both, then simulated cycles per second of CPU time,
start of the program included. SCALE-Sim takes minutes: it walks every cycle."""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

DATAFLOWS = {"os": "output-stationary", "ws": "weight-stationary", "is": "input-stationary"}

CONFIG = """[general]
run_name = run
[architecture_presets]
ArrayHeight = {side}
ArrayWidth = {side}
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {dataflow}
Bandwidth = 32
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 32
IfmapSRAMBankNum = 32
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 32
FilterSRAMBankNum = 32
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""

SCALESIM = """
import sys
from scalesim.scale_sim import scalesim
config, products, layout, folder = sys.argv[1:]
run = scalesim(save_disk_space=True, verbose=False, config=config, topology=products, layout=layout,
               input_type_gemm=True)
run.run_scale(top_path=folder)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="dtatrans")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--dataflow", choices=DATAFLOWS, default="os")
    parser.add_argument("--products", nargs="*", help="only these")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        products = folder / "products.csv"
        rows = [row for row in layer(arguments.tokens) if not arguments.products or row[0] in arguments.products]
        products.write_text("Layer, M, N, K,\n" + "".join(f"{', '.join(map(str, row))},\n" for row in rows))
        own, own_seconds = run_own(arguments, products)
        peer, peer_seconds = run_scalesim(arguments, products, folder)
    for (name, *sizes), ours, theirs in zip(rows, own, peer, strict=True):
        # SCALE-Sim prints the index of the last cycle.
        found = {"product": name, "mnk": sizes, "cycles": ours, "scalesim": theirs, "equal": ours == theirs + 1}
        print(json.dumps(found))
    cycles = sum(own)
    print(json.dumps({"tokens": arguments.tokens, "array": f"{arguments.side} x {arguments.side}",
                      "dataflow": arguments.dataflow, "cycles": cycles,
                      "cpu_seconds": round(own_seconds, 4), "cycles_per_cpu_second": round(cycles / own_seconds),
                      "scalesim_cpu_seconds": round(peer_seconds, 1),
                      "scalesim_cycles_per_cpu_second": round(cycles / peer_seconds)}))  # fmt: skip


def layer(n):
    """Name, M, N and K; of the heads, which are alike, one."""
    yield "query", n, 768, 768
    yield "key-value", n, 1536, 768
    yield "score", n, n, 64
    yield "context", n, 64, n
    yield "output", n, 768, 768
    yield "up", n, 3072, 768
    yield "down", n, 768, 3072


def cpu_seconds(command):
    """What a command prints, and the CPU time that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_own(arguments, products):
    command = [arguments.program, "simulate", "--gemm", str(products), "--machine", "systolic-128", "--json"]
    dataflow = DATAFLOWS[arguments.dataflow]
    for setting in [f"rows={arguments.side}", f"columns={arguments.side}", f'dataflow="{dataflow}"', 'overlap="serial"']:
        command += ["--set", f"array.{setting}"]
    printed, seconds = cpu_seconds(command)
    (machine,) = json.loads(printed)["machines"]
    return [product["cycles"] for product in machine["products"]], seconds


def run_scalesim(arguments, products, folder):
    config, layout = folder / "scale.cfg", folder / "layout.csv"
    config.write_text(CONFIG.format(side=arguments.side, dataflow=arguments.dataflow))
    layout.write_text("Layer,\n")
    _, seconds = cpu_seconds([sys.executable, "-c", SCALESIM, *map(str, [config, products, layout, folder])])
    with (folder / "run" / "COMPUTE_REPORT.csv").open() as report:
        rows = csv.DictReader(report, skipinitialspace=True)
        return [int(float(row["Total Cycles"])) for row in rows], seconds


if __name__ == "__main__":
    main()
