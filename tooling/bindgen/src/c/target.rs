//! For which machine does the compiler read the headers? Learned from the macros that it defines by itself.

use super::model::{IntKind, Layout};
use super::token::Macro;

/// Sizes that differ between platforms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    pub pointer: u64,
    long: u64,
    long_double: u64,
    /// Scalars are aligned to their size, but not to more than this.
    largest_align: u64,
    pub va_list: Layout,
    pub little_endian: bool,
    /// What the linker's names begin with.
    pub prefix: String,
    /// Whether `char` has no sign.
    pub char_unsigned: bool,
}

impl Default for Target {
    /// The usual 64-bit Unix, which the macros then correct.
    fn default() -> Self {
        Target {
            pointer: 8,
            long: 8,
            long_double: 16,
            largest_align: 16,
            va_list: Layout { size: 24, align: 8 },
            little_endian: true,
            prefix: String::new(),
            char_unsigned: false,
        }
    }
}

impl Target {
    pub fn of_macros(macros: &[Macro]) -> Target {
        let text = |name: &str| macros.iter().find(|it| it.name == name).map(|it| it.body.as_str());
        let number = |name: &str| text(name).and_then(|body| body.parse::<u64>().ok()).filter(|&n| n > 0);
        let usual = Target::default();
        let pointer = number("__SIZEOF_POINTER__").unwrap_or(usual.pointer);
        let apple = text("__APPLE__").is_some();
        let va_list = if text("__x86_64__").is_some() && text("_WIN32").is_none() {
            Layout { size: 24, align: 8 }
        } else if text("__aarch64__").is_some() && !apple && text("_WIN32").is_none() {
            Layout { size: 32, align: 8 }
        } else {
            Layout { size: pointer, align: pointer }
        };
        Target {
            pointer,
            long: number("__SIZEOF_LONG__").unwrap_or(usual.long),
            long_double: number("__SIZEOF_LONG_DOUBLE__").unwrap_or(usual.long_double),
            largest_align: if text("__i386__").is_some() { 4 } else { usual.largest_align },
            va_list,
            little_endian: text("__BYTE_ORDER__") != Some("__ORDER_BIG_ENDIAN__"),
            prefix: text("__USER_LABEL_PREFIX__").unwrap_or_default().to_owned(),
            char_unsigned: text("__CHAR_UNSIGNED__").is_some(),
        }
    }

    /// A scalar of this size.
    pub fn scalar(&self, size: u64) -> Layout {
        Layout { size, align: size.min(self.largest_align) }
    }

    pub fn int_layout(&self, kind: IntKind) -> Layout {
        self.scalar(match kind {
            IntKind::Char | IntKind::SChar | IntKind::UChar => 1,
            IntKind::Short | IntKind::UShort => 2,
            IntKind::Int | IntKind::UInt => 4,
            IntKind::Long | IntKind::ULong => self.long,
            IntKind::LongLong | IntKind::ULongLong => 8,
            IntKind::Int128 | IntKind::UInt128 => 16,
        })
    }

    pub fn long_double(&self) -> Layout {
        self.scalar(self.long_double)
    }

    /// Whether the type has negative values.
    pub fn is_signed(&self, kind: IntKind) -> bool {
        match kind {
            IntKind::Char => !self.char_unsigned,
            IntKind::SChar | IntKind::Short | IntKind::Int | IntKind::Long | IntKind::LongLong | IntKind::Int128 => {
                true
            }
            _ => false,
        }
    }

    /// The type of `sizeof`.
    pub fn size_type(&self) -> IntKind {
        if self.long == self.pointer { IntKind::ULong } else { IntKind::ULongLong }
    }

    /// A value as the type holds it: C leaves out what does not fit. `None` for 128 bits.
    pub fn wrap(&self, value: i128, kind: IntKind) -> Option<i128> {
        let bits = self.int_layout(kind).size * 8;
        if bits > 64 {
            return None;
        }
        let kept = value & ((1 << bits) - 1);
        let negative = self.is_signed(kind) && kept >> (bits - 1) == 1;
        Some(if negative { kept - (1 << bits) } else { kept })
    }
}
