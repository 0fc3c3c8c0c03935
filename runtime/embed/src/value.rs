//! How do values look to C, and who owns what they point to?

use std::ffi::c_int;

use reml_driver::embedding::HostValue;

pub const UNIT: c_int = 0;
const BOOL: c_int = 1;
const INT: c_int = 2;
const FLOAT: c_int = 3;
pub const TEXT: c_int = 4;
const BYTES: c_int = 5;
const LIST: c_int = 6;
/// Lists that are nested deeper are refused.
const MAX_DEPTH: usize = 64;

/// `reml_embed_value_t`
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Value {
    pub kind: c_int,
    pub is: Content,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union Content {
    pub integer: i64,
    pub number: f64,
    pub bytes: Slice<u8>,
    pub list: Slice<Value>,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Slice<T> {
    pub data: *const T,
    pub len: usize,
}

impl<T> Slice<T> {
    /// Nothing may stand behind a null pointer but nothing.
    ///
    /// # Safety
    /// A pointer that is not null must point to `len` values, for as long as the result is used.
    pub unsafe fn get<'a>(self) -> Option<&'a [T]> {
        if self.len == 0 {
            return Some(&[]);
        }
        // No allocation is larger than `isize::MAX`.
        if self.data.is_null() || self.len > isize::MAX as usize / size_of::<T>() {
            return None;
        }
        // SAFETY: per the contract.
        Some(unsafe { std::slice::from_raw_parts(self.data, self.len) })
    }
}

impl Value {
    pub const UNIT: Value = Value { kind: UNIT, is: Content { integer: 0 } };
}

/// A copy of a value of the host.
///
/// # Errors
///
/// What is wrong with it, in words.
///
/// # Safety
/// The value must be as the header says.
pub unsafe fn read(value: &Value) -> Result<HostValue, String> {
    // SAFETY: passed on to our caller.
    unsafe { read_at(value, 0) }
}

/// # Safety
/// As for [`read`].
unsafe fn read_at(value: &Value, depth: usize) -> Result<HostValue, String> {
    let missing = || "a value has no data: its pointer is null".to_owned();
    // SAFETY: the kind tells which member of the union is there; all bits are valid numbers, and pointers are as the header says.
    unsafe {
        match value.kind {
            UNIT => Ok(HostValue::Unit),
            BOOL => Ok(HostValue::Bool(value.is.integer != 0)),
            INT => Ok(HostValue::Int(value.is.integer)),
            FLOAT => Ok(HostValue::Float(value.is.number)),
            TEXT => match std::str::from_utf8(value.is.bytes.get().ok_or_else(missing)?) {
                Ok(text) => Ok(HostValue::Text(text.to_owned())),
                Err(error) => Err(format!("a text is not UTF-8 from byte {} on", error.valid_up_to())),
            },
            BYTES => Ok(HostValue::Bytes(value.is.bytes.get().ok_or_else(missing)?.to_vec())),
            LIST if depth == MAX_DEPTH => Err(format!("lists are nested more than {MAX_DEPTH} deep")),
            LIST => {
                let items = value.is.list.get().ok_or_else(missing)?;
                items.iter().map(|item| read_at(item, depth + 1)).collect::<Result<_, _>>().map(HostValue::List)
            }
            kind => Err(format!("there is no kind of values {kind}")),
        }
    }
}

/// A value for the host, and what it points to.
#[derive(Default)]
pub struct Owned {
    bytes: Vec<Box<[u8]>>,
    lists: Vec<Box<[Value]>>,
}

// SAFETY: the pointers in the lists are to what the same value owns.
unsafe impl Send for Owned {}

impl Owned {
    /// The value in the form for C. It is good as long as `self`.
    pub fn write(&mut self, value: HostValue) -> Value {
        match value {
            HostValue::Unit => Value::UNIT,
            HostValue::Bool(truth) => Value { kind: BOOL, is: Content { integer: truth.into() } },
            HostValue::Int(number) => Value { kind: INT, is: Content { integer: number } },
            HostValue::Float(number) => Value { kind: FLOAT, is: Content { number } },
            HostValue::Text(text) => Value { kind: TEXT, is: Content { bytes: self.keep(text.into_bytes()) } },
            HostValue::Bytes(bytes) => Value { kind: BYTES, is: Content { bytes: self.keep(bytes) } },
            HostValue::List(items) => {
                let items: Box<[Value]> = items.into_iter().map(|item| self.write(item)).collect();
                let list = Slice { data: items.as_ptr(), len: items.len() };
                self.lists.push(items);
                Value { kind: LIST, is: Content { list } }
            }
        }
    }

    fn keep(&mut self, mut bytes: Vec<u8>) -> Slice<u8> {
        let len = bytes.len();
        bytes.push(0);
        let bytes = bytes.into_boxed_slice();
        let slice = Slice { data: bytes.as_ptr(), len };
        self.bytes.push(bytes);
        slice
    }
}
