//! May a version take the place of what runs, and what changes by that?
//!
//! Code of older versions goes on where it is, and its closures are called. So what it calls must keep its type, what it has values of
//! must keep its definition, and variables must keep theirs. Everything else may change.

use std::collections::{BTreeMap, BTreeSet};

use reml_diagnostics::{Diagnostic, codes};

use super::{GlobalFace, Interface, Running};

/// What is different from the version in force: names in ascending order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Changes {
    pub added: BTreeSet<Box<str>>,
    pub changed: BTreeSet<Box<str>>,
    pub removed: BTreeSet<Box<str>>,
    /// Globals whose value is computed anew.
    pub evaluated: BTreeSet<Box<str>>,
    /// Variables that keep their value though they would begin with another one now.
    pub kept: BTreeSet<Box<str>>,
    /// The modules that any of this is in.
    pub modules: BTreeSet<Box<str>>,
}

/// What changes when the program of an interface takes the place of what runs.
///
/// # Errors
///
/// Why it cannot.
pub fn compare(running: &Running, new: &Interface) -> Result<Changes, Vec<Diagnostic>> {
    let refusals = refusals(&running.known, new);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut changes = Changes::default();
    let current = &running.current;
    for (key, face) in &new.functions {
        match current.functions.get(key) {
            None => changes.added.insert(face.name.clone()),
            Some(before) if before.fingerprint != face.fingerprint => changes.changed.insert(face.name.clone()),
            Some(_) => continue,
        };
        changes.modules.insert(face.module.clone());
    }
    for (_, face) in current.functions.iter().filter(|(key, _)| !new.functions.contains_key(*key)) {
        changes.removed.insert(face.name.clone());
        changes.modules.insert(face.module.clone());
    }
    // A generic function is there as long as one of its instances is.
    let present: BTreeSet<&str> = new.functions.values().map(|face| &*face.name).collect();
    let before: BTreeSet<&str> = current.functions.values().map(|face| &*face.name).collect();
    changes.removed.retain(|name| !present.contains(&**name));
    let (grown, new_ones): (BTreeSet<_>, _) =
        std::mem::take(&mut changes.added).into_iter().partition(|name| before.contains(&**name));
    changes.added = new_ones;
    changes.changed.extend(grown);
    let evaluated = added(&running.known, new);
    for (name, face) in &new.globals {
        if evaluated.contains(&**name) {
            changes.evaluated.insert(name.clone());
            changes.modules.insert(face.module.clone());
        } else if face.variable && current.globals.get(name).is_some_and(|now| now.fingerprint != face.fingerprint) {
            changes.kept.insert(name.clone());
            changes.modules.insert(face.module.clone());
        }
    }
    Ok(changes)
}

/// The globals whose value is computed: new ones, and those that are computed in another way. A variable that is there keeps its own.
pub fn added<'a>(known: &Interface, new: &'a Interface) -> BTreeSet<&'a str> {
    let is_added = |name: &str, face: &GlobalFace| match known.globals.get(name) {
        None => true,
        Some(before) if face.variable => before.ty != face.ty,
        Some(before) => before.ty != face.ty || before.fingerprint != face.fingerprint,
    };
    new.globals.iter().filter(|(name, face)| is_added(name, face)).map(|(name, _)| &**name).collect()
}

fn refusals(known: &Interface, new: &Interface) -> Vec<Diagnostic> {
    let mut refusals = Vec::new();
    let restart = "start the program again, or give what is new another name";
    for (_, was, face) in both(&known.functions, &new.functions) {
        if was.signature != face.signature {
            refusals.push(
                Diagnostic::error(
                    codes::RELOAD_INCOMPATIBLE,
                    face.span,
                    format!("the type of `{}` has changed, and what runs calls it", face.name),
                )
                .with_primary_label(format!("now `{}`", face.signature))
                .with_note(format!("it is `{}` in the program that runs", was.signature))
                .with_help(restart),
            );
        }
    }
    for (name, was, face) in both(&known.globals, &new.globals) {
        if was.variable && face.variable && was.ty != face.ty {
            refusals.push(
                Diagnostic::error(
                    codes::RELOAD_INCOMPATIBLE,
                    face.span,
                    format!("the type of the variable `{name}` has changed, and it keeps its value"),
                )
                .with_primary_label(format!("now `{}`", face.ty))
                .with_note(format!("it is a variable of type `{}` in the program that runs", was.ty))
                .with_help(restart),
            );
        }
    }
    for (_, was, definition) in both(&known.definitions, &new.definitions) {
        if was.text != definition.text {
            refusals.push(
                Diagnostic::error(
                    codes::RELOAD_INCOMPATIBLE,
                    definition.span,
                    format!("{} has changed, and what runs is made for it as it was", definition.shown),
                )
                .with_primary_label(format!("now `{}`", definition.text))
                .with_note(format!("it is `{}` in the program that runs", was.text))
                .with_help(restart),
            );
        }
    }
    refusals
}

