//! Where does the System V ABI for x86-64 put what C functions take and give?
//!
//! Scalars go as they are. A struct of at most 16 bytes whose fields are aligned is cut into words of eight bytes, and each goes into an integer register,
//! or, when it holds nothing but floats, a vector register; any other struct lies in memory (System V ABI, AMD64 supplement, 3.2.3). The compiler and
//! [`crate::CallPlan`] both ask here.

/// A piece of a struct in a register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Word {
    Integer,
    /// Four bytes of floats.
    Float,
    /// Eight bytes of floats.
    Double,
}

/// A scalar in a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    pub offset: usize,
    pub size: usize,
    pub is_float: bool,
}

/// The words of a struct of `size` bytes, with all registers free; none when it goes into memory.
pub fn words(size: usize, parts: impl IntoIterator<Item = Part>) -> Vec<Word> {
    if size > 16 || size == 0 {
        return Vec::new();
    }
    let mut integer = [false; 2];
    for Part { offset, size, is_float } in parts {
        if !offset.is_multiple_of(size) {
            return Vec::new();
        }
        integer[offset / 8] |= !is_float;
    }
    (0..size.div_ceil(8))
        .map(|word| match (integer[word], size - 8 * word) {
            (true, _) => Word::Integer,
            (false, 4) => Word::Float,
            (false, _) => Word::Double,
        })
        .collect()
}

/// The registers for arguments that are taken, from the first argument on.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Registers {
    pub integers: usize,
    pub vectors: usize,
}

impl Registers {
    pub const INTEGERS: usize = 6;
    pub const VECTORS: usize = 8;

    /// Takes as many; none if there are not enough of both, and then the argument goes onto the stack.
    pub fn take(&mut self, integers: usize, vectors: usize) -> bool {
        let (integers, vectors) = (self.integers + integers, self.vectors + vectors);
        let enough = integers <= Self::INTEGERS && vectors <= Self::VECTORS;
        if enough {
            *self = Registers { integers, vectors };
        }
        enough
    }

    /// Takes registers for a struct: all of its words go in registers, or none.
    pub fn take_words(&mut self, words: &[Word]) -> bool {
        let integers = words.iter().filter(|&&word| word == Word::Integer).count();
        !words.is_empty() && self.take(integers, words.len() - integers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offset: usize, size: usize, is_float: bool) -> Part {
        Part { offset, size, is_float }
    }

    #[test]
    fn structs_are_cut_into_words() {
        assert_eq!(words(12, [part(0, 4, true), part(4, 4, true), part(8, 4, true)]), [Word::Double, Word::Float]);
        assert_eq!(words(16, [part(0, 4, true), part(4, 4, false), part(8, 8, true)]), [Word::Integer, Word::Double]);
        assert_eq!(words(24, [part(0, 8, false), part(8, 8, false), part(16, 8, false)]), []);
        assert_eq!(words(9, [part(0, 1, false), part(1, 8, true)]), [], "a field that is not aligned");
        assert_eq!(words(0, []), []);
    }

    #[test]
    fn all_words_go_in_registers_or_none() {
        let mut registers = Registers { integers: 5, vectors: 0 };
        assert!(!registers.take_words(&[Word::Integer, Word::Integer]));
        assert!(registers.take_words(&[Word::Integer, Word::Double]));
        assert_eq!(registers, Registers { integers: 6, vectors: 1 });
        assert!(!registers.take(1, 0) && registers.take(0, 7) && !registers.take(0, 1));
        assert!(!registers.take_words(&[]));
    }
}
