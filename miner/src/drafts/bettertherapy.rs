//! Support for a person who asks for it.

use serde::{Deserialize, Serialize};

use super::{Draft, object, sound};

const TASK: &str = "A person writes `message` to a supportive listener. Answer the person directly: take up what they say, give one to \
    three concrete things that help in such a situation, and point to a doctor, a counsellor or a helpline where it goes beyond \
    what one can carry alone. Be warm and plain, give no diagnosis, name no medicine, promise nothing, and write 80 to 220 words in \
    the language of the message.";
const SHAPE: &str =
    r#"{"type":"object","properties":{"reply":{"type":"string"}},"required":["reply"],"additionalProperties":false}"#;

/// Longest reply, in bytes.
const MAXIMUM_TEXT: usize = 16 << 10;
const MAXIMUM_TOKENS: u32 = 1_000;

#[derive(Serialize)]
struct Data<'a> {
    message: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    reply: String,
}

/// The draft of a reply to a message.
///
/// # Errors
/// A message that is too long.
pub fn draft<T>(
    message: &str,
    body: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> Result<Draft<T>, String> {
    let read = move |reply: &str| body(&sound(&object::<Reply>(reply)?.reply, MAXIMUM_TEXT)?);
    Draft::new(TASK, SHAPE, MAXIMUM_TOKENS, &Data { message }, read)
}
