//! Data sets, metrics and the evaluation loop.
