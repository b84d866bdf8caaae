"""llama.cpp's own caches on the texts of the study `gpt2`.

    python3 -m venv venv && venv/bin/pip install llama-cpp-python==0.3.36 numpy
    venv/bin/python studies/peers/llama_cpp_caches.py MODEL.gguf DATA --prompts PROMPTS.jsonl

MODEL.gguf is the file that `dtatrans models` names for smollm2, DATA the folder of
studies/README.md, PROMPTS what `dtatrans eval --task needle --save-prompts` wrote. Prints
one JSON object a line: perplexity of the same windows as `dtatrans eval --task lm`, whose
tokens all see a cache of the kind, the divergence from the f16 cache, and how many prompts
are answered."""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
from llama_cpp import Llama, llama_get_logits_ith

# Types of ggml, and bytes of 32 values.
KINDS = {"f16": (1, 64), "q8_0": (8, 34), "q4_0": (2, 18)}

# Keys and values of a token: layers, key-value heads, width.
VALUES = 2 * 30 * 3 * 64

# All tokens at 8 bits in dtatrans: a scale of 16 bits a token and head beside.
EIGHT_BITS = 2 * 30 * 3 * (64 + 2)

ANSWER_TOKENS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--prompts", type=Path)
    parser.add_argument("--context", type=int, default=992)
    parser.add_argument("--score", type=int, default=256)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="take so many of the prompts")
    arguments = parser.parse_args()
    prompts = []
    if arguments.prompts:
        prompts = [json.loads(line) for line in arguments.prompts.read_text().splitlines()][: arguments.limit]
    length = arguments.context + arguments.score
    reference = None
    for kind, (number, block) in KINDS.items():
        def loaded(tokens, all_logits, number=number):
            return Llama(
                model_path=str(arguments.model), n_ctx=tokens, n_batch=512, n_threads=arguments.threads,
                n_threads_batch=arguments.threads, type_k=number, type_v=number, flash_attn=True,
                logits_all=all_logits, verbose=False,
            )  # fmt: skip

        model = loaded(length, True)
        found = {"cache": kind, "cache_percent": round(100 * VALUES * block / 32 / EIGHT_BITS, 1)}
        losses, divergences, kept = [], [], []
        for index, window in enumerate(windows(model, arguments, length)):
            model.reset()
            model.eval(window)
            # Row i says what follows token i.
            rows = model.scores[arguments.context - 1 : length - 1]
            logs = rows - np.logaddexp.reduce(rows.astype(np.float64), axis=1, keepdims=True)
            targets = window[arguments.context :]
            losses.append(-logs[np.arange(len(targets)), targets])
            if reference is None:
                kept.append(logs.astype(np.float32))
            else:
                exact = reference[index].astype(np.float64)
                divergences.append((np.exp(exact) * (exact - logs)).sum(axis=1))
        mean = float(np.concatenate(losses).mean())
        found |= {"n": sum(map(len, losses)), "perplexity": round(math.exp(mean), 4)}
        found["window_losses"] = [round(float(loss.sum()), 4) for loss in losses]
        if divergences:
            found["divergence_from_f16"] = round(float(np.concatenate(divergences).mean()), 6)
        else:
            reference = kept
        if prompts:
            del model
            model = loaded(max(len(prompt["ids"]) for prompt in prompts) + ANSWER_TOKENS, False)
            start = time.monotonic()
            answered = [answers(model, prompt) for prompt in prompts]
            found |= {"answered_percent": round(100 * sum(answered) / len(answered), 2), "prompts": len(answered)}
            found |= {"answered": answered, "seconds": round(time.monotonic() - start)}
        print(json.dumps(found), flush=True)


def windows(model, arguments, length):
    """The windows of the second half of the text's tokens."""
    text = (arguments.data / "wikitext2/valid.txt").read_bytes()
    ids = model.tokenize(text, add_bos=False)
    half = ids[len(ids) // 2 :]
    count = min(arguments.windows, len(half) // length)
    return [half[index * length : (index + 1) * length] for index in range(count)]


def answers(model, prompt):
    """Whether the likeliest continuation begins with the answer."""
    model.reset()
    tokens, made = prompt["ids"], []
    for _ in range(ANSWER_TOKENS):
        model.eval(tokens)
        logits = np.ctypeslib.as_array(llama_get_logits_ith(model.ctx, -1), shape=(model.n_vocab(),))
        tokens = [int(np.argmax(logits))]
        made += tokens
    text = model.detokenize(made).decode(errors="replace").lstrip()
    rest = text.removeprefix(prompt["answer"])
    return rest != text and not rest[:1].isdigit()


if __name__ == "__main__":
    main()
