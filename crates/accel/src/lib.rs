//! Accelerator models: the variable-speed systolic array and its baselines.
