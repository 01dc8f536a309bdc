//! The headers of a request and of an answer: the same set in both directions.
//!
//! Names have underscores, which some proxies drop. Every value is text as Python's `str` gives it; what is not set is not sent.

use domain::text::numbers::float_repr;

use super::json::Json;

/// Before the fields of the asked side.
pub const AXON: &str = "bt_header_axon_";
/// Before the fields of the asking side.
pub const DENDRITE: &str = "bt_header_dendrite_";
/// Before the names of required fields.
pub const INPUT: &str = "bt_header_input_obj_";

/// What a timeout is where a request says none, in seconds.
pub const DEFAULT_TIMEOUT: f64 = 12.0;

/// Most input headers of a request, and most bytes of one value.
const MOST_INPUTS: usize = 64;
const LONGEST_VALUE: usize = 8 << 10;
/// Most bytes of an address, hotkey, uuid, signature or hash: a signature has 130.
const LONGEST_TOKEN: usize = 160;

/// One side of an exchange.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terminal {
    /// HTTP status of the exchange.
    pub status_code: Option<i64>,
    /// Text that goes with it.
    pub status_message: Option<String>,
    /// Seconds.
    pub process_time: Option<f64>,
    /// Address.
    pub ip: Option<String>,
    /// Port.
    pub port: Option<i64>,
    /// SDK version as an integer.
    pub version: Option<i64>,
    /// Nanoseconds, since the epoch or since the machine started.
    pub nonce: Option<u64>,
    /// One per process.
    pub uuid: Option<String>,
    /// SS58 address.
    pub hotkey: Option<String>,
    /// `0x` and 128 hexadecimal digits.
    pub signature: Option<String>,
}

/// All headers of one direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The synapse's name; informative.
    pub name: Option<String>,
    /// Seconds; finite and not negative.
    pub timeout: f64,
    /// The asked side.
    pub axon: Terminal,
    /// The asking side.
    pub dendrite: Terminal,
    /// Required fields and the base64 of their types' empty values.
    pub inputs: Vec<(String, String)>,
    /// Bytes that the other side's objects take in its memory; never checked.
    pub header_size: i64,
    /// As `header_size`.
    pub total_size: i64,
    /// Hexadecimal.
    pub computed_body_hash: Option<String>,
}

/// Why headers are not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A value is not of its type.
    #[error("header {0} is not understood")]
    Malformed(String),
    /// A value is longer than any honest one, or there are too many.
    #[error("header {0} is too long or one too many")]
    TooLong(String),
}

impl Default for Head {
    fn default() -> Self {
        Self {
            name: None,
            timeout: DEFAULT_TIMEOUT,
            axon: Terminal::default(),
            dendrite: Terminal::default(),
            inputs: Vec::new(),
            header_size: 0,
            total_size: 0,
            computed_body_hash: None,
        }
    }
}

impl Head {
    /// Reads the headers that belong to the protocol; names in lower case, others are passed over. Of a name that stands twice the
    /// last counts.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Self, HeadError> {
        let mut head = Self::default();
        for (name, value) in headers {
            head.take(name, value)?;
        }
        Ok(head)
    }

    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), HeadError> {
        let value = Value { name, bytes: value };
        if let Some(field) = name.strip_prefix(AXON) {
            return self.axon.take(field, &value);
        }
        if let Some(field) = name.strip_prefix(DENDRITE) {
            return self.dendrite.take(field, &value);
        }
        if let Some(field) = name.strip_prefix(INPUT) {
            if self.inputs.len() == MOST_INPUTS {
                return Err(value.too_long());
            }
            self.inputs.push((field.to_owned(), value.text(LONGEST_VALUE)?));
            return Ok(());
        }
        match name {
            "name" => self.name = Some(value.text(LONGEST_VALUE)?),
            "timeout" => self.timeout = value.seconds()?,
            "header_size" => self.header_size = value.integer()?,
            "total_size" => self.total_size = value.integer()?,
            "computed_body_hash" => self.computed_body_hash = Some(value.text(LONGEST_TOKEN)?),
            _ => {}
        }
        Ok(())
    }

    /// The headers in the SDK's order. Values are printable ASCII.
    #[must_use]
    pub fn lines(&self) -> Vec<(String, String)> {
        let mut lines = Vec::with_capacity(24);
        if let Some(name) = &self.name {
            lines.push(("name".to_owned(), printable(name)));
        }
        lines.push(("timeout".to_owned(), float_repr(self.timeout)));
        for (prefix, terminal) in [(AXON, &self.axon), (DENDRITE, &self.dendrite)] {
            for (field, value) in terminal.fields() {
                let text = match value {
                    Json::Null => continue,
                    Json::Text(text) => printable(&text),
                    other => super::python::string_of(&other),
                };
                lines.push((format!("{prefix}{field}"), text));
            }
        }
        for (field, value) in &self.inputs {
            lines.push((format!("{INPUT}{field}"), printable(value)));
        }
        lines.push(("header_size".to_owned(), self.header_size.to_string()));
        lines.push(("total_size".to_owned(), self.total_size.to_string()));
        if let Some(hash) = &self.computed_body_hash {
            lines.push(("computed_body_hash".to_owned(), printable(hash)));
        }
        lines
    }
}

