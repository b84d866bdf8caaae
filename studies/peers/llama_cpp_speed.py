"""How fast SmolLM2 goes on behind a long text, beside llama.cpp on the same GGUF file.

    venv/bin/python studies/peers/llama_cpp_speed.py MODEL.gguf TEXT --program target/release/dtatrans

For MODEL.gguf, and how to install llama.cpp, see llama_cpp_caches.py. All run in turn, each
so often, on the same tokens of TEXT; prints the median of the tokens per second, and of the
ratio to llama.cpp with its f16 cache in the same turn."""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from llama_cpp import Llama
from llama_cpp_caches import KINDS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--program", default="dtatrans")
    parser.add_argument("--plan", action="append", default=[], help="beside 8 bits")
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    bare = Llama(model_path=str(arguments.model), vocab_only=True, verbose=False)
    ids = bare.tokenize(arguments.text.read_bytes()[: 16 * arguments.context], add_bos=False)[: arguments.context]
    text = bare.detokenize(ids).decode(errors="ignore").replace("\n", " ")

    with tempfile.TemporaryDirectory() as folder:
        prompt = Path(folder) / "prompt.txt"
        prompt.write_text(text + "\n")
        ways = {f"llama.cpp, {kind} cache": lambda kind=kind: peer(arguments, ids, kind) for kind in KINDS}
        ways["dtatrans, 8 bits"] = lambda: own(arguments, prompt, ["--bits", "8"])
        for plan in arguments.plan:
            ways[f"dtatrans, {Path(plan).stem}"] = lambda plan=plan: own(arguments, prompt, ["--plan", plan])
        turns = [{name: run() for name, run in ways.items()} for _ in range(arguments.turns)]
    for name in ways:
        decoding = [turn[name][0] for turn in turns]
        ratios = [turn[name][0] / turn["llama.cpp, f16 cache"][0] for turn in turns]
        reading = [turn[name][1] for turn in turns]
        found = {"way": name, "threads": arguments.threads, "tokens_per_second": round(statistics.median(decoding), 1)}
        found["ratio_to_llama_cpp_f16"] = round(statistics.median(ratios), 2)
        found["prompt_tokens_per_second"] = round(statistics.median(reading))
        print(json.dumps(found), flush=True)


def own(arguments, prompt, precision):
    """Tokens per second, new ones and those of the prompt."""
    command = [arguments.program, "run", "--model", str(arguments.model), "--file", str(prompt), "--stats", "--json"]
    command += ["--threads", str(arguments.threads), "--max-new-tokens", str(arguments.tokens), *precision]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    stats = json.loads(done.stdout)["stats"]
    return stats["tokens_per_second"], stats["prompt_tokens_per_second"]


def peer(arguments, ids, kind):
    # Quantized values need llama.cpp's flash attention; without it f16 is faster.
    number, _ = KINDS[kind]
    model = Llama(
        model_path=str(arguments.model), n_ctx=arguments.context + arguments.tokens + 8, n_batch=512,
        n_threads=arguments.threads, n_threads_batch=arguments.threads, type_k=number, type_v=number,
        flash_attn=kind != "f16", verbose=False,
    )  # fmt: skip
    start = time.monotonic()
    model.eval(ids)
    read = time.monotonic()
    for index in range(arguments.tokens):
        # Which token it is makes no difference to the time.
        model.eval([ids[index]])
    return arguments.tokens / (time.monotonic() - read), len(ids) / (read - start)


if __name__ == "__main__":
    main()
