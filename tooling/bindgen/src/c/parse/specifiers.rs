//! What a declaration begins with: storage, qualifiers, and the words that make up a type.

use super::{Attributes, Parser, Problem, R};
use crate::c::model::*;
use crate::c::token::{Kind, Token};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    Typedef,
    Extern,
    Static,
}

#[derive(Clone, Debug)]
pub struct Specifiers {
    pub ty: Qualified,
    pub storage: Option<Storage>,
    pub inline: bool,
    /// `constexpr`.
    pub constant: bool,
    pub attributes: Attributes,
}

const KEYWORDS: &[&str] = &[
    "auto",
    "break",
    "case",
    "char",
    "const",
    "continue",
    "default",
    "do",
    "double",
    "else",
    "enum",
    "extern",
    "float",
    "for",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "typedef",
    "union",
    "unsigned",
    "void",
    "volatile",
    "while",
    "_Bool",
    "_Complex",
    "_Atomic",
    "_Alignas",
    "_Alignof",
    "_Generic",
    "_Noreturn",
    "_Static_assert",
    "_Thread_local",
    "__attribute__",
    "__attribute",
    "__asm__",
    "__asm",
    "__extension__",
    "__inline",
    "__inline__",
    "__restrict",
    "__restrict__",
    "__const",
    "__const__",
    "__volatile",
    "__volatile__",
    "__signed",
    "__signed__",
    "__typeof__",
    "__typeof",
    "__declspec",
    "__builtin_va_list",
    "__int128",
    "__thread",
];

/// Words that cannot be names. Those that only newer C reserves are names where they are used as such.
pub fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// The words of a number's type, counted.
#[derive(Default)]
struct Words {
    signed: u32,
    unsigned: u32,
    short: u32,
    long: u32,
    char: u32,
    int: u32,
    int128: u32,
    float: u32,
    double: u32,
    complex: u32,
    first: Option<usize>,
}

