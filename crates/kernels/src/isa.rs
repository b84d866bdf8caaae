//! Instruction sets, and how code gets compiled for each.

use std::fmt;

/// An instruction set that this processor has: it cannot be built otherwise,
/// so code compiled for it is safe to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// What the compiler may assume anyway: the reference for the others.
    pub const SCALAR: Isa = Isa(Level::Scalar);

    /// The best that this processor has.
    pub fn best() -> Isa {
        Isa::available()[0]
    }

    /// All that this processor has, best first.
    pub fn available() -> Vec<Isa> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
            {
                found.push(Isa(Level::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Isa(Level::Avx2));
            }
        }
        found.push(Isa::SCALAR);
        found
    }

    /// The available one of that [`name`](Isa::name).
    pub fn named(name: &str) -> Option<Isa> {
        Isa::available().into_iter().find(|isa| isa.name() == name)
    }

    /// `avx512-vnni`, `avx2` or `scalar`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512-vnni",
        }
    }

    /// Whether this is AVX2 without the byte products of VNNI.
    pub(crate) fn is_avx2(self) -> bool {
        self.name() == "avx2"
    }

    /// Whether this has the byte products of AVX-512 VNNI.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn has_vnni(self) -> bool {
        self.0 == Level::Avx512
    }

    /// Runs `body` compiled for this instruction set. Only what is inlined into
    /// it profits: `body` and all that it calls should be `#[inline(always)]`.
    #[inline(always)]
    pub(crate) fn vectorise<R>(self, body: impl FnOnce() -> R) -> R {
        match self.0 {
            Level::Scalar => body(),
            // SAFETY: `Isa` was built after the processor was asked.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2(body) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512(body) },
        }
    }
}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}
