//! SS58 addresses: base58 of `prefix ‖ 32-byte key ‖ first two bytes of blake2b-512("SS58PRE" ‖ prefix ‖ key)`.
//!
//! Only the generic Substrate prefix 42 with 32-byte keys, as Bittensor uses it.

use blake2::{Blake2b512, Digest};

/// The network prefix of Bittensor addresses.
pub const PREFIX: u8 = 42;

/// Why a text is not an SS58 address of a 32-byte key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ss58Error {
    /// A character outside of the base58 alphabet.
    #[error("address {0:?} is not base58")]
    NotBase58(String),
    /// Not `1 + 32 + 2` bytes.
    #[error("address {address:?} decodes to {length} bytes, expected 35")]
    Length {
        /// The offending text.
        address: String,
        /// Its decoded length in bytes.
        length: usize,
    },
    /// A prefix of another network.
    #[error("address {address:?} has network prefix {prefix}, expected 42")]
    Prefix {
        /// The offending text.
        address: String,
        /// The prefix found.
        prefix: u8,
    },
    /// The two checksum bytes do not match: usually a typing mistake.
    #[error("address {0:?} has a wrong checksum; check it for a typing mistake")]
    Checksum(String),
}

fn checksum(body: &[u8]) -> [u8; 2] {
    let mut hasher = Blake2b512::new();
    hasher.update(b"SS58PRE");
    hasher.update(body);
    let digest = hasher.finalize();
    [digest[0], digest[1]]
}

/// The 48-character address of a public key.
#[must_use]
pub fn encode(public: &[u8; 32]) -> String {
    let mut body = Vec::with_capacity(35);
    body.push(PREFIX);
    body.extend_from_slice(public);
    let check = checksum(&body);
    body.extend_from_slice(&check);
    bs58::encode(body).into_string()
}

/// The public key behind an address.
///
/// # Errors
/// [`Ss58Error`] says which part of the address is wrong.
pub fn decode(address: &str) -> Result<[u8; 32], Ss58Error> {
    if address.len() > 64 {
        return Err(Ss58Error::Length { address: address.chars().take(64).collect(), length: address.len() });
    }
    let bytes = bs58::decode(address).into_vec().map_err(|_| Ss58Error::NotBase58(address.to_owned()))?;
    if bytes.len() != 35 {
        return Err(Ss58Error::Length { address: address.to_owned(), length: bytes.len() });
    }
    if bytes[0] != PREFIX {
        return Err(Ss58Error::Prefix { address: address.to_owned(), prefix: bytes[0] });
    }
    if checksum(&bytes[..33]) != bytes[33..] {
        return Err(Ss58Error::Checksum(address.to_owned()));
    }
    let mut public = [0; 32];
    public.copy_from_slice(&bytes[1..33]);
    Ok(public)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn alice_is_alice() {
        let public = hex::decode("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d").unwrap();
        let public: [u8; 32] = public.try_into().unwrap();
        let address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        assert_eq!(encode(&public), address);
        assert_eq!(decode(address), Ok(public));
    }

    #[test]
    fn hostile_addresses_are_named() {
        for (text, want) in [
            ("0OIl", "not base58"),
            ("5Grw", "bytes, expected 35"),
            ("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQX", "wrong checksum"),
            (&"5".repeat(1000), "expected 35"),
        ] {
            let error = decode(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
