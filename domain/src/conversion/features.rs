//! The 40 features of a conversation: names, types, what they mean, and how a synthetic conversation draws them (spec 1.3).
//!
//! The table is in wire order, the declared order in which upstream's typed dictionary is sent after validation. Models are
//! fed in [`MODEL_ORDER`], the order of the README's data file. The two differ: a model must be told which one it gets.

/// How many numeric features there are; `session_id` comes in front of them on the wire.
pub const COUNT: usize = 40;

/// The name of a conversation; a text, and no input of a model.
pub const SESSION_ID: &str = "session_id";

/// What a feature is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Any number.
    Number,
}

/// How a synthetic conversation comes to the feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draw {
    /// A normal deviate held within the bounds, rounded to so many decimals.
    Normal {
        /// Centre.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
        /// Lower and upper bound.
        bounds: (f64, f64),
        /// Decimals that are kept.
        decimals: usize,
    },
    /// A normal deviate held within the bounds and cut to a whole number.
    Whole {
        /// Centre.
        mean: f64,
        /// Standard deviation.
        deviation: f64,
        /// Lower and upper bound.
        bounds: (f64, f64),
    },
    /// Each whole number from the first to the last with the same chance.
    Uniform(i64, i64),
    /// Always this.
    Always(f64),
    /// Follows from other features.
    Derived,
}

/// One of the features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Must be there for a challenge to be complete.
    pub required: bool,
    /// How it is drawn.
    pub draw: Draw,
}

const fn normal(name: &'static str, mean: f64, deviation: f64, low: f64, high: f64, decimals: usize) -> Feature {
    let draw = Draw::Normal { mean, deviation, bounds: (low, high), decimals };
    Feature { name, kind: Kind::Number, required: false, draw }
}

const fn whole(name: &'static str, mean: f64, deviation: f64, low: f64, high: f64) -> Feature {
    Feature { name, kind: Kind::Integer, required: false, draw: Draw::Whole { mean, deviation, bounds: (low, high) } }
}

const fn uniform(name: &'static str, first: i64, last: i64) -> Feature {
    Feature { name, kind: Kind::Integer, required: false, draw: Draw::Uniform(first, last) }
}

const fn always(name: &'static str, kind: Kind, value: f64) -> Feature {
    Feature { name, kind, required: false, draw: Draw::Always(value) }
}

const fn derived(name: &'static str, kind: Kind) -> Feature {
    Feature { name, kind, required: false, draw: Draw::Derived }
}

const fn required(feature: Feature) -> Feature {
    Feature { required: true, ..feature }
}

