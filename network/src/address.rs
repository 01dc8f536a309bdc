//! Which addresses a miner may name as its axon.
//!
//! A miner writes any address it likes on chain and the validator connects to it, so an address of the validator's own
//! machine or network would let the miner speak through the validator. An axon is therefore a literal IP address (a name
//! could answer otherwise the next time) of globally reachable unicast; private ones only on a network named `local`.
//! Ranges: IANA's IPv4 and IPv6 special-purpose address registries (RFC 6890 and its successors), refused as a whole, and
//! of IPv6 everything outside 2000::/3, which is all that has been given out as global unicast.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A bracketed IPv6 address with a port has at most 47 characters.
const MAXIMUM_TEXT: usize = 64;

/// Why a text or address is no axon that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not `ip:port`. Names are refused like anything else.
    #[error("address is not an ip address and a port")]
    NotLiteral,
    /// Port 0 announces nothing.
    #[error("address {0} has port 0")]
    NoPort(IpAddr),
    /// An address in a special-purpose range.
    #[error("address {ip} is in a range that a miner may not name: {range}")]
    Special {
        /// The address.
        ip: IpAddr,
        /// The range's name.
        range: &'static str,
    },
}

/// How far a range reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// This machine or its own network: allowed on a local network.
    Private,
    /// Refused everywhere.
    Never,
}

/// Network, length of its prefix, reach, name. The first that fits decides.
const IPV4: [(Ipv4Addr, u32, Reach, &str); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, Reach::Never, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Reach::Private, "private use"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Reach::Private, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Reach::Private, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Reach::Never, "link local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Reach::Private, "private use"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reach::Never, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reach::Never, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, Reach::Never, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, Reach::Never, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reach::Never, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Reach::Private, "private use"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, Reach::Never, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reach::Never, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reach::Never, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reach::Never, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reach::Never, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reach::Never, "reserved"),
];

/// As above; what is in no row and outside 2000::/3 is refused too.
const IPV6: [(Ipv6Addr, u32, Reach, &str); 8] = [
    (Ipv6Addr::LOCALHOST, 128, Reach::Private, "loopback"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Reach::Private, "unique local"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Reach::Never, "link local"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reach::Never, "protocol assignments"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reach::Never, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Never, "6to4"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, Reach::Never, "AS112"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reach::Never, "documentation"),
];

/// What has been given out as global unicast.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Decides which axons are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressGuard {
    allow_private: bool,
}

impl AddressGuard {
    /// The guard of a network by its name; only the name `local` lets private ranges through.
    pub fn for_network(name: &str) -> Self {
        Self { allow_private: name == "local" }
    }

    /// Reads `ip:port` (`[ip]:port` for IPv6).
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(&self, text: &str) -> Result<SocketAddr, AddressError> {
        if text.len() > MAXIMUM_TEXT {
            return Err(AddressError::NotLiteral);
        }
        self.check(text.parse().map_err(|_| AddressError::NotLiteral)?)
    }

    /// Lets an address through or says why not. Connect to what is returned, and follow no redirect from it.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn check(&self, address: SocketAddr) -> Result<SocketAddr, AddressError> {
        let ip = address.ip();
        if address.port() == 0 {
            return Err(AddressError::NoPort(ip));
        }
        match special(ip) {
            None => Ok(SocketAddr::new(ip, address.port())),
            Some((Reach::Private, _)) if self.allow_private => Ok(SocketAddr::new(ip, address.port())),
            Some((_, range)) => Err(AddressError::Special { ip, range }),
        }
    }
}

/// The special range of an address, if it is in one.
fn special(ip: IpAddr) -> Option<(Reach, &'static str)> {
    match ip {
        IpAddr::V4(ip) => IPV4
            .iter()
            .find(|(network, length, ..)| (u32::from(ip) ^ u32::from(*network)) >> (32 - length) == 0)
            .map(|(_, _, reach, range)| (*reach, *range)),
        IpAddr::V6(ip) => IPV6
            .iter()
            .find(|(network, length, ..)| is_in(ip, *network, *length))
            .map(|(_, _, reach, range)| (*reach, *range))
            .or_else(|| {
                // Among these: unspecified, IPv4-mapped and -compatible, translated (64:ff9b::), discard, multicast.
                let global = is_in(ip, GLOBAL_UNICAST.0, GLOBAL_UNICAST.1);
                (!global).then_some((Reach::Never, "not global unicast"))
            }),
    }
}

