//! The clock of the demo, and where it ran.

use std::time::Instant;

use dtatrans_kernels::Isa;
use dtatrans_model::{Checkpoint, Encoding};
use dtatrans_report::{Phase, Run};
use dtatrans_tasks::split::SplitSizes;
use sysinfo::System;

/// Seconds by phase.
pub(super) struct Phases {
    last: Instant,
    done: Vec<Phase>,
}

impl Phases {
    pub(super) fn new() -> Phases {
        Phases {
            last: Instant::now(),
            done: Vec::new(),
        }
    }

    /// Ends a phase; gives its seconds.
    pub(super) fn done(&mut self, name: &str) -> f64 {
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.done.push(Phase {
            name: name.into(),
            seconds,
        });
        seconds
    }

    /// What ran, where and when.
    pub(super) fn run(
        self,
        checkpoint: &Checkpoint,
        isa: Isa,
        sizes: SplitSizes,
        test: &[Encoding],
    ) -> Run {
        let shape = checkpoint.shape();
        Run {
            model: "all-MiniLM-L6-v2".into(),
            layers: shape.layers,
            hidden: shape.hidden,
            heads: shape.heads,
            data: "movie-review snippets with mean ratings by 20 people (Hutto and Gilbert, \
                   VADER, ICWSM 2014), those rated at least 0.5 from neutral"
                .into(),
            train_texts: sizes.train,
            test_texts: sizes.test,
            test_tokens: test.iter().map(Encoding::len).sum(),
            version: env!("DTATRANS_VERSION").into(),
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            processor: processor().unwrap_or_else(|| "unknown".into()),
            instruction_set: isa.name().into(),
            threads: rayon::current_num_threads(),
            system: System::long_os_version().unwrap_or_else(|_| "unknown".into()),
            phases: self.done,
        }
    }
}

/// The processor as the system names it.
fn processor() -> Option<String> {
    let mut system = System::new().ok()?;
    system.refresh_cpu_all();
    let brand = system.cpus().first()?.brand().trim().to_owned();
    (!brand.is_empty()).then_some(brand)
}
