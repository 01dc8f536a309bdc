//! `assay conversations` and `assay conversation-server`: what people have becomes a store, and a store is served. And the way of a
//! validator to such a server.

use crate::cli::{
    ConversationServerArgs, ConversationSourceArgs, ConversationsArgs, ConversationsCommand, ImportArgs, ListArgs,
};
use crate::output::{self, Align};
use crate::shutdown::Shutdown;
use anyhow::{Context, Result, ensure};
use conversations::server::{Config, Limits, Server};
use conversations::{Client, ClientConfig, Conversation, Key, import, store};
use domain::ruleset::RuleSet;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use validator::sources::ConversationServer;

/// Characters of a first line that the list shows.
const BEGINNING: usize = 60;

/// Imports or lists.
pub async fn run(args: ConversationsArgs) -> Result<ExitCode> {
    // Files of hundreds of megabytes are read; a signal is still heard meanwhile.
    tokio::task::spawn_blocking(move || match args.command {
        ConversationsCommand::Import(args) => import(&args),
        ConversationsCommand::List(args) => list(&args),
    })
    .await?
}

fn import(args: &ImportArgs) -> Result<ExitCode> {
    let found = import::file(&args.file, args.format.map(Into::into), args.source.map(Into::into))?;
    let added = store::append(&args.out, &found).context("nothing is imported")?;
    if args.json {
        output::json(&added)?;
    } else {
        let (file, out) = (args.file.display(), args.out.display());
        output::line(format!("{} conversations from {file} are now in {out}", added.added));
        if added.known > 0 {
            output::line(format!("{} were there already", added.known));
        }
        output::line(format!("{} altogether", added.total));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the list says of a conversation. The guid is text here: many readers of JSON lose digits of large numbers.
#[derive(Serialize)]
struct Row<'a> {
    guid: String,
    source: &'static str,
    participants: usize,
    lines: usize,
    bytes: usize,
    begins: &'a str,
}

fn row(conversation: &Conversation) -> Row<'_> {
    let text = conversation.lines.first().map(|line| line.text()).unwrap_or_default();
    let end = text.char_indices().nth(BEGINNING).map_or(text.len(), |(at, _)| at);
    Row {
        guid: conversation.guid.to_string(),
        source: conversation.source.name(),
        participants: conversation.participants.len(),
        lines: conversation.lines.len(),
        bytes: conversation.text_bytes(),
        begins: text.get(..end).unwrap_or_default(),
    }
}

fn list(args: &ListArgs) -> Result<ExitCode> {
    let found = read(&args.store)?;
    let rows: Vec<Row<'_>> = found.iter().map(row).collect();
    if args.json {
        output::json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        ("guid", Align::Right),
        ("source", Align::Left),
        ("speakers", Align::Right),
        ("lines", Align::Right),
        ("bytes", Align::Right),
        ("begins", Align::Left),
    ];
    let cells = rows.into_iter().map(|row| {
        let numbers = [row.participants, row.lines, row.bytes].map(|number| number.to_string());
        let [participants, lines, bytes] = numbers;
        vec![row.guid, row.source.to_owned(), participants, lines, bytes, row.begins.to_owned()]
    });
    output::table(&columns, &cells.collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Vec<Conversation>> {
    store::read(path).context("the store cannot be used; `assay conversations import` makes one")
}

/// The conversation server that a validator is to use, if one is named. Nothing is sent.
pub fn server(args: &ConversationSourceArgs, rule_sets: &[RuleSet]) -> Result<Option<ConversationServer>> {
    let Some(read) = &args.conversations else { return Ok(None) };
    ensure!(
        rule_sets.iter().any(|rules| rules.algorithm() == "cgp"),
        "--conversations is for rule sets of cgp, and --rules names none; `assay rules` lists them"
    );
    let key = match (&args.conversation_key, &args.conversation_key_file) {
        (Some(key), _) => Some(Key::new(key).context("--conversation-key")?),
        (None, Some(file)) => Some(Key::from_file(file).context("--conversation-key-file")?),
        (None, None) => None,
    };
    let config = ClientConfig {
        write: args.conversation_results.clone(),
        key,
        cgp_version: args.conversation_version.clone(),
        ..ClientConfig::new(read)
    };
    let client = Client::open(&config).context("--conversations")?;
    tracing::info!(server = read, "conversations are reserved from a server");
    Ok(Some(ConversationServer::new(client)))
}

/// Serves a store until it is told to end.
pub async fn serve(args: ConversationServerArgs, stop: Shutdown) -> Result<ExitCode> {
    let file = args.file.clone();
    let found = tokio::task::spawn_blocking(move || read(&file)).await??;
    let key = args.key.as_deref().map(Key::new).transpose()?;
    let folder = args.records.unwrap_or_else(|| {
        let mut name = args.file.into_os_string();
        name.push(".records");
        name.into()
    });
    let limits = Limits { all_record_bytes: args.record_megabytes << 20, ..Limits::default() };
    let (count, records) = (found.len(), folder.display().to_string());
    let config = Config { key, expiry: Duration::from_secs(args.expiry), limits, ..Config::new(args.listen, folder) };
    let server = Server::bind(config, found).await?;
    output::notice(format!("{count} conversations at http://{}, records in {records}", server.address()));
    server.run(async move { stop.wait().await }).await;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn args(url: Option<&str>, key: Option<&str>) -> ConversationSourceArgs {
        ConversationSourceArgs {
            conversations: url.map(str::to_owned),
            conversation_results: None,
            conversation_key: key.map(str::to_owned),
            conversation_key_file: None,
            conversation_version: None,
        }
    }

    fn rules(names: &[&str]) -> Vec<RuleSet> {
        names.iter().map(|name| domain::mechanism::shipped_by_name(name).unwrap()).collect()
    }

    #[test]
    fn a_mistake_is_told_before_anything_is_sent() {
        let url = Some("http://127.0.0.1:1");
        assert!(server(&args(None, Some("key")), &rules(&["loosh/readme"])).unwrap().is_none());
        let other = server(&args(url, None), &rules(&["loosh/readme"])).unwrap_err().to_string();
        assert!(other.contains("assay rules"), "{other}");
        let both = rules(&["loosh/readme", "cgp/assay-1"]);
        assert!(server(&args(url, None), &both).unwrap().is_some());
        let secret = "a key with spaces";
        let wrong = format!("{:#}", server(&args(url, Some(secret)), &both).unwrap_err());
        assert!(wrong.contains("--conversation-key") && !wrong.contains(secret), "{wrong}");
        let nowhere = format!("{:#}", server(&args(Some("somewhere"), None), &both).unwrap_err());
        assert!(nowhere.contains("--conversations") && nowhere.contains("is no address"), "{nowhere}");
    }

    #[test]
    fn a_key_comes_from_a_file_too_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("readyai_api_data.json");
        std::fs::write(&file, r#"{"api_key": "sesame-123"}"#).unwrap();
        let from_file =
            ConversationSourceArgs { conversation_key_file: Some(file), ..args(Some("https://127.0.0.1:1"), None) };
        let found = server(&from_file, &rules(&["cgp/readme"])).unwrap().unwrap();
        assert!(!format!("{found:?}").contains("sesame-123"), "{found:?}");
    }
}