fn is_in(ip: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    (u128::from(ip) ^ u128::from(network)) >> (128 - length) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn outcomes(ip: &str) -> [bool; 2] {
        let address = SocketAddr::new(ip.parse().unwrap(), 8091);
        ["finney", "local"].map(|network| AddressGuard::for_network(network).check(address) == Ok(address))
    }

    const PUBLIC: [bool; 2] = [true, true];
    const PRIVATE: [bool; 2] = [false, true];
    const NEVER: [bool; 2] = [false, false];

    #[test]
    fn both_ends_of_every_range_and_their_neighbours() {
        for (below, first, last, above, expected) in [
            ("", "0.0.0.0", "0.255.255.255", "1.0.0.0", NEVER),
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", PRIVATE),
            ("100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", PRIVATE),
            ("126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", PRIVATE),
            ("169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", NEVER),
            ("172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", PRIVATE),
            ("191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", NEVER),
            ("192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", NEVER),
            ("192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0", NEVER),
            ("192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0", NEVER),
            ("192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", NEVER),
            ("192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", PRIVATE),
            ("192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0", NEVER),
            ("198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", NEVER),
            ("198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", NEVER),
            ("203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", NEVER),
            ("223.255.255.255", "224.0.0.0", "255.255.255.255", "", NEVER),
            ("", "::", "::", "", NEVER),
            ("", "::1", "::1", "", PRIVATE),
            ("", "::2", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", NEVER),
            (
                "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:200::",
                NEVER,
            ),
            (
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db9::",
                NEVER,
            ),
            (
                "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2003::",
                NEVER,
            ),
            (
                "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
                "2620:4f:8000::",
                "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
                "2620:4f:8001::",
                NEVER,
            ),
            (
                "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff::",
                "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
                "3fff:1000::",
                NEVER,
            ),
            ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", NEVER),
            ("", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", PRIVATE),
            ("", "fe00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", NEVER),
        ] {
            for (ip, expected) in [(below, PUBLIC), (first, expected), (last, expected), (above, PUBLIC)] {
                if !ip.is_empty() {
                    assert_eq!(outcomes(ip), expected, "{ip}");
                }
            }
        }
    }

    #[test]
    fn well_known_tricks_are_refused() {
        for network in ["finney", "local", "test", "LOCAL", "localnet", ""] {
            let guard = AddressGuard::for_network(network);
            for text in [
                "",
                "localhost:80",
                "example.com:80",
                "1.1.1.1",
                ":80",
                "1.1.1.1:0",
                "1.1.1.1:65536",
                "0x7f.1:80",
                "0177.0.0.1:80",
                "2130706433:80",
                "127.1:80",
                "1.1.1.1:80/path",
                "user@1.1.1.1:80",
                " 1.1.1.1:80",
                "1.1.1.1:80\0",
                "[::ffff:127.0.0.1]:80",
                "[::ffff:8.8.8.8]:80",
                "[64:ff9b::7f00:1]:80",
                "[fe80::1%1]:80",
                "169.254.169.254:80",
                "0.0.0.0:80",
                "[::]:80",
                "[2002:7f00:1::]:80",
                "::1:80",
            ] {
                assert!(guard.parse(text).is_err(), "{network} {text:?}");
            }
            assert!(guard.parse(&"1".repeat(10_000)).is_err());
            assert!(guard.parse("[2606:4700::1111]:443").is_ok());
            assert_eq!(guard.parse("127.0.0.1:80").is_ok(), network == "local", "{network}");
        }
        let error = AddressGuard::for_network("finney").parse("10.1.2.3:80").unwrap_err();
        assert_eq!(error.to_string(), "address 10.1.2.3 is in a range that a miner may not name: private use");
    }

    proptest! {
        #[test]
        fn nothing_that_the_standard_library_knows_as_special_gets_through(ip: u32, port in 1u16..) {
            let ip = Ipv4Addr::from(ip);
            let address = SocketAddr::new(ip.into(), port);
            let finney = AddressGuard::for_network("finney").check(address).is_ok();
            let local = AddressGuard::for_network("local").check(address).is_ok();
            let never = ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_documentation() || ip.octets()[0] >= 240;
            prop_assert!(!(finney && (never || ip.is_private() || ip.is_loopback() || ip.is_unspecified())));
            prop_assert!(!(local && never));
            prop_assert!(local || !finney, "what is public is public everywhere");
        }

        #[test]
        fn every_ipv4_range_is_refused_throughout(row in 0usize..IPV4.len(), host: u32) {
            let (network, length, reach, _) = IPV4[row];
            let ip = Ipv4Addr::from(u32::from(network) | (host & (u32::MAX >> length)));
            let address = SocketAddr::new(ip.into(), 1);
            prop_assert!(AddressGuard::for_network("finney").check(address).is_err());
            prop_assert_eq!(AddressGuard::for_network("local").check(address).is_ok(), reach == Reach::Private);
        }

        #[test]
        fn ipv6_inside_and_outside(host: u128, row in 0usize..IPV6.len()) {
            let (network, length, reach, _) = IPV6[row];
            let inside = Ipv6Addr::from(u128::from(network) | host.checked_shr(length).unwrap_or(0));
            let address = SocketAddr::new(inside.into(), 1);
            prop_assert!(AddressGuard::for_network("finney").check(address).is_err());
            prop_assert_eq!(AddressGuard::for_network("local").check(address).is_ok(), reach == Reach::Private);
            let any = Ipv6Addr::from(host);
            let global = any.segments()[0] >> 13 == 1;
            let passes = AddressGuard::for_network("finney").check(SocketAddr::new(any.into(), 1)).is_ok();
            prop_assert!(global || !passes);
        }
    }
}
