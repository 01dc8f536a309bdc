//! What is asked: the body, and what the headers say of it.

use std::time::Duration;

use axum::body::Bytes;
use network::legacy::python::dumps;
use network::legacy::shape::{body_hash, input_object};
use network::legacy::{Head, Json, Shape};

use crate::error::Error;

/// A request without its addressee.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) synapse: String,
    content: Content,
    /// Hash of the fields that the signature covers.
    pub(super) body_hash: String,
    /// Required fields and the base64 of their types' empty values.
    pub(super) inputs: Vec<(String, String)>,
    /// How long the whole exchange may take.
    pub(super) timeout: Duration,
    /// Further headers, such as a receipt.
    pub(super) extra: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Content {
    /// These bytes, to everybody.
    Exact(Bytes),
    /// The model around these fields, with both sides' objects; an answer has to be of the same declaration.
    Typed(Shape, Vec<(String, Json)>),
}

impl Call {
    /// A call by a synapse's declaration. The body is the whole model as the SDK writes it, and an answer has to be of the same
    /// declaration.
    ///
    /// # Errors
    /// [`Error::Body`] when the fields are not those of the declaration.
    pub fn typed(shape: &Shape, fields: Vec<(String, Json)>, timeout: Duration) -> Result<Self, Error> {
        let read = shape.read(&Json::Object(fields));
        let fields = read.map_err(|source| Error::Body { synapse: shape.name.clone(), source })?;
        Ok(Self {
            synapse: shape.name.clone(),
            body_hash: shape.body_hash(&fields),
            inputs: shape.inputs(&fields),
            content: Content::Typed(shape.clone(), fields),
            timeout,
            extra: Vec::new(),
        })
    }

    /// A call with a body that is fixed already, for instance because its hash is recorded. `hashed` names the fields that the
    /// signature covers, which are hashed as the body has them; `required` the fields without a default, each with the empty value
    /// of its type as JSON. Answers are not checked against a declaration.
    ///
    /// # Errors
    /// [`Error::Json`] when there are fields to hash and the body is not JSON.
    pub fn exact(
        synapse: impl Into<String>,
        body: impl Into<Bytes>,
        hashed: &[&str],
        required: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<Self, Error> {
        let (synapse, body) = (synapse.into(), body.into());
        let hash = if hashed.is_empty() {
            body_hash([])
        } else {
            let json = Json::parse(&body).map_err(|source| Error::Json { synapse: synapse.clone(), source })?;
            body_hash(hashed.iter().map(|name| json.get(name).unwrap_or(&Json::Null)))
        };
        let inputs = required.iter().map(|(name, empty)| ((*name).to_owned(), input_object(empty))).collect();
        Ok(Self { synapse, content: Content::Exact(body), body_hash: hash, inputs, timeout, extra: Vec::new() })
    }

    /// Adds a header, such as a receipt; peers that do not know it pass it over.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    /// What an answer has to be, where that is checked.
    pub(super) fn shape(&self) -> Option<&Shape> {
        match &self.content {
            Content::Exact(_) => None,
            Content::Typed(shape, _) => Some(shape),
        }
    }

    /// The body that goes with these headers in the protocol of SDK 6 to 10.
    #[must_use]
    pub fn body(&self, head: &Head) -> Bytes {
        let (shape, fields) = match &self.content {
            Content::Exact(bytes) => return bytes.clone(),
            Content::Typed(shape, fields) => (shape, fields),
        };
        let mut model = vec![
            ("name".to_owned(), Json::text(&shape.name)),
            ("timeout".to_owned(), Json::Float(head.timeout)),
            ("total_size".to_owned(), Json::Integer(head.total_size)),
            ("header_size".to_owned(), Json::Integer(0)),
            ("dendrite".to_owned(), head.dendrite.to_json()),
            ("axon".to_owned(), head.axon.to_json()),
            ("computed_body_hash".to_owned(), Json::text("")),
        ];
        model.extend(fields.iter().cloned());
        Bytes::from(dumps(&Json::Object(model)))
    }

    /// The body under `btauth/1`: the fields alone.
    #[must_use]
    pub fn plain_body(&self) -> Bytes {
        match &self.content {
            Content::Exact(bytes) => bytes.clone(),
            Content::Typed(_, fields) => Bytes::from(dumps(&Json::Object(fields.clone()))),
        }
    }
}
