//! Prints the syntax tree and the diagnostics of a file: `cargo run -p reml_syntax --example dump FILE`.

use reml_syntax::names::Names;

fn main() {
    let path = std::env::args().nth(1).expect("a file name");
    let text = std::fs::read_to_string(path).expect("a readable file");
    let mut names = Names::new();
    let parsed = reml_syntax::parse(&text, 1, &mut names);
    print!("{}", reml_syntax::ast_print::dump(&parsed.module, &names));
    for diagnostic in &parsed.diagnostics {
        let start = diagnostic.primary.start as usize - 1;
        let line = text[..start].matches('\n').count() + 1;
        println!("{line}: {} {}", diagnostic.code, diagnostic.message);
    }
}
