//! `assay conversations` and `assay conversation-server`: what people have becomes a store, and a store is served.

use crate::cli::{ConversationServerArgs, ConversationsArgs, ConversationsCommand, ImportArgs, ListArgs};
use crate::output::{self, Align};
use crate::shutdown::Shutdown;
use anyhow::{Context, Result};
use conversations::server::{Config, Limits, Server};
use conversations::{Conversation, Key, import, store};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

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