impl Parser<'_> {
    /// Specifiers of a declaration; at least a type.
    pub(super) fn specifiers(&mut self) -> R<Specifiers> {
        let mut quals = Quals::NONE;
        let mut storage = None;
        let (mut inline, mut constant, mut inferred) = (false, false, false);
        let mut attributes = Attributes::default();
        let mut words = Words::default();
        let mut found: Option<Qualified> = None;
        loop {
            if self.attributes(&mut attributes)? {
                continue;
            }
            if let Some(qual) = self.qualifier() {
                quals.add(qual);
                continue;
            }
            let at = self.at;
            let word = self.text();
            let counter = match word {
                _ if self.kind() != Kind::Word => break,
                "signed" | "__signed" | "__signed__" => Some(&mut words.signed),
                "unsigned" | "__unsigned" => Some(&mut words.unsigned),
                "short" => Some(&mut words.short),
                "long" => Some(&mut words.long),
                "char" => Some(&mut words.char),
                "int" => Some(&mut words.int),
                "__int128" | "__int128_t" => Some(&mut words.int128),
                "float" => Some(&mut words.float),
                "double" => Some(&mut words.double),
                "_Complex" | "__complex__" | "_Imaginary" => Some(&mut words.complex),
                _ => None,
            };
            if let Some(counter) = counter {
                *counter += 1;
                words.first.get_or_insert(at);
                self.bump();
                continue;
            }
            match word {
                "typedef" => storage = Some(Storage::Typedef),
                "extern" => storage = storage.or(Some(Storage::Extern)),
                "static" => storage = Some(Storage::Static),
                "inline" | "__inline" | "__inline__" | "__forceinline" => inline = true,
                "constexpr" if found.is_none() && words.first.is_none() => constant = true,
                "auto" | "__auto_type" => inferred = true,
                "register" | "_Thread_local" | "__thread" | "thread_local" | "_Noreturn" | "__extension__" => {}
                "struct" | "union" => {
                    let ty = self.record(&mut attributes)?;
                    self.one_type(&mut found, Qualified { ty, quals: Quals::NONE }, at)?;
                    continue;
                }
                "enum" => {
                    let ty = self.enumeration(&mut attributes)?;
                    self.one_type(&mut found, Qualified { ty, quals: Quals::NONE }, at)?;
                    continue;
                }
                "typeof" | "__typeof__" | "__typeof" | "typeof_unqual" if self.ahead(1) == "(" => {
                    self.bump();
                    let ty = self.type_of()?;
                    self.one_type(&mut found, ty, at)?;
                    continue;
                }
                "_Atomic" => {
                    // As a qualifier it has been read above.
                    self.bump();
                    self.expect("(")?;
                    let mut ty = self.type_name()?;
                    self.expect(")")?;
                    ty.quals.add(Qual::Atomic);
                    self.one_type(&mut found, ty, at)?;
                    continue;
                }
                "_BitInt" if self.ahead(1) == "(" => {
                    let width = self.ahead(2).to_owned();
                    self.bump();
                    self.skip_brackets()?;
                    let ty = self.unit.add(Type::Exotic { name: format!("_BitInt({width})"), layout: None });
                    self.one_type(&mut found, Qualified { ty, quals: Quals::NONE }, at)?;
                    continue;
                }
                _ => {
                    if found.is_some() || words.first.is_some() || inferred {
                        break;
                    }
                    let Some(ty) = self.named_type() else { break };
                    self.bump();
                    found = Some(Qualified { ty, quals: Quals::NONE });
                    continue;
                }
            }
            self.bump();
        }
        let ty = match (found, words.first) {
            (Some(_), Some(at)) => return Err(self.problem_at(at, "this is the second type of one declaration")),
            (Some(ty), None) => ty,
            (None, Some(at)) => self.number_type(&words, at)?,
            (None, None) if inferred => Qualified { ty: Unit::UNKNOWN, quals: Quals::NONE },
            (None, None) => return Err(self.no_type()),
        };
        let mut ty = self.with_mode(Qualified { ty: ty.ty, quals: quals.union(ty.quals) }, &attributes);
        if let Some(size) = attributes.vector {
            let name = format!("{} __attribute__((vector_size({size})))", crate::c::show::type_text(self.unit, ty));
            ty.ty = self.unit.add(Type::Exotic { name, layout: Some(Layout { size, align: size }) });
        }
        Ok(Specifiers { ty, storage, inline, constant, attributes })
    }

    fn one_type(&self, found: &mut Option<Qualified>, ty: Qualified, at: usize) -> R<()> {
        if found.is_some() {
            return Err(self.problem_at(at, "this is the second type of one declaration"));
        }
        *found = Some(ty);
        Ok(())
    }

    /// A qualifier, when one comes next. Whether pointers may be null is no matter here.
    pub(super) fn qualifier(&mut self) -> Option<Qual> {
        loop {
            let qual = match self.text() {
                _ if self.kind() != Kind::Word => return None,
                "const" | "__const" | "__const__" => Qual::Const,
                "volatile" | "__volatile" | "__volatile__" => Qual::Volatile,
                "restrict" | "__restrict" | "__restrict__" => Qual::Restrict,
                "_Atomic" if self.ahead(1) != "(" => Qual::Atomic,
                "_Nonnull" | "_Nullable" | "_Null_unspecified" | "_Nullable_result" | "__ptr32" | "__ptr64"
                | "__unaligned" | "__w64" => {
                    self.bump();
                    continue;
                }
                _ => return None,
            };
            self.bump();
            return Some(qual);
        }
    }

    /// A type that a single word names; it comes next.
    fn named_type(&mut self) -> Option<TypeId> {
        let word = self.text();
        if let Some(&id) = self.unit.typedef_names.get(word) {
            return Some(self.unit.add(Type::Typedef(id)));
        }
        let exotic = |size: Option<u64>| Type::Exotic {
            name: word.to_owned(),
            layout: size.map(|size| Layout { size, align: size }),
        };
        let ty = match word {
            "void" => return Some(Unit::VOID),
            "_Bool" | "bool" => Type::Bool,
            "__builtin_va_list" => Type::VaList,
            "_Float32" => Type::Float,
            "_Float64" | "_Float32x" => Type::Double,
            "_Float16" | "__fp16" | "__bf16" => exotic(Some(2)),
            "_Float64x" => Type::LongDouble,
            "_Float128" | "__float128" => exotic(Some(16)),
            "_Decimal32" => exotic(Some(4)),
            "_Decimal64" => exotic(Some(8)),
            "_Decimal128" => exotic(Some(16)),
            "__uint128_t" => Type::Int(IntKind::UInt128),
            "char8_t" => Type::Int(IntKind::UChar),
            "nullptr_t" => Type::Pointer(Qualified { ty: Unit::VOID, quals: Quals::NONE }),
            "__builtin_ms_va_list" | "__SVFloat32_t" => exotic(None),
            _ => return None,
        };
        Some(self.unit.add(ty))
    }

    /// Whether a type comes next.
    pub(super) fn at_type(&self) -> bool {
        self.is_type(self.token())
    }

    /// Whether a type begins with this token.
    pub(super) fn is_type(&self, token: Token) -> bool {
        let word = self.source.slice(token);
        token.kind == Kind::Word
            && (self.unit.typedef_names.contains_key(word)
                || matches!(
                    word,
                    "signed"
                        | "unsigned"
                        | "short"
                        | "long"
                        | "char"
                        | "int"
                        | "float"
                        | "double"
                        | "void"
                        | "struct"
                        | "union"
                        | "enum"
                        | "const"
                        | "volatile"
                        | "restrict"
                        | "register"
                        | "bool"
                        | "typeof"
                        | "typeof_unqual"
                        | "_BitInt"
                        | "_Atomic"
                        | "_Bool"
                        | "_Complex"
                        | "_Imaginary"
                        | "nullptr_t"
                )
                || word.starts_with("__") && is_keyword(word) && !matches!(word, "__asm__" | "__asm")
                || word.starts_with("_Float")
                || word.starts_with("_Decimal")
                || matches!(
                    word,
                    "__float128" | "__fp16" | "__bf16" | "__uint128_t" | "__int128_t" | "__complex__" | "__unsigned"
                ))
    }

    fn number_type(&mut self, words: &Words, at: usize) -> R<Qualified> {
        let Words { signed, unsigned, short, long, char, int, int128, float, double, complex, .. } = *words;
        let sign = (signed, unsigned);
        let plain = signed + unsigned == 0;
        use IntKind::*;
        let base = match (short, long, char, int, int128, float, double) {
            (0, 0, 0, 0, 0, 1, 0) if plain => Some(Type::Float),
            (0, 0, 0, 0, 0, 0, 1) if plain => Some(Type::Double),
            (0, 1, 0, 0, 0, 0, 1) if plain => Some(Type::LongDouble),
            (0, 0, 0, 0, 0, 0, 0) if plain && complex == 1 => Some(Type::Double),
            (0, 0, 1, 0, 0, 0, 0) => integer(sign, Char, SChar, UChar),
            (1, 0, 0, 0 | 1, 0, 0, 0) => integer(sign, Short, Short, UShort),
            (0, 0, 0, 0 | 1, 0, 0, 0) => integer(sign, Int, Int, UInt),
            (0, 1, 0, 0 | 1, 0, 0, 0) => integer(sign, Long, Long, ULong),
            (0, 2, 0, 0 | 1, 0, 0, 0) => integer(sign, LongLong, LongLong, ULongLong),
            (0, 0, 0, 0, 1, 0, 0) => integer(sign, Int128, Int128, UInt128),
            _ => None,
        };
        let Some(mut base) = base else {
            return Err(self.problem_at(at, "these words do not make up a type together"));
        };
        if complex > 0 {
            let part = match &base {
                Type::Float => Some(("float", 4)),
                Type::Double => Some(("double", 8)),
                Type::LongDouble => Some(("long double", self.unit.target.long_double().size)),
                _ => None,
            };
            let layout = part.map(|(_, size)| Layout { size: 2 * size, align: self.unit.target.scalar(size).align });
            let name = format!("_Complex {}", part.map_or("int", |(name, _)| name));
            base = Type::Exotic { name, layout };
        }
        Ok(Qualified { ty: self.unit.add(base), quals: Quals::NONE })
    }

    fn no_type(&mut self) -> Box<Problem> {
        if self.kind() != Kind::Word || is_keyword(self.text()) {
            return self.wanting("a declaration");
        }
        let word = self.text().to_owned();
        let mut problem = self.problem(format!("there is no type `{word}`"));
        let names = if self.suggestions > 0 { self.sorted_types() } else { Vec::new() };
        self.suggestions = self.suggestions.saturating_sub(1);
        let near = reml_diagnostics::suggest::closest(&word, names.iter().map(|name| &**name));
        problem.help = Some(match (near, self.unit.tags.contains_key(&word)) {
            (_, true) => format!("write `struct {word}`, or declare it with `typedef`"),
            (Some(near), _) => format!("did you mean `{near}`?"),
            _ => {
                "include the header that declares it; a header has to compile when nothing stands before it".to_owned()
            }
        });
        problem
    }

    fn sorted_types(&self) -> Vec<String> {
        let mut names: Vec<String> = self.unit.typedef_names.keys().cloned().collect();
        names.sort();
        names
    }

    /// `typeof(type)`; of expressions, constants have a type that is known here.
    fn type_of(&mut self) -> R<Qualified> {
        let opening = self.at;
        self.expect("(")?;
        if self.at_type() {
            let ty = self.type_name()?;
            self.expect(")")?;
            return Ok(ty);
        }
        self.at = opening;
        self.skip_brackets()?;
        Ok(Qualified { ty: Unit::UNKNOWN, quals: Quals::NONE })
    }

    /// A type on its own, as in casts.
    pub(super) fn type_name(&mut self) -> R<Qualified> {
        self.deeper(|p| {
            let specifiers = p.specifiers()?;
            let declared = p.declarator(specifiers.ty)?;
            match declared.name {
                Some(name) => Err(Box::new(Problem {
                    message: format!("expected a type, found the declaration of `{name}`"),
                    ..*p.problem(String::new())
                })),
                None => Ok(declared.ty),
            }
        })
    }
}

fn integer((signed, unsigned): (u32, u32), plain: IntKind, with_sign: IntKind, without: IntKind) -> Option<Type> {
    match (signed, unsigned) {
        (0, 0) => Some(Type::Int(plain)),
        (1, 0) => Some(Type::Int(with_sign)),
        (0, 1) => Some(Type::Int(without)),
        _ => None,
    }
}
