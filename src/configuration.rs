//! The configuration file: what does not fit on a command line. `assay.toml` in the working directory, or `--config FILE`.

use crate::models::{self, Embedding, Reward};
use anyhow::{Context, Result, bail, ensure};
use llm::Endpoint;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use validator::reward_models::{PURPOSES, kind_for};

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
    /// Reward models by name; no name is that of an endpoint too.
    #[serde(default)]
    pub reward: BTreeMap<String, Reward>,
    /// The embedding model, if it is another one than `make setup` fetches.
    pub embedding: Option<Embedding>,
    /// Which endpoint or reward model gives the verdicts of a purpose: its name, or `offline`.
    #[serde(default)]
    pub judge: BTreeMap<String, String>,
    /// How a miner answers.
    #[serde(default)]
    pub miner: Mining,
}

/// `[miner]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mining {
    /// The endpoint that writes answers, or `offline`.
    pub answers: Option<String>,
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
        let mut configuration: Self = llm::parse(&std::fs::read_to_string(file)?)?;
        let rewards = configuration.reward.values_mut().map(|reward| &mut reward.folder);
        let embedding = configuration.embedding.as_mut().map(|embedding| &mut embedding.model);
        rewards.chain(embedding).for_each(|folder| models::beside(file, folder));
        if configuration.llm.values().any(|endpoint| endpoint.key.is_some()) && others_can_read(file) {
            tracing::warn!(file = %file.display(), "others can read this file, and it holds a key: chmod 600, or use key_variable");
        }
        Ok(configuration)
    }

    fn check(&self) -> Result<()> {
        if let Some(name) =
            self.miner.answers.as_deref().filter(|name| *name != OFFLINE && !self.llm.contains_key(*name))
        {
            let names: Vec<&str> = self.llm.keys().map(String::as_str).chain([OFFLINE]).collect();
            bail!("[miner] answers = {name:?} names no endpoint; there are {}", names.join(", "));
        }
        for (name, section) in self.llm.keys().map(|n| (n, "llm")).chain(self.reward.keys().map(|n| (n, "reward"))) {
            ensure!(name != OFFLINE, "[{section}.{OFFLINE}]: this name means no model; choose another");
        }
        if let Some(name) = self.reward.keys().find(|name| self.llm.contains_key(*name)) {
            bail!("[llm.{name}] and [reward.{name}] have one name, so that [judge] cannot tell them apart; rename one");
        }
        self.check_routes()?;
        ensure!(
            self.llm.len() <= 1 || self.judge.contains_key(EVERY_OTHER),
            "there are several [llm.NAME]; say which one gives the verdicts without a line of their own: [judge] {EVERY_OTHER} = \"NAME\""
        );
        for (name, reward) in &self.reward {
            reward.check().with_context(|| format!("[reward.{name}]"))?;
            let (kind, served) = (reward.kind, PURPOSES.iter().find(|(_, kind)| *kind == reward.kind));
            ensure!(
                self.judge.values().any(|routed| routed == name),
                "[reward.{name}] gives no verdicts; say of which purpose: [judge] {} = {name:?} for a {}",
                served.map_or("PURPOSE", |(purpose, _)| purpose),
                kind.name()
            );
        }
        self.embedding.as_ref().map_or(Ok(()), Embedding::check).context("[embedding]")
    }

    /// Every line of `[judge]` names something that can answer.
    fn check_routes(&self) -> Result<()> {
        let names: Vec<&str> = self.llm.keys().chain(self.reward.keys()).map(String::as_str).chain([OFFLINE]).collect();
        for (purpose, name) in &self.judge {
            if !names.contains(&name.as_str()) {
                bail!("[judge] {purpose} = {name:?} names no endpoint or reward model; there are {}", names.join(", "));
            }
            match (kind_for(purpose), self.reward.get(name)) {
                (Some(wanted), Some(reward)) if reward.kind == wanted => {}
                (None, None) => {}
                (Some(_), None) if name == OFFLINE => {}
                (Some(wanted), found) => bail!(
                    "[judge] {purpose} = {name:?} is {}; this purpose is served by a reward model of kind {:?}",
                    found.map_or_else(
                        || "a language model's endpoint".to_owned(),
                        |it| format!("of kind {:?}", it.kind.name())
                    ),
                    wanted.name()
                ),
                (None, Some(_)) => {
                    let served: Vec<String> =
                        PURPOSES.iter().map(|(purpose, kind)| format!("{purpose} ({})", kind.name())).collect();
                    bail!("[judge] {purpose} = {name:?} is a reward model; they serve {} alone", served.join(" and "));
                }
            }
        }
        Ok(())
    }

    /// The name of the endpoint that writes a miner's answers, the only one unless the file says which; none for offline.
    pub fn answers(&self) -> Result<Option<&str>> {
        ensure!(
            self.miner.answers.is_some() || self.llm.len() <= 1,
            "there are several [llm.NAME]; say which one writes a miner's answers: [miner] answers = \"NAME\""
        );
        let only = self.llm.keys().next();
        Ok(self.miner.answers.as_ref().or(only).map(String::as_str).filter(|name| *name != OFFLINE))
    }

    /// The name of the endpoint or reward model that gives the verdicts of a purpose; none for offline.
    pub fn route(&self, purpose: &str) -> Option<&str> {
        let named = self.judge.get(purpose).map(String::as_str);
        let other = || {
            let default = self.judge.get(EVERY_OTHER).or_else(|| self.llm.keys().next());
            // No endpoint can give what reward models give.
            default.map(String::as_str).filter(|_| kind_for(purpose).is_none())
        };
        named.or_else(other).filter(|name| *name != OFFLINE)
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

    const ROUTES: &str = "[judge]\nrlhf = \"c\"\ndpo = \"l\"\n";

    fn rewards(more: &str) -> String {
        format!(
            "[reward.c]\nkind = \"classifier\"\nfolder = \"f\"\n[reward.l]\nkind = \"language_model\"\nfolder = \"/g\"\n{more}"
        )
    }

    #[test]
    fn reward_models_serve_what_they_are_named_for_beside_endpoints() {
        let endpoint = "[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\n";
        let found = read(&format!("{endpoint}{}", rewards(ROUTES))).unwrap();
        let routes = ["rlhf", "dpo", "prompt"].map(|purpose| found.route(purpose).map(str::to_owned));
        assert_eq!(routes, [Some("c"), Some("l"), Some("a")].map(|name| name.map(str::to_owned)));
        assert!(found.reward["c"].folder.is_absolute(), "relative to the file: {:?}", found.reward["c"].folder);
        assert_eq!(found.reward["l"].folder, Path::new("/g"));
        // An endpoint for everything is none for what only a reward model can answer.
        let endpoints = read(&format!("{TWO}[judge]\ndefault = \"b\"\n")).unwrap();
        assert_eq!([endpoints.route("rlhf"), endpoints.route("prompt")], [None, Some("b")]);
    }

    #[test]
    fn the_documented_models_are_understood() {
        let document = include_str!("../docs/models.md");
        let block = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let found = read(block).unwrap();
        assert_eq!(found.reward.keys().collect::<Vec<_>>(), ["btlm", "deberta"]);
        assert_eq!([found.route("rlhf"), found.route("dpo")], [Some("deberta"), Some("btlm")]);
        assert!(found.embedding.unwrap().model.ends_with("all-mpnet-base-v2"));
    }

    #[test]
    fn a_miner_finds_its_endpoint() {
        let document = include_str!("../docs/miners.md");
        let block = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(read(block).unwrap().answers().unwrap(), Some("local"));
        let one = "[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\n";
        assert_eq!(read(one).unwrap().answers().unwrap(), Some("a"));
        assert_eq!(read(&format!("{one}[miner]\nanswers = \"offline\"\n")).unwrap().answers().unwrap(), None);
        assert_eq!(read("").unwrap().answers().unwrap(), None);
        let two = format!("{TWO}[judge]\ndefault = \"b\"\n");
        assert_eq!(read(&format!("{two}[miner]\nanswers = \"a\"\n")).unwrap().answers().unwrap(), Some("a"));
        assert!(read(&two).unwrap().answers().unwrap_err().to_string().contains("[miner] answers"));
        let said = read(&format!("{one}[miner]\nanswers = \"b\"\n")).unwrap_err();
        assert!(said.contains("\"b\" names no endpoint; there are a, offline"), "{said}");
        assert!(read("[miner]\nanswer = \"a\"\n").unwrap_err().contains("unknown field `answer`"));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, named) in [
            (TWO.to_owned(), "[judge] default"),
            (
                format!("{TWO}[judge]\ndefault = \"c\"\n"),
                "\"c\" names no endpoint or reward model; there are a, b, offline",
            ),
            ("[llm.offline]\nprovider = \"ollama\"\nmodel = \"m\"\n".to_owned(), "[llm.offline]"),
            ("[llm.a]\nprovider = \"ollama\"\nmodel = \"m\"\nmodle = 1\n".to_owned(), "line 4: unknown field `modle`"),
            ("[judges]\n".to_owned(), "line 1: unknown field `judges`"),
            (
                rewards("[judge]\nrlhf = \"c\"\n"),
                "[reward.l] gives no verdicts; say of which purpose: [judge] dpo = \"l\"",
            ),
            (
                rewards(&format!("{ROUTES}prompt = \"c\"\n")),
                "they serve rlhf (classifier) and dpo (language_model) alone",
            ),
            (rewards("[judge]\ndefault = \"c\"\n"), "default = \"c\" is a reward model; they serve"),
            (rewards("[judge]\nrlhf = \"l\"\ndpo = \"c\"\n"), "dpo = \"c\" is of kind \"classifier\"; this purpose"),
            (
                format!("{TWO}[judge]\ndefault = \"a\"\nrlhf = \"a\"\n"),
                "rlhf = \"a\" is a language model's endpoint; this",
            ),
            (
                rewards(&format!("{ROUTES}[llm.c]\nprovider = \"ollama\"\nmodel = \"m\"\n")),
                "[llm.c] and [reward.c] have one name",
            ),
            ("[reward.offline]\nkind = \"classifier\"\nfolder = \"f\"\n".to_owned(), "[reward.offline]"),
            ("[reward.a]\nkind = \"judge\"\nfolder = \"f\"\n".to_owned(), "line 2: unknown variant `judge`"),
            (
                format!("{}timeout_seconds = 0\n{ROUTES}", rewards("")),
                "[reward.l]: timeout_seconds = 0 is not within 1 to 3600",
            ),
            ("[embedding]\nmodel = \"m\"\nthreads = 0\n".to_owned(), "[embedding]: threads = 0 is not within"),
            ("[embedding]\nfolder = \"m\"\n".to_owned(), "line 2: unknown field `folder`"),
        ] {
            let said = read(&text).unwrap_err();
            assert!(said.contains(named), "{text}: {said}");
        }
    }
}
