//! Why a pool does not take an extrinsic, in names.
//!
//! Substrate answers a submission with a code and a text. Current runtimes refuse most things in the block; older ones refused
//! in the pool, as `Custom error: n`, what [`CUSTOM`] names.

/// Substrate's code for an extrinsic that is in the pool already.
pub(crate) const ALREADY_IMPORTED: i32 = 1013;
/// Substrate's code for an invalid extrinsic; the text says why.
const INVALID: i32 = 1010;

/// Subtensor's `CustomTransactionError`, by number; 255 stands apart.
const CUSTOM: [&str; 28] = [
    "ColdkeyInSwapSchedule",
    "StakeAmountTooLow",
    "BalanceTooLow",
    "SubnetNotExists",
    "HotkeyAccountDoesntExist",
    "NotEnoughStakeToWithdraw",
    "RateLimitExceeded",
    "InsufficientLiquidity",
    "SlippageTooHigh",
    "TransferDisallowed",
    "HotKeyNotRegisteredInNetwork",
    "InvalidIpAddress",
    "ServingRateLimitExceeded",
    "InvalidPort",
    "ZeroMaxAmount",
    "InvalidRevealRound",
    "CommitNotFound",
    "CommitBlockNotInRevealRange",
    "InputLengthsUnequal",
    "UidNotFound",
    "EvmKeyAssociateRateLimitExceeded",
    "ColdkeySwapDisputed",
    "InvalidRealAccount",
    "FailedShieldedTxParsing",
    "InvalidShieldedTxPubKeyHash",
    "NonAssociatedColdKey",
    "DelegateTakeTooLow",
    "DelegateTakeTooHigh",
];

/// A part of Substrate's text and the name of the `InvalidTransaction` it stands for.
const INVALID_TEXTS: [(&str, &str); 12] = [
    ("outdated", "Stale"),
    ("in the future", "Future"),
    ("bad signature", "BadProof"),
    ("ancient birth block", "AncientBirthBlock"),
    ("pay some fees", "Payment"),
    ("exhaust the block", "ExhaustsResources"),
    ("not expected", "Call"),
    ("labelled as mandatory", "BadMandatory"),
    ("dispatch is mandatory", "MandatoryValidation"),
    ("Invalid signing address", "BadSigner"),
    ("implicit data", "IndeterminateImplicit"),
    ("did not authorize", "UnknownOrigin"),
];

/// Whether a refusal, by its name, can come of the extrinsic having been taken before.
pub(crate) fn is_of_the_past(name: &str) -> bool {
    ["Stale", "TemporarilyBanned", "AlreadyImported"].contains(&name)
}

/// The name of a refusal by the pool; [`None`] when the code is not the pool's.
pub(crate) fn refusal(code: i32, message: &str) -> Option<String> {
    let name = match code {
        INVALID => return Some(invalid(message)),
        1002 | 1011 => "UnknownValidity",
        1012 => "TemporarilyBanned",
        ALREADY_IMPORTED => "AlreadyImported",
        1014 => "PriorityTooLow",
        1015 => "CycleDetected",
        1016 => "ImmediatelyDropped",
        1018 => "Unactionable",
        _ => return None,
    };
    Some(name.to_owned())
}

fn invalid(message: &str) -> String {
    if let Some(number) = custom_number(message) {
        return match (CUSTOM.get(usize::from(number)), number) {
            (Some(name), _) => (*name).to_owned(),
            (None, 255) => "BadRequest".to_owned(),
            (None, number) => format!("Custom({number})"),
        };
    }
    let known = INVALID_TEXTS.iter().find(|(text, _)| message.contains(text));
    known.map_or("InvalidTransaction", |(_, name)| name).to_owned()
}

/// The number in `Custom error: n` or `Custom(n)`.
fn custom_number(message: &str) -> Option<u8> {
    let (_, rest) = message.split_once("Custom")?;
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn refusals_have_names() {
        for (code, message, expected) in [
            (1010, "Invalid Transaction: Transaction is outdated", Some("Stale")),
            (1010, "Invalid Transaction: Transaction has a bad signature", Some("BadProof")),
            (1010, "Invalid Transaction: Transaction has an ancient birth block", Some("AncientBirthBlock")),
            (1010, "Invalid Transaction: Transaction will be valid in the future", Some("Future")),
            (1010, "Invalid Transaction: Inability to pay some fees (e.g. account balance too low)", Some("Payment")),
            (1010, "Invalid Transaction: Custom error: 6", Some("RateLimitExceeded")),
            (1010, "Invalid Transaction: Custom error: 0", Some("ColdkeyInSwapSchedule")),
            (1010, "Invalid Transaction: Custom(27)", Some("DelegateTakeTooHigh")),
            (1010, "Invalid Transaction: Custom error: 255", Some("BadRequest")),
            (1010, "Invalid Transaction: Custom error: 77", Some("Custom(77)")),
            (1010, "Invalid Transaction: Custom error: 7777", Some("InvalidTransaction")),
            (1010, "Invalid Transaction", Some("InvalidTransaction")),
            (1012, "Transaction is temporarily banned", Some("TemporarilyBanned")),
            (1013, "Transaction is already imported", Some("AlreadyImported")),
            (1014, "Priority is too low: (18446744073709551615 vs 1)", Some("PriorityTooLow")),
            (-32601, "Method not found", None),
        ] {
            assert_eq!(refusal(code, message).as_deref(), expected, "{code} {message}");
        }
    }
}
