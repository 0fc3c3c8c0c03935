//! When do two spellings mean the same host?
//!
//! Names and addresses get one form in which equal hosts are equal bytes, and a network is a beginning. An address is
//! `[`, `4` or `6`, and its bits as `0` and `1`: then `10.0.*` and `10.0.0.0/16` are beginnings of 18 bytes, and no
//! name begins like an address. Names are in lower case, without the dot that may end them.

use std::net::IpAddr;

/// What the normal form of any host fits in: names have at most 253 bytes.
pub(super) type Buffer = [u8; 256];

pub(super) const EMPTY: Buffer = [0; 256];

/// The normal form; `None` for what cannot be a host.
pub(super) fn normal<'b>(host: &str, buffer: &'b mut Buffer) -> Option<&'b [u8]> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    // Only what looks like an address is worth the attempt.
    let numeric = host.starts_with(|c: char| c.is_ascii_digit()) || host.contains(':');
    if numeric && let Ok(address) = bare.unwrap_or(host).parse() {
        return Some(address_bits(address, buffer));
    }
    let name = host.strip_suffix('.').unwrap_or(host).as_bytes();
    let valid = |&byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 253 || !name.iter().all(valid) {
        return None;
    }
    let form = &mut buffer[..name.len()];
    form.copy_from_slice(name);
    form.make_ascii_lowercase();
    Some(form)
}

/// An IPv4 address in the clothes of an IPv6 one is what it is.
pub(super) fn address_bits(address: IpAddr, buffer: &mut Buffer) -> &[u8] {
    buffer[0] = b'[';
    let mut octets = [0; 16];
    let octets = match address.to_canonical() {
        IpAddr::V4(v4) => {
            buffer[1] = b'4';
            octets[..4].copy_from_slice(&v4.octets());
            &octets[..4]
        }
        IpAddr::V6(v6) => {
            buffer[1] = b'6';
            octets = v6.octets();
            &octets[..]
        }
    };
    let bits = &mut buffer[2..2 + octets.len() * 8];
    for (bits, octet) in bits.chunks_exact_mut(8).zip(octets) {
        for (index, bit) in bits.iter_mut().enumerate() {
            *bit = b'0' + (octet >> (7 - index) & 1);
        }
    }
    &buffer[..2 + octets.len() * 8]
}

/// `10.0.` and `2001:db8:` of patterns: the network that the written groups give.
pub(super) fn network(beginning: &str) -> Option<Vec<u8>> {
    let (separator, groups, bits) = if beginning.contains(':') { (':', 8, 16) } else { ('.', 4, 8) };
    let written: Vec<&str> = beginning.strip_suffix(separator)?.split(separator).collect();
    if written.len() >= groups || written.iter().any(|group| group.is_empty()) {
        return None;
    }
    let zeros = std::iter::repeat_n("0", groups - written.len());
    let full: Vec<&str> = written.iter().copied().chain(zeros).collect();
    subnet(&full.join(&separator.to_string()), written.len() * bits)
}

/// The first bits of an address. Bits that the length leaves out have to be zero, as in `10.0.0.0/8`.
pub(super) fn subnet(address: &str, length: usize) -> Option<Vec<u8>> {
    let mut buffer = EMPTY;
    let address: IpAddr = address.parse().ok()?;
    let bits = address_bits(address, &mut buffer);
    let kept = bits.get(..2 + length)?;
    bits[2 + length..].iter().all(|&bit| bit == b'0').then(|| kept.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Option<String> {
        let mut buffer = EMPTY;
        normal(host, &mut buffer).map(|form| String::from_utf8_lossy(form).into_owned())
    }

    #[test]
    fn spellings_of_one_host_have_one_form() {
        assert_eq!(of("Example.COM."), of("example.com"));
        assert_eq!(of("[::1]"), of("0:0:0:0:0:0:0:1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("7-eleven.com").as_deref(), Some("7-eleven.com"));
        for wrong in ["", ".", "a b", "a/b", "[::1", "exämple.com", "a\0b", &"a".repeat(254)] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_are_beginnings_of_their_addresses() {
        let mut buffer = EMPTY;
        let net = network("10.0.").unwrap();
        assert!(normal("10.0.255.1", &mut buffer).unwrap().starts_with(&net));
        assert!(!normal("10.1.0.0", &mut buffer).unwrap().starts_with(&net));
        assert_eq!(network("10.0."), subnet("10.0.0.0", 16));
        let v6 = network("2001:db8:0:").unwrap();
        assert!(normal("2001:db8::1", &mut buffer).unwrap().starts_with(&v6));
        for wrong in ["10.0", "10..", "300.", "1.2.3.4.", "x:", "::"] {
            assert_eq!(network(wrong), None, "{wrong}");
        }
        assert_eq!(subnet("10.0.0.1", 8), None);
        assert_eq!(subnet("10.0.0.0", 33), None);
    }
}
