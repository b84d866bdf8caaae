//! The DTATrans method, free of I/O: importance, tiers, plan, quantizers, compensation, trace, workload.
