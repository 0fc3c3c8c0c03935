//! What signatures and attributes promise about effects, checked against what bodies do.

use crate::cx::*;

impl<'a> Checker<'a> {
    pub fn check_contracts(&mut self) {}
}