impl Terminal {
    /// The fields in the SDK's order, `Null` where not set.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, Json); 10] {
        let text = |value: &Option<String>| value.as_ref().map_or(Json::Null, Json::text);
        let integer = |value: Option<i64>| value.map_or(Json::Null, Json::Integer);
        let nonce = self.nonce.map(|nonce| super::json::integer(&nonce.to_string()).unwrap_or(Json::Null));
        [
            ("status_code", integer(self.status_code)),
            ("status_message", text(&self.status_message)),
            ("process_time", self.process_time.map_or(Json::Null, Json::Float)),
            ("ip", text(&self.ip)),
            ("port", integer(self.port)),
            ("version", integer(self.version)),
            ("nonce", nonce.unwrap_or(Json::Null)),
            ("uuid", text(&self.uuid)),
            ("hotkey", text(&self.hotkey)),
            ("signature", text(&self.signature)),
        ]
    }

    /// The object that stands in a body.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Object(self.fields().map(|(name, value)| (name.to_owned(), value)).into())
    }

    fn take(&mut self, field: &str, value: &Value<'_>) -> Result<(), HeadError> {
        match field {
            "status_code" => self.status_code = Some(value.integer()?),
            "status_message" => self.status_message = Some(value.text(LONGEST_VALUE)?),
            "process_time" => self.process_time = Some(value.seconds()?),
            "ip" => self.ip = Some(value.text(LONGEST_TOKEN)?),
            "port" => self.port = Some(value.integer()?),
            "version" => self.version = Some(value.integer()?),
            "nonce" => self.nonce = Some(value.parsed()?),
            "uuid" => self.uuid = Some(value.text(LONGEST_TOKEN)?),
            "hotkey" => self.hotkey = Some(value.text(LONGEST_TOKEN)?),
            "signature" => self.signature = Some(value.text(LONGEST_TOKEN)?),
            _ => {}
        }
        Ok(())
    }
}

struct Value<'a> {
    name: &'a str,
    bytes: &'a [u8],
}

impl Value<'_> {
    fn malformed(&self) -> HeadError {
        HeadError::Malformed(shortened(self.name))
    }

    fn too_long(&self) -> HeadError {
        HeadError::TooLong(shortened(self.name))
    }

    fn text(&self, longest: usize) -> Result<String, HeadError> {
        if self.bytes.len() > longest {
            return Err(self.too_long());
        }
        // Python's servers read headers as Latin-1.
        Ok(self.bytes.iter().map(|byte| char::from(*byte)).collect())
    }

    fn parsed<T: std::str::FromStr>(&self) -> Result<T, HeadError> {
        let text = std::str::from_utf8(self.bytes).ok().filter(|text| text.len() <= LONGEST_TOKEN);
        text.and_then(|text| text.trim().parse().ok()).ok_or_else(|| self.malformed())
    }

    fn integer(&self) -> Result<i64, HeadError> {
        self.parsed()
    }

    fn seconds(&self) -> Result<f64, HeadError> {
        self.parsed()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0)
            .ok_or_else(|| self.malformed())
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

/// A value that may stand in a header whatever it came from.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(LONGEST_VALUE).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[(&str, &str)]) -> Result<Head, HeadError> {
        Head::read(lines.iter().map(|(name, value)| (*name, value.as_bytes())))
    }

    #[test]
    fn what_is_written_is_read_back() {
        let terminal = Terminal {
            status_code: Some(200),
            status_message: Some("Success".to_owned()),
            process_time: Some(0.25),
            ip: Some("127.0.0.1".to_owned()),
            port: Some(8091),
            version: Some(10_005_000),
            nonce: Some(u64::MAX),
            uuid: Some("u".to_owned()),
            hotkey: Some("h".to_owned()),
            signature: Some("0x00".to_owned()),
        };
        let head = Head {
            name: Some("Echo".to_owned()),
            timeout: 1e-7,
            axon: terminal.clone(),
            dendrite: terminal,
            inputs: vec![("prompt".to_owned(), "IiI=".to_owned())],
            header_size: 464,
            total_size: -1,
            computed_body_hash: Some("00".to_owned()),
        };
        let lines = head.lines();
        assert!(lines.contains(&("timeout".to_owned(), "1e-07".to_owned())));
        assert_eq!(Head::read(lines.iter().map(|(n, v)| (n.as_str(), v.as_bytes()))), Ok(head));
    }

    #[test]
    fn what_is_not_set_is_not_sent() {
        let names: Vec<_> = Head::default().lines().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["timeout", "header_size", "total_size"]);
        assert_eq!(read(&[("x-other", "1"), ("bt_header_axon_other", "1")]), Ok(Head::default()));
    }

    #[test]
    fn values_that_are_not_understood() {
        for (name, value) in [
            ("timeout", "x"),
            ("timeout", "nan"),
            ("timeout", "-1"),
            ("total_size", "x"),
            ("bt_header_dendrite_nonce", "abc"),
            ("bt_header_dendrite_nonce", "-5"),
            ("bt_header_dendrite_version", "9.12"),
            ("bt_header_axon_port", ""),
            ("bt_header_dendrite_uuid", &"u".repeat(LONGEST_TOKEN + 1)),
        ] {
            assert!(read(&[(name, value)]).is_err(), "{name} {value}");
        }
        let many: Vec<_> = (0..=MOST_INPUTS).map(|at| format!("{INPUT}{at}")).collect();
        assert!(Head::read(many.iter().map(|name| (name.as_str(), &b""[..]))).is_err());
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(name in "(name|timeout|bt_header_(axon|dendrite|input_obj)_[a-z_]{0,14})", value: Vec<u8>) {
            if let Ok(head) = Head::read([(name.as_str(), value.as_slice())]) {
                for (_, value) in head.lines() {
                    prop_assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
                }
            }
        }
    }
}