/// All features in wire order. Times are in seconds, lengths in characters; day 0 is Sunday; `message_ratio` is user
/// messages per agent message (upstream's comment says the reverse).
pub const FEATURES: [Feature; COUNT] = [
    required(normal("conversation_duration_seconds", 100.0, 20.0, 60.0, 150.0, 2)),
    required(uniform("has_target_entity", 0, 1)),
    required(whole("entities_collected_count", 4.0, 1.5, 1.0, 6.0)),
    required(normal("message_ratio", 1.3, 0.3, 1.0, 2.0, 2)),
    derived("conversation_duration_minutes", Kind::Number),
    uniform("hour_of_day", 8, 19),
    uniform("day_of_week", 0, 6),
    derived("is_business_hours", Kind::Integer),
    derived("is_weekend", Kind::Integer),
    normal("time_to_first_response_seconds", 10.0, 3.0, 5.0, 20.0, 2),
    normal("avg_response_time_seconds", 15.0, 2.0, 10.0, 20.0, 2),
    normal("max_response_time_seconds", 18.0, 2.5, 15.0, 25.0, 2),
    normal("min_response_time_seconds", 10.0, 2.0, 5.0, 15.0, 2),
    normal("avg_agent_response_time_seconds", 15.0, 2.0, 10.0, 20.0, 2),
    normal("avg_user_response_time_seconds", 15.0, 2.0, 10.0, 20.0, 2),
    normal("response_time_stddev", 3.0, 1.0, 0.0, 5.0, 2),
    normal("response_gap_max", 18.0, 2.5, 15.0, 25.0, 2),
    derived("messages_per_minute", Kind::Number),
    whole("total_messages", 8.0, 2.0, 4.0, 20.0),
    derived("user_messages_count", Kind::Integer),
    derived("agent_messages_count", Kind::Integer),
    normal("avg_message_length_user", 40.0, 5.0, 20.0, 60.0, 2),
    whole("max_message_length_user", 50.0, 5.0, 30.0, 70.0),
    whole("min_message_length_user", 30.0, 5.0, 15.0, 45.0),
    derived("total_chars_from_user", Kind::Integer),
    normal("avg_message_length_agent", 75.0, 10.0, 50.0, 100.0, 2),
    whole("max_message_length_agent", 100.0, 15.0, 70.0, 130.0),
    whole("min_message_length_agent", 50.0, 10.0, 30.0, 80.0),
    derived("total_chars_from_agent", Kind::Integer),
    whole("question_count_agent", 3.0, 1.0, 1.0, 5.0),
    derived("questions_per_agent_message", Kind::Number),
    whole("question_count_user", 1.0, 0.5, 0.0, 3.0),
    derived("questions_per_user_message", Kind::Number),
    whole("sequential_user_messages", 2.0, 1.0, 1.0, 4.0),
    always("sequential_agent_messages", Kind::Integer, 1.0),
    normal("avg_entity_confidence", 0.9, 0.02, 0.8, 0.95, 3),
    normal("min_entity_confidence", 0.85, 0.03, 0.8, 0.9, 3),
    always("entity_collection_rate", Kind::Number, 0.0),
    uniform("repeated_questions", 0, 1),
    normal("message_alternation_rate", 0.9, 0.1, 0.7, 1.0, 3),
];

/// The order in which a model takes the features: that of upstream's data file and of its `get_numeric_features`.
pub const MODEL_ORDER: [&str; COUNT] = [
    "conversation_duration_seconds",
    "conversation_duration_minutes",
    "hour_of_day",
    "day_of_week",
    "is_business_hours",
    "is_weekend",
    "time_to_first_response_seconds",
    "avg_response_time_seconds",
    "max_response_time_seconds",
    "min_response_time_seconds",
    "avg_agent_response_time_seconds",
    "avg_user_response_time_seconds",
    "response_time_stddev",
    "response_gap_max",
    "messages_per_minute",
    "total_messages",
    "user_messages_count",
    "agent_messages_count",
    "message_ratio",
    "avg_message_length_user",
    "max_message_length_user",
    "min_message_length_user",
    "total_chars_from_user",
    "avg_message_length_agent",
    "max_message_length_agent",
    "min_message_length_agent",
    "total_chars_from_agent",
    "question_count_agent",
    "questions_per_agent_message",
    "question_count_user",
    "questions_per_user_message",
    "sequential_user_messages",
    "sequential_agent_messages",
    "entities_collected_count",
    "has_target_entity",
    "avg_entity_confidence",
    "min_entity_confidence",
    "entity_collection_rate",
    "repeated_questions",
    "message_alternation_rate",
];

/// The feature of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// Names of the whole-number features, in wire order.
pub fn integers() -> impl Iterator<Item = &'static str> {
    FEATURES.iter().filter(|feature| feature.kind == Kind::Integer).map(|feature| feature.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_hold_the_same_forty() {
        let sorted = |names: Vec<&'static str>| {
            let mut names = names;
            names.sort_unstable();
            names
        };
        let wire: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
        assert_ne!(wire, MODEL_ORDER);
        let names = sorted(wire);
        assert_eq!(names, sorted(MODEL_ORDER.to_vec()));
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(integers().count(), 20);
        assert_eq!(FEATURES.iter().filter(|feature| feature.required).count(), 4);
        assert_eq!(find("is_weekend").map(|feature| feature.draw), Some(Draw::Derived));
        assert_eq!(find(SESSION_ID), None);
    }
}
