//! How much memory and how many processors may something use?
//!
//! A limit as it is written, relative to the machine perhaps, becomes a number of bytes or of slots.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use serde_json::{Value, json};

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum MemoryLimit {
    #[default]
    Unlimited,
    Absolute {
        bytes: NonZeroU64,
    },
    /// A share of the memory of the machine: 0.01 to 1.
    Relative {
        share: f64,
    },
    /// A warning at the first, the end at the second.
    Soft {
        soft_bytes: NonZeroU64,
        hard_bytes: Option<NonZeroU64>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryLimitResolved {
    pub soft_bytes: Option<u64>,
    pub hard_bytes: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum CpuQuota {
    #[default]
    Unlimited,
    /// A share of all cores: 0.05 to 1.
    Fraction {
        share: f64,
    },
    /// Thousandths of a core.
    MilliCores(NonZeroU32),
    FixedCores(NonZeroU16),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuQuotaNormalized {
    /// Thousandths of a core.
    pub milli_cores: u64,
    /// Tasks that run at a time: cores, rounded up.
    pub slots: u32,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ResourceLimitError {
    ZeroOrNegative,
    PercentageOutOfRange {
        share: f64,
        least: f64,
    },
    /// The limit is relative, and the size of the machine is not known.
    MissingBaseline,
    ExceedsPhysicalMemory {
        bytes: u64,
        physical: u64,
    },
    /// More slots than there is parallelism.
    SchedulingOverflow {
        slots: u64,
        parallelism: u32,
    },
}

const LEAST_MEMORY: f64 = 0.01;
const LEAST_CPU: f64 = 0.05;

impl MemoryLimit {
    /// # Errors
    ///
    /// `ZeroOrNegative`.
    pub fn mebibytes(count: u64) -> Result<MemoryLimit, ResourceLimitError> {
        let bytes = count.checked_mul(1 << 20).and_then(NonZeroU64::new);
        bytes.map(|bytes| MemoryLimit::Absolute { bytes }).ok_or(ResourceLimitError::ZeroOrNegative)
    }

    /// In bytes, on a machine with so much memory.
    ///
    /// # Errors
    ///
    /// See [`ResourceLimitError`].
    pub fn resolve(self, total_physical: Option<u64>) -> Result<MemoryLimitResolved, ResourceLimitError> {
        let hard = |bytes: u64| MemoryLimitResolved { soft_bytes: None, hard_bytes: Some(bytes) };
        let resolved = match self {
            MemoryLimit::Unlimited => MemoryLimitResolved { soft_bytes: None, hard_bytes: None },
            MemoryLimit::Absolute { bytes } => hard(bytes.get()),
            MemoryLimit::Relative { share } => {
                in_range(share, LEAST_MEMORY)?;
                let total = total_physical.ok_or(ResourceLimitError::MissingBaseline)?;
                hard(((total as f64 * share) as u64).max(1))
            }
            MemoryLimit::Soft { soft_bytes, hard_bytes } => {
                // A hard limit below the soft one is the only one that counts.
                let hard_bytes = hard_bytes.map(NonZeroU64::get);
                let soft = hard_bytes.map_or(soft_bytes.get(), |hard| soft_bytes.get().min(hard));
                MemoryLimitResolved { soft_bytes: Some(soft), hard_bytes }
            }
        };
        match (resolved.hard_bytes.or(resolved.soft_bytes), total_physical) {
            (Some(bytes), Some(physical)) if bytes > physical => {
                Err(ResourceLimitError::ExceedsPhysicalMemory { bytes, physical })
            }
            _ => Ok(resolved),
        }
    }

    pub(crate) fn to_json(self) -> Value {
        match self {
            MemoryLimit::Unlimited => json!("unlimited"),
            MemoryLimit::Absolute { bytes } => json!({ "bytes": bytes }),
            MemoryLimit::Relative { share } => json!({ "share": share }),
            MemoryLimit::Soft { soft_bytes, hard_bytes } => json!({ "hard": hard_bytes, "soft": soft_bytes }),
        }
    }
}

impl CpuQuota {
    /// On a machine with so many cores, of which so many can be used at a time.
    ///
    /// # Errors
    ///
    /// See [`ResourceLimitError`].
    pub fn normalize(self, logical_cores: u32, parallelism: u32) -> Result<CpuQuotaNormalized, ResourceLimitError> {
        if logical_cores == 0 || parallelism == 0 {
            return Err(ResourceLimitError::MissingBaseline);
        }
        let milli_cores = match self {
            CpuQuota::Unlimited => u64::from(parallelism) * 1000,
            CpuQuota::Fraction { share } => {
                in_range(share, LEAST_CPU)?;
                ((f64::from(logical_cores) * 1000.0 * share).round() as u64).max(1)
            }
            CpuQuota::MilliCores(count) => count.get().into(),
            CpuQuota::FixedCores(count) => u64::from(count.get()) * 1000,
        };
        let slots = milli_cores.div_ceil(1000);
        match u32::try_from(slots) {
            Ok(slots) if slots <= parallelism => Ok(CpuQuotaNormalized { milli_cores, slots }),
            _ => Err(ResourceLimitError::SchedulingOverflow { slots, parallelism }),
        }
    }

    pub(crate) fn to_json(self) -> Value {
        match self {
            CpuQuota::Unlimited => json!("unlimited"),
            CpuQuota::Fraction { share } => json!({ "share": share }),
            CpuQuota::MilliCores(count) => json!({ "milli_cores": count }),
            CpuQuota::FixedCores(count) => json!({ "cores": count }),
        }
    }
}

fn in_range(share: f64, least: f64) -> Result<(), ResourceLimitError> {
    // Written so that it is also false for NaN.
    if share > 0.0 {
        if (least..=1.0).contains(&share) {
            return Ok(());
        }
        return Err(ResourceLimitError::PercentageOutOfRange { share, least });
    }
    Err(ResourceLimitError::ZeroOrNegative)
}

impl fmt::Display for ResourceLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResourceLimitError::ZeroOrNegative => f.write_str("a limit has to be more than zero"),
            ResourceLimitError::PercentageOutOfRange { share, least } => {
                write!(f, "a share is between {least} and 1, not {share}")
            }
            ResourceLimitError::MissingBaseline => {
                f.write_str("the limit is a share of the machine, whose size is not known; give a number instead")
            }
            ResourceLimitError::ExceedsPhysicalMemory { bytes, physical } => {
                write!(f, "the limit of {bytes} bytes is more than the machine has, which is {physical}")
            }
            ResourceLimitError::SchedulingOverflow { slots, parallelism } => {
                write!(f, "the quota is for {slots} tasks at a time, but only {parallelism} can run")
            }
        }
    }
}

impl std::error::Error for ResourceLimitError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_resolved_against_the_machine() {
        let gib = Some(1 << 30);
        let limit = MemoryLimit::mebibytes(64).unwrap();
        assert_eq!(limit.resolve(gib).unwrap().hard_bytes, Some(64 << 20));
        assert_eq!(MemoryLimit::Relative { share: 0.5 }.resolve(gib).unwrap().hard_bytes, Some(1 << 29));
        let bytes = |count| NonZeroU64::new(count).unwrap();
        let soft = MemoryLimit::Soft { soft_bytes: bytes(9), hard_bytes: Some(bytes(5)) };
        assert_eq!(soft.resolve(gib).unwrap(), MemoryLimitResolved { soft_bytes: Some(5), hard_bytes: Some(5) });

        let share = |share| MemoryLimit::Relative { share }.resolve(gib).unwrap_err();
        assert_eq!(share(0.0), ResourceLimitError::ZeroOrNegative);
        assert_eq!(share(f64::NAN), ResourceLimitError::ZeroOrNegative);
        assert_eq!(share(0.001).to_string(), "a share is between 0.01 and 1, not 0.001");
        assert_eq!(share(1.5).to_string(), "a share is between 0.01 and 1, not 1.5");
        assert_eq!(MemoryLimit::mebibytes(0), Err(ResourceLimitError::ZeroOrNegative));
        let relative = MemoryLimit::Relative { share: 0.5 };
        assert_eq!(relative.resolve(None), Err(ResourceLimitError::MissingBaseline));
        assert!(matches!(limit.resolve(Some(1)), Err(ResourceLimitError::ExceedsPhysicalMemory { .. })));
    }

    #[test]
    fn slots_are_rounded_up() {
        let slots = |quota: CpuQuota| quota.normalize(8, 8).map(|normal| (normal.milli_cores, normal.slots));
        assert_eq!(slots(CpuQuota::Unlimited), Ok((8000, 8)));
        assert_eq!(slots(CpuQuota::Fraction { share: 0.3 }), Ok((2400, 3)));
        assert_eq!(slots(CpuQuota::MilliCores(NonZeroU32::new(1).unwrap())), Ok((1, 1)));
        assert_eq!(
            slots(CpuQuota::FixedCores(NonZeroU16::new(9).unwrap())),
            Err(ResourceLimitError::SchedulingOverflow { slots: 9, parallelism: 8 })
        );
        assert!(slots(CpuQuota::Fraction { share: 0.01 }).is_err());
    }
}
