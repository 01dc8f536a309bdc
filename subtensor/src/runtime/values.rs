//! Values of the chain as values of ours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::types::{Digest, HexBytes, Hotkey};
use subxt::ext::scale_decode::{self, DecodeAsType};
use subxt::utils::AccountId32;

use crate::error::Error;

/// An announced axon, as far as it is of interest.
#[derive(Debug, Clone, DecodeAsType)]
#[decode_as_type(crate_path = "scale_decode")]
pub(crate) struct AxonInfo {
    ip: u128,
    port: u16,
    ip_type: u8,
}

impl AxonInfo {
    /// Address and port; `0.0.0.0` and 0 where none that can be dialled is announced.
    pub(crate) fn address(&self) -> (IpAddr, u16) {
        match address_of(self.ip, self.ip_type) {
            Some(ip) => (ip, self.port),
            None => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        }
    }
}

/// The address that a number and a type stand for: an IPv4 address is in the low 32 bits.
pub(crate) fn address_of(number: u128, ip_type: u8) -> Option<IpAddr> {
    match ip_type {
        4 => u32::try_from(number).ok().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        6 => Some(IpAddr::V6(Ipv6Addr::from_bits(number))),
        _ => None,
    }
}

/// A public key as a key of the chain's maps.
///
/// # Errors
/// [`Error::Encode`] when the address is none.
pub(crate) fn account(hotkey: &Hotkey) -> Result<AccountId32, Error> {
    hotkey.public().map(AccountId32).map_err(|error| Error::encode("hotkey", error))
}

pub(crate) fn hotkey(account: &AccountId32) -> Hotkey {
    Hotkey::from_public(&account.0)
}

pub(crate) fn digest(bytes: [u8; 32]) -> Digest {
    HexBytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::address_of;

    #[test]
    fn addresses_are_read_as_their_type_says() {
        for (number, ip_type, expected) in [
            (0x0a01_0203, 4, Some("10.1.2.3")),
            (0, 4, Some("0.0.0.0")),
            (1 << 32, 4, None),
            (1, 6, Some("::1")),
            (0x2001_0db8 << 96, 6, Some("2001:db8::")),
            (0x0a01_0203, 0, None),
            (0x0a01_0203, 5, None),
        ] {
            let found = address_of(number, ip_type).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{number:#x} of type {ip_type}");
        }
    }
}
