//! The configuration file: what does not fit on a command line. `assay.toml` in the working directory, or `--config FILE`.

use anyhow::{Context, Result, bail, ensure};
use llm::Endpoint;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file that is read when it exists and no other is named.
const DEFAULT: &str = "assay.toml";
/// Larger ones are no configuration: 1 MiB.
const LARGEST: u64 = 1 << 20;
/// The route of purposes that the mechanism answers itself, without a model.
pub const OFFLINE: &str = "offline";
/// The key of `[judge]` for every purpose without a line of its own.
pub const EVERY_OTHER: &str = "default";

/// Everything that the file may hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Endpoints of language models by name.
    #[serde(default)]
    pub llm: BTreeMap<String, Endpoint>,
    /// Which endpoint gives the verdicts of a purpose: its name, or `offline`.
    #[serde(default)]
    pub judge: BTreeMap<String, String>,
}

impl Configuration {
    /// Reads the given file, else `assay.toml` if there is one. Without any `[llm.NAME]`, the variables of OpenAI's clients
    /// give an endpoint.
    pub fn load(given: Option<&Path>) -> Result<Self> {
        let default = PathBuf::from(DEFAULT);
        let file = given.map(Path::to_path_buf).or_else(|| default.exists().then_some(default));
        let mut configuration = match &file {
            Some(file) => Self::read(file).with_context(|| format!("the configuration in {}", file.display()))?,
            None => Self::default(),
        };
        if configuration.llm.is_empty() {
            configuration.llm.extend(llm::from_environment(&variable));
        }
        configuration.check()?;
        Ok(configuration)
    }

    fn read(file: &Path) -> Result<Self> {
        let size = std::fs::metadata(file)?.len();
        ensure!(size <= LARGEST, "it has {size} bytes, more than {LARGEST}");
        let configuration: Self = llm::parse(&std::fs::read_to_string(file)?)?;
        if configuration.llm.values().any(|endpoint| endpoint.key.is_some()) && others_can_read(file) {
            tracing::warn!(file = %file.display(), "others can read this file, and it holds a key: chmod 600, or use key_variable");
        }
        Ok(configuration)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.llm.contains_key(OFFLINE), "[llm.{OFFLINE}]: this name means no model; choose another");
        let names: Vec<&str> = self.llm.keys().map(String::as_str).chain([OFFLINE]).collect();
        for (purpose, name) in &self.judge {
            if !names.contains(&name.as_str()) {
                bail!("[judge] {purpose} = {name:?} names no endpoint; there are {}", names.join(", "));
            }
        }
        ensure!(
            self.llm.len() <= 1 || self.judge.contains_key(EVERY_OTHER),
            "there are several [llm.NAME]; say which one gives the verdicts without a line of their own: [judge] {EVERY_OTHER} = \"NAME\""
        );
        Ok(())
    }

    /// The name of the endpoint that gives the verdicts of a purpose; none for offline.
    pub fn route(&self, purpose: &str) -> Option<&str> {
        let named = self.judge.get(purpose).or_else(|| self.judge.get(EVERY_OTHER)).map(String::as_str);
        let only = || self.llm.keys().next().map(String::as_str);
        named.or_else(only).filter(|name| *name != OFFLINE)
    }
}

/// A variable of this process's environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(unix)]
fn others_can_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(text: &str) -> Result<Configuration, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("assay.toml");
        std::fs::write(&file, text).unwrap();
        let configuration = Configuration::read(&file).map_err(|error| format!("{error:#}"))?;
        configuration.check().map_err(|error| format!("{error:#}"))?;
        Ok(configuration)
    }

    const TWO: &str = "[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\n[llm.b]\nprovider = \"ollama\"\nmodel = \"m\"\n";

    #[test]
    fn purposes_find_their_endpoint() {
        let one = read("[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\n[judge]\nbase = \"offline\"\n").unwrap();
        assert_eq!([one.route("quality"), one.route("base")], [Some("a"), None]);
        let two = read(&format!("{TWO}[judge]\ndefault = \"b\"\nquality = \"a\"\n")).unwrap();
        assert_eq!([two.route("quality"), two.route("base")], [Some("a"), Some("b")]);
        let mostly_offline = read(&format!("{TWO}[judge]\ndefault = \"offline\"\nquality = \"a\"\n")).unwrap();
        assert_eq!([mostly_offline.route("quality"), mostly_offline.route("base")], [Some("a"), None]);
        assert_eq!(read("").unwrap().route("quality"), None);
    }

    #[test]
    fn the_documented_file_is_understood() {
        let document = include_str!("../docs/language-models.md");
        let block = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let found = read(block).unwrap();
        assert_eq!(found.llm.keys().collect::<Vec<_>>(), ["local", "strict"]);
        assert_eq!(
            ["quality", "base", "tags"].map(|purpose| found.route(purpose)),
            [Some("strict"), None, Some("local")]
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            (TWO.to_owned(), "[judge] default"),
            (format!("{TWO}[judge]\ndefault = \"c\"\n"), "\"c\" names no endpoint; there are a, b, offline"),
            ("[llm.offline]\nprovider = \"ollama\"\nmodel = \"m\"\n".to_owned(), "[llm.offline]"),
            ("[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\nmodle = 1\n".to_owned(), "line 4: unknown field `modle`"),
            ("[judges]\n".to_owned(), "line 1: unknown field `judges`"),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.contains(named), "{text}: {said}");
        }
    }
}
