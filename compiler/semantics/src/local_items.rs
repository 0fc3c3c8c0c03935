//! Declarations inside of functions. A block that declares types, traits, impls and the like gets a module without a
//! name for them: they are taken out of the tree before names are looked up, and the block is checked inside of that
//! module. Like items anywhere, they do not see the variables and generics around them.

use reml_syntax::ast::{self, ItemKind, StmtKind};
use reml_syntax::ast_walk::{self, VisitMut};

/// The declarations of one block.
pub struct LocalScope {
    /// Index of the module they are in.
    pub module: usize,
    /// The scope of a block around.
    pub parent: Option<u32>,
    pub items: Vec<ast::Item>,
}

/// Takes the declarations out of the blocks of a module; scopes come after those around them.
pub fn take(index: usize, module: &mut ast::Module, scopes: &mut Vec<LocalScope>) {
    let mut pass = Pass { module: index, around: None, scopes };
    pass.items(&mut module.items);
}

struct Pass<'p> {
    module: usize,
    around: Option<u32>,
    scopes: &'p mut Vec<LocalScope>,
}

impl VisitMut for Pass<'_> {
    fn block(&mut self, block: &mut ast::Block) {
        if !block.stmts.iter().any(|stmt| is_declaration(&stmt.kind)) {
            return ast_walk::walk_block(self, block);
        }
        let id = self.scopes.len() as u32;
        self.scopes.push(LocalScope { module: self.module, parent: self.around, items: Vec::new() });
        block.scope = Some(id);
        let outer = self.around.replace(id);
        let mut items = Vec::new();
        for stmt in &mut block.stmts {
            if let StmtKind::Item(_) = &stmt.kind
                && let StmtKind::Item(item) = std::mem::replace(&mut stmt.kind, StmtKind::Error)
            {
                items.push(*item);
            }
        }
        self.items(&mut items);
        self.scopes[id as usize].items = items;
        ast_walk::walk_block(self, block);
        self.around = outer;
    }
}

fn is_declaration(stmt: &StmtKind) -> bool {
    matches!(stmt, StmtKind::Item(item) if !matches!(item.kind, ItemKind::Use(_) | ItemKind::Error))
}
