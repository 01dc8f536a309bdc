//! The dialects in which miners are asked.

/// How a request is written and sent. The name is what `ChallengeIssued` records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// Plain HTTP to one route, signed by receipt.
    Http,
    /// Axon and dendrite of Bittensor's SDK 6 to 10.
    Axon,
    /// `btauth/1` of SDK 11.
    BtAuth,
    /// Fiber 2, plain mode.
    FiberPlain,
    /// Fiber 2, encrypted mode.
    FiberEncrypted,
    /// Loosh's dialect of fiber, always encrypted.
    FiberLoosh,
    /// Epistula 2.
    Epistula,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Http,
        Self::Axon,
        Self::BtAuth,
        Self::FiberPlain,
        Self::FiberEncrypted,
        Self::FiberLoosh,
        Self::Epistula,
    ];

    /// The name as recorded.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "assay/http/1",
            Self::Axon => "bittensor/axon/1",
            Self::BtAuth => "btauth/1",
            Self::FiberPlain => "fiber/plain/2",
            Self::FiberEncrypted => "fiber/encrypted/2",
            Self::FiberLoosh => "fiber/loosh/1",
            Self::Epistula => "epistula/2",
        }
    }

    /// The dialect of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The names, for a person.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whether the body has a `nonce` besides: what fiber encrypts has one, for every client of it adds one.
    pub(super) const fn adds_a_nonce(self) -> bool {
        matches!(self, Self::FiberEncrypted)
    }

    /// Whether the body says which synapse it carries; elsewhere the route does.
    pub(super) const fn names_the_synapse(self) -> bool {
        matches!(self, Self::Http)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for dialect in Dialect::ALL {
            assert_eq!(Dialect::of(dialect.name()), Some(dialect));
        }
        assert_eq!(Dialect::of("assay/http/2"), None);
        assert_eq!(Dialect::of(""), None);
    }
}
