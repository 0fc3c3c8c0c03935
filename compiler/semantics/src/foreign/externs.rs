//! Declarations of foreign functions: their types, their attributes, and whether the two agree with the target.
//!
//! A plain `extern "C" fn f` means the symbol `f` in the target's convention, and says nothing that could be wrong. Who writes `@target`,
//! `@calling_convention` or `@ownership` makes a contract, which is checked as a whole. Attributes of a block hold for its functions, unless these say
//! otherwise.

use reml_diagnostics::{Code, Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind};

use super::c_types::Problem;
use crate::cx::*;
use crate::infer::ty::{Node, Ty, Types};
use crate::typed::{FnId, ForeignDef, ForeignLibrary, LibraryKind, Ownership};
use crate::types::Prim;

/// The name of a calling convention in contracts and audit records. The target's own is `c`.
pub(crate) fn calling_convention(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "c" | "ccc" | "cdecl" | "" => "c",
        "sysv" | "sysv64" | "system_v" => "system_v",
        "win64" | "ms" | "msvc" | "stdcall" | "fastcall" => "msvc",
        "aapcs64" => "aapcs64",
        "darwin_aapcs64" => "darwin_aapcs64",
        _ => return None,
    })
}

/// The convention that C functions have on a target.
fn convention_of(arch: &str, os: &str) -> Option<&'static str> {
    Some(match (arch, os) {
        ("x86_64", "windows") => "msvc",
        ("x86_64", _) => "system_v",
        ("aarch64" | "arm64", "macos" | "darwin" | "ios") => "darwin_aapcs64",
        ("aarch64" | "arm64", _) => "aapcs64",
        _ => return None,
    })
}

/// An attribute of a declaration: where it is, and its text.
#[derive(Clone, Copy)]
struct Said<'a> {
    text: &'a str,
    span: Span,
}

impl<'a> Checker<'a> {
    /// Checks all foreign functions, and the records that C is given.
    pub fn check_foreign(&mut self) {
        self.check_c_records();
        for index in 0..self.externs.len() {
            let (id, attrs, abi, abi_span) = self.externs[index];
            let own = self.fns[id].attrs;
            let mut def = self.foreign_def(id, own, attrs);
            self.check_contract(id, own, attrs, &mut def);
            self.check_variadic(id, abi, abi_span);
            // The library's own declarations are trusted.
            if !self.is_core(self.fns[id].module) {
                self.check_foreign_signature(id);
                self.check_conveyed(id);
            }
            self.fns[id].foreign = Some(Box::new(def));
        }
    }

    fn said(&self, attr: &'a ast::Attr) -> Option<Said<'a>> {
        match attr.args.first().map(|arg| &*arg.value.kind) {
            Some(ExprKind::Str(text)) => Some(Said { text, span: attr.span }),
            _ => None,
        }
    }

    /// The attribute of one of these names, that of the function first.
    fn attribute(&mut self, names: &[&str], own: &'a [ast::Attr], block: &'a [ast::Attr]) -> Option<Said<'a>> {
        let attr = [own, block].into_iter().flatten().find(|attr| names.contains(&self.names.text(attr.name.name)))?;
        let said = self.said(attr);
        if said.is_none() {
            let name = self.names.text(attr.name.name).to_owned();
            let message = format!("`@{name}` wants a text");
            self.error_once(
                Diagnostic::error(codes::ATTRIBUTE_INVALID, attr.span, message)
                    .with_help(format!("write `@{name}(\"..\")`")),
            );
        }
        said
    }

    fn foreign_def(&mut self, id: FnId, own: &'a [ast::Attr], block: &'a [ast::Attr]) -> ForeignDef {
        let declared = self.names.text(self.fns[id].name).to_owned();
        let symbol = match self.attribute(&["link_name", "ffi_link_name"], own, block) {
            Some(said) if said.text.trim().is_empty() || said.text.contains('\0') => {
                self.report(
                    Diagnostic::error(
                        codes::FFI_CONTRACT_SYMBOL,
                        said.span,
                        format!("the symbol of `{declared}` has no name"),
                    )
                    .with_help("write the name that the linker knows, or leave the attribute out"),
                );
                declared
            }
            Some(said) => said.text.to_owned(),
            None => declared,
        };
        let weak = [own, block].into_iter().flatten().any(|attr| self.names.text(attr.name.name) == "weak");
        let library = self.foreign_library(own, block);
        ForeignDef {
            symbol: symbol.into(),
            library,
            weak,
            variadic: self.fns[id].variadic,
            ownership: Ownership::Borrowed,
            release: None,
            contract: None,
        }
    }

