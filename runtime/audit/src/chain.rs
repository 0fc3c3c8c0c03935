//! How do the lines of a log hold together?
//!
//! Each line ends with `"chain":{"seq":N,"prev":"P","hash":"H"}}`: its number, the hash of the line before, and its own hash, which is the SHA-256 of all
//! bytes of the line in front of `,"hash":`. So number and predecessor are under the hash like everything else, what is hashed is one piece,
//! and a line can be checked with the tools of any system. The first line has number 1 and sixty-four zeros before it.
//!
//! Whoever can write to the files can also compute hashes, so a chain alone shows that a log was changed only as far as its last
//! hash is known from elsewhere: see [`verify`](crate::verify).

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

const HEX_WIDTH: usize = 64;
const BEFORE_SEQ: &[u8] = b",\"chain\":{\"seq\":";
const BEFORE_PREV: &[u8] = b",\"prev\":\"";
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}}";

/// The longest line that is written or read, so that reading any bytes takes bounded memory.
pub const MAX_LINE: usize = 16 << 20;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    fn hex(self) -> [u8; HEX_WIDTH] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; HEX_WIDTH];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    fn from_hex(text: &[u8]) -> Option<Hash> {
        // Lower-case digits only: a hash has one spelling, or changed bytes could go unseen.
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut bytes = [0; 32];
        if text.len() != HEX_WIDTH {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Hash(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Hash, String> {
        Hash::from_hex(text.as_bytes()).ok_or_else(|| format!("`{text}` is not a SHA-256 in 64 lower-case digits"))
    }
}

/// How far a chain has come: the number and the hash of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    pub seq: u64,
    pub hash: Hash,
}

impl Tail {
    /// Before the first line.
    pub const START: Tail = Tail { seq: 0, hash: Hash([0; 32]) };

    /// Appends the line for a body, and moves on to it.
    pub fn append(&mut self, out: &mut Vec<u8>, body: &[u8]) {
        let start = out.len();
        let seq = self.seq + 1;
        out.extend_from_slice(body);
        out.extend_from_slice(BEFORE_SEQ);
        out.extend_from_slice(itoa::Buffer::new().format(seq).as_bytes());
        out.extend_from_slice(BEFORE_PREV);
        out.extend_from_slice(&self.hash.hex());
        out.push(b'"');
        let hash = Hash::of(&out[start..]);
        out.extend_from_slice(BEFORE_HASH);
        out.extend_from_slice(&hash.hex());
        out.extend_from_slice(AFTER_HASH);
        out.push(b'\n');
        *self = Tail { seq, hash };
    }

    /// Is this the link that comes next?
    pub fn leads_to(self, link: &Link) -> bool {
        link.prev == self.hash && self.seq.checked_add(1) == Some(link.seq)
    }
}

/// What a line says about its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub seq: u64,
    pub prev: Hash,
    pub hash: Hash,
}

impl Link {
    /// The end of a chain whose last line this is.
    pub fn tail(&self) -> Tail {
        Tail { seq: self.seq, hash: self.hash }
    }

    /// Reads what a line, without its line feed, says about its place, and the bytes that its hash should be of. It is not checked.
    pub fn stated(line: &[u8]) -> Option<(Link, &[u8])> {
        let rest = line.strip_suffix(AFTER_HASH)?;
        let (rest, hash) = rest.split_at_checked(rest.len().checked_sub(HEX_WIDTH)?)?;
        let hashed = rest.strip_suffix(BEFORE_HASH)?;
        let rest = hashed.strip_suffix(b"\"")?;
        let (rest, prev) = rest.split_at_checked(rest.len().checked_sub(HEX_WIDTH)?)?;
        let rest = rest.strip_suffix(BEFORE_PREV)?;
        let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let (rest, seq) = rest.split_at(rest.len() - digits);
        let body = rest.strip_suffix(BEFORE_SEQ)?;
        if !body.starts_with(b"{\"") || seq.starts_with(b"0") {
            return None;
        }
        let seq = std::str::from_utf8(seq).ok()?.parse().ok()?;
        Some((Link { seq, prev: Hash::from_hex(prev)?, hash: Hash::from_hex(hash)? }, hashed))
    }

    /// Reads the link of a line whose hash is right.
    pub fn checked(line: &[u8]) -> Option<Link> {
        let (link, hashed) = Link::stated(line)?;
        (Hash::of(hashed) == link.hash).then_some(link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(tail: &mut Tail, body: &str) -> Vec<u8> {
        let mut out = Vec::new();
        tail.append(&mut out, body.as_bytes());
        out.pop();
        out
    }

    #[test]
    fn lines_are_json_and_name_their_predecessor() {
        let mut tail = Tail::START;
        let first = line(&mut tail, "{\"a\":1");
        let second = line(&mut tail, "{\"a\":2");
        let (first, second) = (Link::checked(&first).unwrap(), Link::checked(&second).unwrap());
        assert!(Tail::START.leads_to(&first) && first.tail().leads_to(&second));
        assert_eq!((first.seq, second.seq, second.prev), (1, 2, first.hash));
        let mut tail = Tail { seq: 1_000_000 - 1, hash: Hash::of(b"") };
        let value: serde_json::Value = serde_json::from_slice(&line(&mut tail, "{\"a\":3")).unwrap();
        assert_eq!(value["chain"]["seq"], 1_000_000);
        assert_eq!(value["chain"]["prev"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_change_of_any_bit_is_seen() {
        let good = line(&mut Tail { seq: 41, hash: Hash::of(b"x") }, "{\"a\":\"text\"");
        let link = Link::checked(&good).unwrap();
        for index in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[index] ^= 1 << bit;
                assert_eq!(Link::checked(&bad), None, "byte {index}, bit {bit}");
            }
        }
        assert_eq!(Link::checked(&good), Some(link));
    }

    #[test]
    fn anything_can_be_asked_for_its_link() {
        let good = line(&mut Tail::START.clone(), "{\"a\":1");
        for start in 0..good.len() {
            for end in start..=good.len() {
                let whole = start == 0 && end == good.len();
                assert_eq!(Link::stated(&good[start..end]).is_some(), whole);
            }
        }
    }
}
