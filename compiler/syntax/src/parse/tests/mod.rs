//! Snapshot tests of the parser: source in, tree and diagnostics out.

mod effects;
mod exprs;
mod foreign;
mod items;
mod layout;
mod patterns;
mod recovery;
mod robust;
mod types;

use expect_test::Expect;
use reml_diagnostics::Diagnostic;

use crate::names::Names;

/// Parses a file and compares its tree, then its diagnostics.
fn check(src: &str, expect: Expect) {
    let mut names = Names::new();
    let parsed = super::parse(src, 1, &mut names);
    let mut out = crate::ast_print::dump(&parsed.module, &names);
    show_diagnostics(src, &parsed.diagnostics, &mut out);
    expect.assert_eq(&out);
}

/// Parses an expression.
fn check_expr(src: &str, expect: Expect) {
    let mut names = Names::new();
    let parsed = super::parse_expression(src, 1, &mut names);
    let mut out = crate::ast_print::dump_expr(&parsed.expr, &names);
    show_diagnostics(src, &parsed.diagnostics, &mut out);
    expect.assert_eq(&out);
}

/// Compares only the diagnostics of a file.
fn check_errors(src: &str, expect: Expect) {
    let mut names = Names::new();
    let parsed = super::parse(src, 1, &mut names);
    let mut out = String::new();
    show_diagnostics(src, &parsed.diagnostics, &mut out);
    expect.assert_eq(&out);
}

fn show_diagnostics(src: &str, diagnostics: &[Diagnostic], out: &mut String) {
    for diagnostic in diagnostics {
        let position = |offset: u32| {
            let before = &src[..offset as usize - 1];
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            format!("{line}:{column}")
        };
        out.push_str(&format!("{} {}: {}\n", position(diagnostic.primary.start), diagnostic.code, diagnostic.message));
        for label in &diagnostic.labels {
            out.push_str(&format!("    {} {}\n", position(label.span.start), label.text));
        }
        for note in &diagnostic.notes {
            out.push_str(&format!("    note: {note}\n"));
        }
        for help in &diagnostic.helps {
            out.push_str(&format!("    help: {help}\n"));
        }
        for fix in &diagnostic.fixes {
            let mut fixed = src.to_string();
            fixed.replace_range(fix.span.start as usize - 1..fix.span.end as usize - 1, &fix.replacement);
            let line = src[..fix.span.start as usize - 1].matches('\n').count();
            let fixed = fixed.lines().nth(line).unwrap_or("").trim();
            out.push_str(&format!("    fix: {}: {fixed}\n", fix.title));
        }
    }
}