    /// `@link(name = "z", kind = "dylib", pkg_config = "zlib")`.
    fn foreign_library(&mut self, own: &'a [ast::Attr], block: &'a [ast::Attr]) -> Option<ForeignLibrary> {
        let attr = [own, block].into_iter().flatten().find(|attr| self.names.text(attr.name.name) == "link")?;
        let mut library =
            ForeignLibrary { name: "".into(), kind: LibraryKind::Dynamic, pkg_config: None, span: attr.span };
        for (index, arg) in attr.args.iter().enumerate() {
            let name = arg.name.map_or(if index == 0 { "name" } else { "" }, |name| self.names.text(name.name));
            let span = arg.value.span;
            let ExprKind::Str(text) = &*arg.value.kind else {
                self.invalid_link(span, "a text is wanted here");
                continue;
            };
            match (name, &**text) {
                ("name", "") => self.invalid_link(span, "a library has a name"),
                ("name", text) => library.name = text.into(),
                ("kind", "dylib" | "dynamic") => library.kind = LibraryKind::Dynamic,
                ("kind", "static") => library.kind = LibraryKind::Static,
                ("kind", other) => {
                    self.invalid_link(span, &format!("there are no libraries of the kind `{other}`"));
                }
                ("pkg_config", text) => library.pkg_config = Some(text.into()),
                _ => self.invalid_link(span, "this says nothing about a library"),
            }
        }
        let named = attr.args.iter().enumerate().any(|(index, arg)| match arg.name {
            Some(name) => self.names.text(name.name) == "name",
            None => index == 0,
        });
        if !named {
            self.invalid_link(attr.span, "this does not say which library");
        }
        if library.name.is_empty() {
            return None;
        }
        Some(library)
    }

    fn invalid_link(&mut self, span: Span, message: &str) {
        self.error_once(Diagnostic::error(codes::ATTRIBUTE_INVALID, span, message).with_help(
            "write `@link(name = \"z\")`; besides `name` there are `kind` (`\"dylib\"`, `\"static\"`) and `pkg_config`",
        ));
    }

