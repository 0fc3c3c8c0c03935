//! Interned names: which small integer stands for which identifier.
//!
//! Every identifier is NFC-normalised once, by the lexer, and interned here. Later passes compare and
//! hash `Symbol`s and only turn them back into text for messages and printers.

use rustc_hash::FxHashMap;

/// An interned string. Two symbols of one [`Names`] are equal exactly when their texts are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Symbol(pub u32);

/// The table of interned strings of one compilation session.
#[derive(Default)]
pub struct Names {
    texts: Vec<Box<str>>,
    index: FxHashMap<Box<str>, Symbol>,
}

impl Names {
    pub fn new() -> Self {
        Self::default()
    }

    /// The symbol of `text`, interning it on first sight.
    pub fn intern(&mut self, text: &str) -> Symbol {
        if let Some(&symbol) = self.index.get(text) {
            return symbol;
        }
        let symbol = Symbol(u32::try_from(self.texts.len()).expect("fewer than 2^32 names"));
        self.texts.push(text.into());
        self.index.insert(text.into(), symbol);
        symbol
    }

    /// The symbol of `text` if it has been interned before.
    pub fn get(&self, text: &str) -> Option<Symbol> {
        self.index.get(text).copied()
    }

    pub fn text(&self, symbol: Symbol) -> &str {
        &self.texts[symbol.0 as usize]
    }
}