/// What both have.
fn both<'a, T>(
    one: &'a BTreeMap<Box<str>, T>,
    other: &'a BTreeMap<Box<str>, T>,
) -> impl Iterator<Item = (&'a str, &'a T, &'a T)> {
    other.iter().filter_map(|(key, new)| Some((&**key, one.get(key)?, new)))
}

#[cfg(test)]
mod tests {
    use reml_diagnostics::Span;

    use super::*;
    use crate::version::{Definition, FunctionFace};

    /// Names, types and fingerprints; `var` stands before the name of a variable.
    fn interface(functions: &[(&str, &str, u64)], globals: &[(&str, &str, u64)]) -> Interface {
        let mut interface = Interface::default();
        for &(name, signature, fingerprint) in functions {
            let face = FunctionFace {
                name: name.split('<').next().unwrap_or(name).into(),
                module: "main".into(),
                span: Span::NONE,
                signature: signature.into(),
                fingerprint,
            };
            interface.functions.insert(name.into(), face);
        }
        for &(name, ty, fingerprint) in globals {
            let (name, variable) = name.strip_prefix("var ").map_or((name, false), |name| (name, true));
            let face = GlobalFace { module: "main".into(), span: Span::NONE, ty: ty.into(), variable, fingerprint };
            interface.globals.insert(name.into(), face);
        }
        interface
    }

    fn running(interface: Interface) -> Running {
        Running { current: interface.clone(), known: interface }
    }

    fn names(set: &BTreeSet<Box<str>>) -> Vec<&str> {
        set.iter().map(|name| &**name).collect()
    }

    fn messages(running: &Running, new: &Interface) -> Vec<String> {
        let refusals = compare(running, new).err().unwrap_or_default();
        refusals.into_iter().map(|refusal| refusal.message).collect()
    }

    #[test]
    fn functions_come_change_and_go() {
        let before = running(interface(&[("f", "()", 1), ("g", "()", 1), ("h<Int>", "()", 1)], &[]));
        let new = interface(&[("f", "()", 2), ("h<Int>", "()", 1), ("h<Str>", "()", 3), ("new", "()", 1)], &[]);
        let changes = compare(&before, &new).expect("nothing is in the way");
        assert_eq!(names(&changes.added), ["new"]);
        assert_eq!(names(&changes.changed), ["f", "h"]);
        assert_eq!(names(&changes.removed), ["g"]);
        assert_eq!(names(&changes.modules), ["main"]);
    }

    #[test]
    fn variables_keep_what_others_compute_anew() {
        let before = running(interface(&[], &[("var count", "Int", 1), ("table", "[Int]", 1), ("same", "Int", 1)]));
        let new =
            interface(&[], &[("var count", "Int", 2), ("table", "[Int]", 2), ("same", "Int", 1), ("new", "Int", 1)]);
        let changes = compare(&before, &new).expect("nothing is in the way");
        assert_eq!(names(&changes.kept), ["count"]);
        assert_eq!(names(&changes.evaluated), ["new", "table"]);
        assert_eq!(added(&before.known, &new), BTreeSet::from(["new", "table"]));
    }

    #[test]
    fn what_has_ever_run_counts() {
        let mut running = running(interface(&[("f", "() -> Int", 1)], &[("var count", "Int", 1)]));
        running.current = Interface::default();
        let new = interface(&[("f", "() -> Str", 1)], &[("var count", "Str", 1)]);
        assert_eq!(
            messages(&running, &new),
            [
                "the type of `f` has changed, and what runs calls it",
                "the type of the variable `count` has changed, and it keeps its value"
            ]
        );
        assert_eq!(messages(&running, &Interface::default()), [""; 0]);
    }

    #[test]
    fn definitions_stay() {
        let defined = |text: &str| {
            let shown = "the type `main.Point`".into();
            let definition = Definition { shown, span: Span::NONE, text: text.into() };
            Interface { definitions: [("type main.Point".into(), definition)].into(), ..Interface::default() }
        };
        let before = running(defined("{ x: Int }"));
        assert_eq!(messages(&before, &defined("{ x: Int }")), [""; 0]);
        assert_eq!(
            messages(&before, &defined("{ x: Str }")),
            ["the type `main.Point` has changed, and what runs is made for it as it was"]
        );
    }
}