    /// The convention of the target that is compiled for.
    fn convention_here(&self) -> Option<&'static str> {
        let value = |key: &str| self.options.target.values.get(key).map_or("", String::as_str);
        convention_of(value("target_arch"), value("target_os"))
    }

    fn check_contract(&mut self, id: FnId, own: &'a [ast::Attr], block: &'a [ast::Attr], def: &mut ForeignDef) {
        let name = self.names.text(self.fns[id].name).to_owned();
        let target = self.attribute(&["target"], own, block);
        let convention = self.attribute(&["calling_convention", "callconv"], own, block);
        let ownership = self.attribute(&["ownership"], own, block);
        let expected = match target {
            Some(said) => {
                let mut parts = said.text.split('-');
                let arch = parts.next().unwrap_or("");
                let os = ["windows", "darwin", "macos", "ios"].into_iter().find(|os| said.text.contains(os));
                convention_of(arch, os.unwrap_or("linux"))
            }
            None => self.convention_here().or(Some("system_v")),
        };
        let place = target.or(convention).or(ownership);
        let mut broken = |code: Code, span: Span, message: String, help: String| {
            self.report(Diagnostic::error(code, span, message).with_help(help));
        };
        match (convention, expected) {
            (Some(said), Some(expected)) => match calling_convention(said.text) {
                Some(convention) if convention == "c" || convention == expected => {}
                Some(convention) => {
                    let on = target.map_or("this target".to_owned(), |said| format!("`{}`", said.text));
                    broken(
                        codes::FFI_CONTRACT_ABI,
                        said.span,
                        format!("`{name}` is said to follow `{convention}`, but functions of {on} follow `{expected}`"),
                        format!("write `@calling_convention(\"{expected}\")`, or leave the attribute out"),
                    );
                }
                None => broken(
                    codes::FFI_CONTRACT_ABI,
                    said.span,
                    format!("there is no calling convention `{}`", said.text),
                    "there are `system_v`, `msvc`, `aapcs64` and `darwin_aapcs64`".to_owned(),
                ),
            },
            (_, None) => {
                let said = target.expect("only a target that is written can be unknown");
                broken(
                    codes::FFI_CONTRACT_ABI,
                    said.span,
                    format!("the calling convention of `{}` is not known", said.text),
                    "foreign functions can be declared for x86-64 and for 64-bit Arm".to_owned(),
                );
            }
            _ => {}
        }
        self.check_ownership(id, own, block, def);
        let link_name = self.attribute(&["link_name", "ffi_link_name"], own, block);
        if place.or(link_name).is_some() {
            let block_target = self.attribute(&["target"], &[], block).map_or("", |said| said.text);
            let convention = convention.map_or("", |said| said.text);
            let target = target.map(|said| said.text);
            def.contract =
                Some(self.contract(id, def, target, block_target, convention, expected.unwrap_or("unknown")));
        }
        let mut broken = |code: Code, span: Span, message: String, help: String| {
            self.report(Diagnostic::error(code, span, message).with_help(help));
        };
        match ownership {
            Some(said) if !["borrowed", "transferred", "reference"].contains(&said.text) => broken(
                codes::FFI_CONTRACT_OWNERSHIP,
                said.span,
                format!("`{}` says nothing about who owns what `{name}` is given", said.text),
                "write `borrowed`, `transferred` or `reference`".to_owned(),
            ),
            None if (target.is_some() || convention.is_some()) && self.passes_pointers(id) => {
                self.report(
                    Diagnostic::error(
                        codes::FFI_CONTRACT_OWNERSHIP,
                        place.map_or(self.fns[id].span, |said| said.span),
                        format!("`{name}` passes pointers, but its contract does not say who owns them"),
                    )
                    .with_label(self.fns[id].span, "declared here")
                    .with_help("add `@ownership(\"borrowed\")`, `\"transferred\"` or `\"reference\"`"),
                );
            }
            _ => {}
        }
    }

    /// Is one of its parameters, or its result, a pointer?
    fn passes_pointers(&mut self, id: FnId) -> bool {
        let mut types: Vec<Ty> = self.fns[id].params.iter().map(|param| param.ty).collect();
        types.push(self.fns[id].ret);
        types.into_iter().any(|ty| self.is_pointer(ty))
    }

    pub(super) fn is_pointer(&self, ty: Ty) -> bool {
        match self.t.head(ty) {
            Node::Prim(Prim::RawPtr) | Node::Ref { .. } => true,
            Node::Adt(def, ..) if Some(def) == self.lang.foreign_ptr => true,
            Node::Adt(def, args, _) if Some(def) == self.lang.option => self.is_pointer(self.t.at(args, 0)),
            Node::Adt(def, ..) => match self.adts[def].kind {
                AdtKind::Newtype(inner) => self.is_pointer(inner),
                _ => false,
            },
            _ => false,
        }
    }

    fn check_variadic(&mut self, id: FnId, abi: &str, span: Span) {
        if !self.fns[id].variadic {
            return;
        }
        let name = self.names.text(self.fns[id].name).to_owned();
        if calling_convention(abi) != Some("c") {
            self.report(
                Diagnostic::error(
                    codes::FFI_VARARGS_ABI,
                    self.fns[id].span,
                    format!("`{name}` takes any number of arguments, which only C functions do"),
                )
                .with_label(span, "not C's convention")
                .with_help("write `extern \"C\"`"),
            );
        }
        if self.fns[id].params.is_empty() {
            self.report(
                Diagnostic::error(
                    codes::FFI_VARARGS_FIXED,
                    self.fns[id].span,
                    format!("`{name}` has no parameter before the `...`"),
                )
                .with_help("C finds the arguments by the last parameter that has a name: declare at least one"),
            );
        }
    }

    fn check_foreign_signature(&mut self, id: FnId) {
        let name = self.names.text(self.fns[id].name).to_owned();
        for index in 0..self.fns[id].params.len() {
            let param = &self.fns[id].params[index];
            let (ty, span) = (param.ty, param.span);
            let param_name = param
                .name
                .map_or(String::from("a parameter"), |name| format!("the parameter `{}`", self.names.text(name)));
            if let Err(problem) = self.c_parameter(ty) {
                self.report_c_type(problem, span, Some(format!("{param_name} of `{name}`")), Some(id));
            }
        }
        let ret = self.t.resolve(self.fns[id].ret);
        if ret == Types::UNIT || self.t.get(ret) == Node::Prim(Prim::Never) {
            return;
        }
        if self.owned_result(id).is_some() {
            return;
        }
        if let Err(problem) = self.c_type(ret, None) {
            let span = match self.fns[id].source {
                FnSource::Decl(decl) => decl.sig.ret.as_ref().map_or(self.fns[id].span, |ret| ret.span),
                _ => self.fns[id].span,
            };
            self.report_c_type(problem, span, Some(format!("the result of `{name}`")), Some(id));
        }
    }

    /// Structs are taken apart as System V for x86-64 has it, and Windows and macOS on Arm want other things of `...`, too. Elsewhere, C would look for them
    /// in other places than they are put.
    fn check_conveyed(&mut self, id: FnId) {
        let convention = match self.convention_here() {
            None | Some("system_v") => return,
            Some(convention) => convention,
        };
        let name = self.names.text(self.fns[id].name).to_owned();
        let by_value = |ty: Ty| self.is_struct(ty) && !self.is_foreign_ptr(ty);
        let params = self.fns[id].params.iter().filter(|param| by_value(param.ty)).map(|param| param.span);
        let mut places: Vec<(Span, &str)> = params.map(|span| (span, "a struct by value")).collect();
        if by_value(self.fns[id].ret) {
            places.push((self.fns[id].span, "a struct as its result"));
        }
        if self.fns[id].variadic && convention != "aapcs64" {
            places.push((self.fns[id].span, "any number of arguments"));
        }
        for (span, what) in places {
            let message = format!("`{name}` has {what}, which cannot be passed by `{convention}`");
            self.report(
                Diagnostic::error(codes::FFI_CONTRACT_ABI, span, message)
                    .with_primary_label("the target wants it elsewhere than it is put")
                    .with_help("pass a `Ptr` or a `&T`, or call the function through `Core.Ffi`"),
            );
        }
    }

    /// A record or a union, or a `new` type of one.
    fn is_struct(&self, ty: Ty) -> bool {
        let Node::Adt(def, ..) = self.t.head(ty) else { return false };
        match (&self.adts[def].kind, &self.adts[def].repr) {
            (AdtKind::Newtype(_), Some(_)) | (AdtKind::Record(_), _) => true,
            (&AdtKind::Newtype(inner), None) => self.is_struct(inner),
            (AdtKind::Sum(_) | AdtKind::Opaque, _) => false,
        }
    }

    /// A parameter may also be a reference: to a value of a type that C knows, or to an array of numbers.
    fn c_parameter(&mut self, ty: Ty) -> Result<(), Problem> {
        if self.is_foreign_ptr(ty) {
            return Ok(());
        }
        let Node::Ref { inner, .. } = self.t.get(self.t.resolve(ty)) else { return self.c_type(ty, None) };
        match self.t.head(inner) {
            Node::Array(element) if self.is_machine_scalar(element) => Ok(()),
            _ => self.c_type(inner, None),
        }
    }

    /// Does an array hold it as C does?
    fn is_machine_scalar(&self, ty: Ty) -> bool {
        match self.t.head(ty) {
            Node::Prim(prim) => !matches!(prim, Prim::Str | Prim::Never | Prim::Char),
            Node::Error => true,
            Node::Adt(def, ..) => match self.adts[def].kind {
                AdtKind::Newtype(inner) if self.adts[def].repr.is_none() => self.is_machine_scalar(inner),
                _ => false,
            },
            _ => false,
        }
    }
}
