//! Checkpoints, tokenizers and transformer models run under a precision plan.
