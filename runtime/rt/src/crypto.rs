//! Is this what somebody has signed, and has it stayed what it was?
//!
//! SHA-256 (FIPS 180-4) and Ed25519 (RFC 8032). The library makes sure that secrets have 32 bytes.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::abi::Array;
use crate::array::{self, BytesRef};
use crate::context::Cx;

#[unsafe(no_mangle)]
pub extern "C" fn reml_sha256(cx: Cx, bytes: BytesRef) -> *mut Array {
    array::new_bytes(cx, &Sha256::digest(bytes.as_slice()))
}

/// Can signatures be checked with this key? Keys of small order are none: they fit signatures that nobody has made.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ed25519_is_key(_: Cx, key: BytesRef) -> bool {
    public(key).is_some()
}

/// The public key of a secret one.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ed25519_public(cx: Cx, secret: BytesRef) -> *mut Array {
    let key = signing(secret).map_or(Vec::new(), |key| key.verifying_key().to_bytes().to_vec());
    array::new_bytes(cx, &key)
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_ed25519_sign(cx: Cx, secret: BytesRef, message: BytesRef) -> *mut Array {
    let signature = signing(secret).map_or(Vec::new(), |key| key.sign(message.as_slice()).to_bytes().to_vec());
    array::new_bytes(cx, &signature)
}

/// Whatever is not a key or not a signature has signed nothing.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ed25519_verify(_: Cx, key: BytesRef, message: BytesRef, signature: BytesRef) -> bool {
    let Some(key) = public(key) else { return false };
    let Ok(signature) = Signature::from_slice(signature.as_slice()) else { return false };
    key.verify_strict(message.as_slice(), &signature).is_ok()
}

fn signing(secret: BytesRef) -> Option<SigningKey> {
    Some(SigningKey::from_bytes(secret.as_slice().try_into().ok()?))
}

fn public(key: BytesRef) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(key.as_slice().try_into().ok()?).ok()?;
    (!key.is_weak()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::ARRAY_DATA;
    use crate::context::Program;
    use crate::heap;

    /// The bytes of an array, which is dropped.
    fn bytes(cx: Cx, array: *mut Array) -> Vec<u8> {
        // SAFETY: an array of bytes that is ours alone.
        unsafe {
            let start = array.cast::<u8>().add(ARRAY_DATA);
            let copy = std::slice::from_raw_parts(start, (*array).len as usize).to_vec();
            heap::reml_free(cx, array.cast());
            copy
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Passes bytes to a function, as arrays that live as long as the call.
    fn on<const N: usize, T>(cx: Cx, inputs: [&[u8]; N], f: impl FnOnce([BytesRef; N]) -> T) -> T {
        let arrays = inputs.map(|input| array::new_bytes(cx, input));
        // SAFETY: arrays of bytes, freed below.
        let result = f(arrays.map(|array| unsafe { std::mem::transmute::<*mut Array, BytesRef>(array) }));
        for array in arrays {
            // SAFETY: ours alone.
            unsafe { heap::reml_free(cx, array.cast()) };
        }
        result
    }

    #[test]
    fn digests_of_the_standard() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let digest = on(cx, [b"abc"], |[text]| bytes(cx, reml_sha256(cx, text)));
        assert_eq!(hex(&digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(heap::live_objects(cx), 0);
    }

    /// The second test vector of RFC 8032.
    #[test]
    fn signatures_of_the_standard() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let secret: Vec<u8> = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
            .as_bytes()
            .chunks(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap())
            .collect();
        let key = on(cx, [&secret], |[secret]| bytes(cx, reml_ed25519_public(cx, secret)));
        assert_eq!(hex(&key), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = on(cx, [&secret, &[0x72]], |[secret, text]| bytes(cx, reml_ed25519_sign(cx, secret, text)));
        assert!(hex(&signature).starts_with("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"));
        let check = |key: &[u8], text: &[u8], signature: &[u8]| {
            on(cx, [key, text, signature], |[key, text, signature]| reml_ed25519_verify(cx, key, text, signature))
        };
        assert!(check(&key, &[0x72], &signature));
        assert!(!check(&key, &[0x73], &signature));
        assert!(!check(&key, &[0x72], &signature[1..]) && !check(&key[1..], &[0x72], &signature));
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn what_is_no_key() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let is_key = |key: &[u8]| on(cx, [key], |[key]| reml_ed25519_is_key(cx, key));
        // The neutral element; what is no point; too few bytes.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert!(!is_key(&neutral) && !is_key(&no_point) && !is_key(&[]));
        let none = on(cx, [&[1, 2]], |[secret]| bytes(cx, reml_ed25519_public(cx, secret)));
        assert!(none.is_empty());
    }
}
