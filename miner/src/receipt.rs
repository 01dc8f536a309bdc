//! The receipt of a request: the validator's signature over the bytes it sent.
//!
//! A request carries the place in the ledger at which it was issued and the validator's hotkey signs its hash. A miner
//! that keeps the line logged here can later show that it was asked, whatever the validator's ledger says.

use axum::http::{HeaderMap, StatusCode};
use domain::types::sha256;
use domain::wire::{header, request_message};

use crate::request::{ReceiptFields, Refusal};

/// The two headers of a signed request, decoded, and the hash that is signed.
pub(crate) struct Receipt {
    hotkey: String,
    public: [u8; 32],
    signature: [u8; 64],
}

fn refuse(field: &str, error: &str) -> Refusal {
    Refusal::of_field(StatusCode::UNAUTHORIZED, field, error)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let value = headers.get(name).map(|value| value.to_str().map_err(|_| refuse(name, "it is no plain text")));
    value.transpose()
}

/// The receipt of a request, checked against its bytes; `None` when the request carries no signature.
///
/// # Errors
/// 401 naming the header: a signature that does not verify, one without a hotkey, or none where one is required.
pub(crate) fn check(headers: &HeaderMap, body: &[u8], required: bool) -> Result<Option<Receipt>, Refusal> {
    let Some(signature) = text(headers, header::SIGNATURE)? else {
        return if required {
            Err(refuse(header::SIGNATURE, "this miner answers signed requests only"))
        } else {
            Ok(None)
        };
    };
    let hotkey = text(headers, header::VALIDATOR_HOTKEY)?
        .ok_or_else(|| refuse(header::VALIDATOR_HOTKEY, "a signed request names its hotkey"))?;
    let public = domain::ss58::decode(hotkey).map_err(|error| refuse(header::VALIDATOR_HOTKEY, &error.to_string()))?;
    let mut bytes = [0; 64];
    hex::decode_to_slice(signature, &mut bytes).map_err(|_| refuse(header::SIGNATURE, "it is not 128 hex digits"))?;
    let message = request_message(&sha256(body).0);
    if !network::keys::verify(&public, &message, &bytes) {
        return Err(refuse(header::SIGNATURE, "it is no signature of this body by this hotkey"));
    }
    Ok(Some(Receipt { hotkey: hotkey.to_owned(), public, signature: bytes }))
}

impl Receipt {
    /// Who signed.
    pub(crate) fn hotkey(&self) -> &str {
        &self.hotkey
    }

    /// That the signer of the receipt is who signed the request.
    ///
    /// # Errors
    /// 401 when it is somebody else.
    pub(crate) fn is_of(&self, hotkey: &domain::types::Hotkey) -> Result<(), Refusal> {
        if self.hotkey == hotkey.as_str() {
            return Ok(());
        }
        Err(refuse(header::VALIDATOR_HOTKEY, "the receipt is not of whoever signed the request"))
    }

    /// Compares the receipt with what the body says and logs it.
    ///
    /// # Errors
    /// 401 when the body speaks of a ledger that is not the signer's.
    pub(crate) fn admit(&self, body: &[u8], fields: Option<&ReceiptFields>, required: bool) -> Result<(), Refusal> {
        let Some(fields) = fields else {
            return if required {
                Err(refuse("assay", "a signed request says which ledger it belongs to"))
            } else {
                Ok(())
            };
        };
        // assay/<genesis>/<netuid>/<hotkey>, and /<n> after a new beginning.
        let owner = fields.origin.split('/').nth(3).unwrap_or_default();
        if domain::ss58::decode(owner).ok() != Some(self.public) {
            return Err(refuse("assay.origin", "the ledger is not the signer's"));
        }
        tracing::info!(
            validator = self.hotkey,
            origin = fields.origin,
            challenge = fields.challenge_id,
            position = fields.position,
            request_sha256 = hex::encode(sha256(body).0),
            signature = hex::encode(self.signature),
            "receipt"
        );
        Ok(())
    }
}
