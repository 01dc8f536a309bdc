//! Where the password of a key file comes from when nobody is asked.
//!
//! Bittensor's tools look for a variable of the environment named after the file, `BT_PW_` and the path in capitals with `_`
//! for `/` and `.`. Its value is base64 of the password, XORed with the variable's own name over and over: that hides it
//! from a passing glance and from nothing else.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use crate::Error;

/// Base64 of 1,024 bytes and some.
const MAXIMUM_VALUE: usize = 1400;

/// The name of the variable for the key file at `path`, which should be absolute.
#[must_use]
pub fn variable(path: &Path) -> String {
    format!("BT_PW_{}", path.to_string_lossy().replace(['/', '.'], "_")).to_uppercase()
}

/// The value that hides `password` in the variable `name`.
#[must_use]
pub fn conceal(name: &str, password: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(Zeroizing::new(xor(name, password))))
}

/// The password behind the value of the variable `name`.
///
/// # Errors
/// [`Error::Password`] when the value is not base64 or too long.
pub fn reveal(name: &str, value: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let wrong = || Error::Password(format!("the value of {name} is not base64 of a concealed password"));
    let value = value.trim();
    if value.len() > MAXIMUM_VALUE {
        return Err(wrong());
    }
    let concealed = Zeroizing::new(STANDARD.decode(value).map_err(|_| wrong())?);
    Ok(Zeroizing::new(xor(name, &concealed)))
}

/// The password for the key file at `path` from the environment, if it is there.
///
/// # Errors
/// As [`reveal`].
pub fn from_environment(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let name = variable(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    match std::env::var(&name) {
        Ok(value) => reveal(&name, &Zeroizing::new(value)).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::Password(format!("the value of {name} is not text"))),
    }
}

fn xor(name: &str, bytes: &[u8]) -> Vec<u8> {
    bytes.iter().zip(name.bytes().cycle()).map(|(byte, key)| byte ^ key).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_values_are_btwallets() {
        // By `Keyfile.env_var_name` and `save_password_to_env` of bittensor-wallet 4.1.1.
        let name = variable(Path::new("/tmp/bwhome/a-b c.d/x~y/coldkey"));
        assert_eq!(name, "BT_PW__TMP_BWHOME_A-B C_D_X~Y_COLDKEY");
        assert_eq!(conceal(&name, "päss wörd-1".as_bytes()).as_str(), "Mpf7IyR/KJf7IjtvZg==");
        assert_eq!(reveal(&name, " Mpf7IyR/KJf7IjtvZg==\n").unwrap().as_slice(), "päss wörd-1".as_bytes());
        let long = [7; 1000];
        assert_eq!(reveal(&name, &conceal(&name, &long)).unwrap().as_slice(), long);
    }

    #[test]
    fn values_that_conceal_nothing_are_refused() {
        for value in ["p", "päss", &"A".repeat(MAXIMUM_VALUE + 1)] {
            let error = reveal("BT_PW_X", value).unwrap_err();
            assert!(error.to_string().contains("BT_PW_X") && !error.to_string().contains("päss"), "{error}");
        }
        assert!(from_environment(Path::new("/no/such/file")).unwrap().is_none());
    }
}
