//! What does a C function take and give, and how do these values lie in memory?
//!
//! Signatures come as text, in the words of the library's `Core.Ffi.Types`: `I32,{U8,F64};F64->Ptr`. Behind `;` are the arguments that a variadic function gets
//! beyond its own. Arguments are packed as the fields of a struct would be, so one rule says where everything lies.

/// A number, a truth value or an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Ptr,
}

impl Scalar {
    const NAMES: [(&str, Scalar); 12] = [
        ("Bool", Scalar::Bool),
        ("I8", Scalar::I8),
        ("U8", Scalar::U8),
        ("I16", Scalar::I16),
        ("U16", Scalar::U16),
        ("I32", Scalar::I32),
        ("U32", Scalar::U32),
        ("I64", Scalar::I64),
        ("U64", Scalar::U64),
        ("F32", Scalar::F32),
        ("F64", Scalar::F64),
        ("Ptr", Scalar::Ptr),
    ];

    pub fn size(self) -> usize {
        match self {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
            Scalar::Ptr => size_of::<usize>(),
        }
    }

    /// What C makes of it behind `...`.
    fn promoted(self) -> Scalar {
        match self {
            Scalar::F32 => Scalar::F64,
            small if small.size() < 4 => Scalar::I32,
            other => other,
        }
    }
}

/// A type that C can pass by value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CType {
    Scalar(Scalar),
    Struct(CStruct),
}

/// Fields in the order of C.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CStruct {
    pub fields: Vec<CField>,
    pub size: usize,
    pub align: usize,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CField {
    pub offset: usize,
    pub ty: CType,
}

/// What a function takes and gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CSignature {
    /// All that is passed, as the fields of a struct.
    pub args: CStruct,
    /// How many of them a variadic function declares.
    pub fixed: Option<usize>,
    /// `None` for `void`.
    pub returns: Option<CType>,
}

/// Nobody writes structs in structs as deep as this.
const MAX_DEPTH: usize = 64;
/// Bytes of all that is passed. It goes onto the stack, perhaps twice.
const MAX_SIZE: usize = 256 << 10;

impl CType {
    pub fn size(&self) -> usize {
        match self {
            CType::Scalar(scalar) => scalar.size(),
            CType::Struct(described) => described.size,
        }
    }

    pub fn align(&self) -> usize {
        match self {
            CType::Scalar(scalar) => scalar.size(),
            CType::Struct(described) => described.align,
        }
    }
}

impl CStruct {
    /// Places fields one behind the other, `packed` without gaps.
    fn of(types: Vec<CType>, packed: bool) -> Result<CStruct, String> {
        let (mut size, mut align) = (0usize, 1);
        let mut fields = Vec::with_capacity(types.len());
        for ty in types {
            let wanted = if packed { 1 } else { ty.align() };
            let offset = size.next_multiple_of(wanted);
            size = offset + ty.size();
            align = align.max(wanted);
            if size > MAX_SIZE {
                return Err(format!("more than {MAX_SIZE} bytes cannot be passed by value"));
            }
            fields.push(CField { offset, ty });
        }
        Ok(CStruct { fields, size: size.next_multiple_of(align), align })
    }

    /// Calls `f` with the offset of each scalar.
    pub fn each_scalar(&self, offset: usize, f: &mut impl FnMut(usize, Scalar)) {
        for field in &self.fields {
            match &field.ty {
                CType::Scalar(scalar) => f(offset + field.offset, *scalar),
                CType::Struct(inner) => inner.each_scalar(offset + field.offset, f),
            }
        }
    }
}

impl CSignature {
    /// Reads a signature.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<CSignature, String> {
        let mut reader = Reader { rest: text };
        let mut params = reader.types(0, &[";", "->"])?;
        let mut fixed = None;
        if reader.skip(";") {
            fixed = Some(params.len());
            if params.is_empty() {
                return Err("a function with `...` has a parameter before it".to_owned());
            }
            for extra in reader.types(0, &["->"])? {
                if let CType::Scalar(scalar) = extra
                    && scalar != scalar.promoted()
                {
                    let promoted = scalar.promoted();
                    return Err(format!("behind `...`, C makes {promoted:?} of {scalar:?}; pass that"));
                }
                params.push(extra);
            }
        }
        if !reader.skip("->") {
            return Err("the result is missing".to_owned());
        }
        let returns = if reader.skip("Void") { None } else { Some(reader.ty(0)?) };
        if !reader.rest.is_empty() {
            return Err(format!("`{}` is too much", reader.rest));
        }
        Ok(CSignature { args: CStruct::of(params, false)?, fixed, returns })
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Types between commas, until one of these comes.
    fn types(&mut self, depth: usize, ends: &[&str]) -> Result<Vec<CType>, String> {
        let mut types = Vec::new();
        while !ends.iter().any(|end| self.rest.starts_with(end)) {
            if !types.is_empty() && !self.skip(",") {
                return Err(format!("a comma is missing before `{}`", self.rest));
            }
            types.push(self.ty(depth)?);
        }
        Ok(types)
    }

    fn ty(&mut self, depth: usize) -> Result<CType, String> {
        if depth > MAX_DEPTH {
            return Err(format!("structs are nested more than {MAX_DEPTH} deep"));
        }
        let packed = self.skip("Packed");
        if self.skip("{") {
            let fields = self.types(depth + 1, &["}"])?;
            self.skip("}");
            return Ok(CType::Struct(CStruct::of(fields, packed)?));
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        let known = Scalar::NAMES.iter().find(|(known, _)| *known == name && !packed);
        let (_, scalar) = known.ok_or_else(|| format!("`{name}` cannot be passed by value"))?;
        self.rest = &self.rest[end..];
        Ok(CType::Scalar(*scalar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(text: &str) -> Vec<usize> {
        let mut offsets = Vec::new();
        let signature = CSignature::parse(text).unwrap();
        signature.args.each_scalar(0, &mut |offset, _| offsets.push(offset));
        offsets.push(signature.args.size);
        offsets
    }

    #[test]
    fn arguments_lie_as_fields_do() {
        assert_eq!(offsets("->Void"), [0]);
        assert_eq!(offsets("I8,I32,U16->Void"), [0, 4, 8, 12]);
        assert_eq!(offsets("I8,{I8,F64},Bool->Void"), [0, 8, 16, 24, 32]);
        assert_eq!(offsets("I8,Packed{I8,F64},Ptr->F32"), [0, 1, 2, 16, 24]);
        assert_eq!(offsets("{},{{}},I32->{}"), [0, 4]);
    }

    #[test]
    fn what_is_no_signature_says_why() {
        let why = |text: &str| CSignature::parse(text).unwrap_err();
        assert_eq!(why("I32"), "a comma is missing before ``");
        assert_eq!(why("Void->I32"), "`Void` cannot be passed by value");
        assert_eq!(why("{I32->I32"), "a comma is missing before `->I32`");
        assert_eq!(why("->I32,"), "`,` is too much");
        assert_eq!(why(";I32->I32"), "a function with `...` has a parameter before it");
        assert_eq!(why("Ptr;F32->I32"), "behind `...`, C makes F64 of F32; pass that");
        assert_eq!(why("PackedI32->I32"), "`I32` cannot be passed by value");
        assert_eq!(why("Union(8,8)->I32"), "`Union` cannot be passed by value");
        assert!(why(&format!("{}->Void", "{".repeat(1000))).contains("nested"));
        let large = ["{I64,I64,I64,I64,I64,I64,I64,I64}"; 5000].join(",");
        assert!(why(&format!("{large}->Void")).contains("bytes cannot be passed"));
    }
}
