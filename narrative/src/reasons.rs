//! What each reason for a zero means, in a sentence for a miner.

use domain::events::ZeroReason;

/// The sentence for a recorded reason; the word itself when it is not one of this program's.
#[must_use]
pub fn explain_reason(word: &str) -> String {
    let parsed = serde_json::from_value::<ZeroReason>(serde_json::Value::String(word.to_owned()));
    parsed.map_or_else(|_| word.to_owned(), |reason| sentence(reason).to_owned())
}

fn sentence(reason: ZeroReason) -> &'static str {
    match reason {
        ZeroReason::Unreachable => "no connection to the announced axon could be made",
        ZeroReason::TimedOut => "the answer was not complete at the deadline",
        ZeroReason::Refused => "the miner answered with an HTTP status other than 200",
        ZeroReason::Protocol => "what came broke off or was no HTTP",
        ZeroReason::Malformed => "the body was no answer of the dialect",
        ZeroReason::TooLarge => "the body was over the size limit",
        ZeroReason::BadSignature => "the miner's signature did not verify",
        ZeroReason::ForbiddenAddress => "the announced address is one that the validator may not contact",
        ZeroReason::TestMode => "the answer was a canned test answer",
        ZeroReason::FilteredByQuality => "the answer was dropped by the relevance gate or quality filter",
        ZeroReason::FilteredAsOutlier => "the answer was dropped as an outlier of the round",
        ZeroReason::FilteredByLength => "the answer was dropped as too short",
        ZeroReason::FilteredByCluster => "the answer was not in the dominant cluster of the round",
        ZeroReason::NoConsensus => "fewer than two answers survived, so there was no consensus to measure",
        ZeroReason::OffTopic => "the only valid answer was off topic",
        ZeroReason::NoTimeShare => "the answer took the whole of the round's response time",
        ZeroReason::EvaluationError => "the mechanism could not be computed for the round",
        ZeroReason::NotSampled => "the miner was not drawn in the window",
        ZeroReason::NeverAnswered => "the miner was drawn, but no answer of the window counted",
        ZeroReason::Stale => "the miner was last seen too long ago",
        ZeroReason::NotServing => {
            "the neuron is not a miner that can be paid: no axon, the validator itself, or a validator"
        }
        ZeroReason::NoScore => "the moving average is zero or less",
        ZeroReason::QuantisedToZero => "the share of the weight rounds to 0 of 65535",
        ZeroReason::UidReassigned => "the slot changed hands before the weights were submitted",
        ZeroReason::EmptyAnswer => "the answer was empty",
        ZeroReason::InvalidAnswer => "the answer held values that the protocol does not allow",
        ZeroReason::TooFewTags => "the answer had fewer tags than the mechanism asks for",
        ZeroReason::JudgedZero => "the verdict on the answer was zero, or too low to count",
        ZeroReason::NoJudgement => "there was no usable verdict on the answer",
        ZeroReason::Penalised => "penalties took all of the score",
        ZeroReason::Duplicate => "another miner gave the same answer",
        ZeroReason::OverQuota => "earlier slots have used up the quota of its address, endpoint or coldkey",
        ZeroReason::AwaitingLabel => "the label that decides is not known yet",
        ZeroReason::WrongPrediction => "the predicted class was not the true one",
        ZeroReason::Burned => "the rule set pays this share to somebody else",
        ZeroReason::NotAboveConstant => {
            "the miner's labelled answers are worth no more than always the same one, or are too few to tell"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::explain_reason;

    #[test]
    fn a_known_word_becomes_a_sentence_and_an_unknown_one_stays() {
        assert_eq!(explain_reason("timed_out"), "the answer was not complete at the deadline");
        assert_eq!(explain_reason("something_new"), "something_new");
    }
}
