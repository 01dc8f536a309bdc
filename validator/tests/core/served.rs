//! Conversation Genome with a real conversation server: reserved, played with the subnet's own miners, brought back.

mod subnet;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Path as AtPath;
use axum::http::StatusCode;
use axum::routing::put;
use domain::cgp::requests::GROUND_TRUTH;
use domain::cgp::task::Task;
use domain::events::Event;
use domain::mechanism;
use domain::types::Position;
use domain::wire;
use ledger::checkpoint::CheckpointDirectory;
use serde_json::Value;
use tokio::net::TcpListener;
use validator::judge::Judge;
use validator::sources::{self, ConversationServer};

use crate::world::{close_epoch, until};
use subnet::{CONVERSATIONS, Host, MINERS, Subnet, client, client_of, records};

/// Windows by guid, as they were accepted.
fn accepted(log: &[(Position, Event)]) -> BTreeMap<String, BTreeSet<u32>> {
    let mut windows: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for (_, event) in log {
        if let Event::ChallengeAccepted(accepted) = event {
            let task = Task::parse(accepted.challenge.task.as_deref()).unwrap();
            assert!(windows.entry(task.guid).or_default().insert(task.window_index), "no window twice in a batch");
        }
    }
    windows
}

/// Answers in rounds that were evaluated; those of an attempt that a crash ended count for nobody.
fn answers(log: &[(Position, Event)]) -> usize {
    let evaluated: BTreeSet<(&str, u32)> = log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::RoundEvaluated(evaluated) => Some((evaluated.challenge_id.as_str(), evaluated.attempt)),
            _ => None,
        })
        .collect();
    let counts = |event: &Event| matches!(event, Event::ResponseReceived(response) if evaluated.contains(&(response.challenge_id.as_str(), response.attempt)));
    log.iter().filter(|(_, event)| counts(event)).count()
}

/// What a record says it is about.
fn about(record: &Value) -> (String, String, u64, String) {
    let inner = &record["record"];
    let text = |name: &str| inner[name].as_str().unwrap().to_owned();
    let guid = record["guid"].as_str().unwrap().to_owned();
    (guid, text("type"), inner["convo_window_index"].as_u64().unwrap(), text("hotkey"))
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_reserved_played_and_brought_back() {
    let subnet = Subnet::new().await;
    let host = Host::start(&subnet.folder, "127.0.0.1:0".parse().unwrap()).await;
    let (running, tasks) = subnet.start(&client(host.address)).await;
    let whole = |records: &[Value]| records.iter().filter(|record| record["record"]["type"] == "validator").count();
    until("results of every conversation are there", || async { whole(&records(&subnet.folder)) == CONVERSATIONS })
        .await;
    let answered = || running.handle.stats().successful_responses;
    until("and all answers", || async { records(&subnet.folder).len() as u64 == CONVERSATIONS as u64 + answered() })
        .await;
    close_epoch(&running.handle, 0).await;
    Subnet::stop((running, tasks)).await;
    host.stop().await;

    let log = subnet.world.log().await;
    let windows = accepted(&log);
    let count: usize = windows.values().map(BTreeSet::len).sum();
    assert!(windows.len() == CONVERSATIONS && count >= 10, "{windows:?}");
    let judged = log.iter().filter_map(|(_, event)| match event {
        Event::JudgementRecorded(judged) if judged.purpose == GROUND_TRUTH => Some(judged.prompt_tokens),
        _ => None,
    });
    let tokens: Vec<u32> = judged.collect();
    assert_eq!(tokens.len(), count, "each round has the evidence that it uses");
    assert_eq!(subnet.counting.0.load(Ordering::SeqCst), CONVERSATIONS as u64, "and each conversation was judged once");
    assert_eq!(tokens.iter().sum::<u32>(), 10 * CONVERSATIONS as u32, "what was spent stands once");
    check_records(&subnet, &records(&subnet.folder), &windows, &log).await;
    subnet.end().await;
}

async fn check_records(
    subnet: &Subnet,
    records: &[Value],
    windows: &BTreeMap<String, BTreeSet<u32>>,
    log: &[(Position, Event)],
) {
    let own = subnet.world.config().hotkey.hotkey().to_string();
    let mut expected = BTreeSet::new();
    for (guid, indices) in windows {
        expected.insert((guid.clone(), "validator".to_owned(), 999, own.clone()));
        for index in indices {
            for (_, event) in log {
                if let Event::ResponseReceived(response) = event {
                    expected.insert((guid.clone(), "miner".to_owned(), u64::from(*index), response.hotkey.to_string()));
                }
            }
        }
    }
    assert_eq!(records.iter().map(about).collect::<BTreeSet<_>>(), expected);
    assert_eq!(records.len(), expected.len(), "each once");
    for record in records {
        let (inner, data) = (&record["record"], &record["record"]["data"]);
        assert_eq!((inner["netuid"].as_u64(), inner["scoring_version"].as_str()), (Some(78), Some("0.1")));
        assert_eq!((inner["model"].as_str(), inner["llm_type"].as_str()), (Some("offline"), Some("offline")));
        assert_eq!(inner["embeddings_model"].as_str(), Some(subnet.world.embeddings.identity().name.as_str()));
        let tags = data["tags"].as_array().unwrap();
        assert!(tags.len() >= 3, "{record}");
        assert!(
            data["vectors"].as_object().unwrap().values().all(|tag| tag["vectors"].as_array().unwrap().len() == 384)
        );
        if inner["type"] == "miner" {
            assert!(tags.iter().all(|tag| data["vectors"].get(tag.as_str().unwrap()).is_some()), "{record}");
            assert!(
                data["uid"].as_u64().unwrap() >= 1 && data["original_tags"].as_array().unwrap().len() >= tags.len()
            );
        } else {
            assert!(data["participantProfiles"].as_array().unwrap().len() >= 2);
        }
    }
    hidden(subnet, windows, log).await;
}

/// No request names a conversation.
async fn hidden(subnet: &Subnet, windows: &BTreeMap<String, BTreeSet<u32>>, log: &[(Position, Event)]) {
    let origin = subnet.world.reader().await.origin().to_owned();
    let rules = mechanism::open(&subnet.world.rule_set).unwrap();
    let mut challenges = BTreeMap::new();
    let mut drawn = BTreeMap::new();
    let mut requests = 0;
    for (position, event) in log {
        match event {
            Event::ChallengeAccepted(accepted) => {
                challenges.insert(accepted.challenge.id.clone(), accepted.challenge.clone());
            }
            Event::MinersSelected(selected) => {
                drawn.insert((selected.challenge_id.clone(), selected.attempt), *position);
            }
            Event::ChallengeIssued(issued) => {
                let (id, attempt) = (issued.challenge_id.clone(), issued.attempt);
                let (challenge, selected) = (&challenges[&id], drawn[&(id.clone(), attempt)]);
                let request = wire::issued_request(rules.as_ref(), challenge, &origin, selected, issued).unwrap();
                assert_eq!(request.hash, issued.request_hash);
                let text = String::from_utf8(request.body).unwrap();
                assert!(windows.keys().all(|guid| !text.contains(guid.as_str())), "{text}");
                requests += 1;
            }
            _ => {}
        }
    }
    assert!(requests >= 10 * MINERS, "{requests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_and_a_validator_that_is_killed_lose_nothing() {
    let subnet = Subnet::new().await;
    // A place where nothing listens yet.
    let host = Host::start(&subnet.folder, "127.0.0.1:0".parse().unwrap()).await;
    let address = host.address;
    host.stop().await;
    let (running, tasks) = subnet.start(&client(address)).await;
    until("miners are there", || async { running.handle.stats().active_miners == MINERS }).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(running.handle.stats().total_challenges, 0, "nothing is made up");
    assert!(running.handle.health().available, "{:?}", running.handle.health());

    // It comes, gives conversations, and is gone before the first result.
    let host = Host::start(&subnet.folder, address).await;
    until("a window is accepted", || async { running.handle.stats().total_challenges > 0 }).await;
    host.stop().await;
    let before = records(&subnet.folder).len();
    until("the windows that were reserved are played without it", || async {
        running.handle.stats().evaluated_challenges >= 10
    })
    .await;
    assert!(running.handle.health().available, "{:?}", running.handle.health());
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
    running.crash().await;
    assert_eq!(records(&subnet.folder).len(), before, "nobody was there to take them");

    // The next process brings back what the log holds, of conversations that are still reserved.
    let host = Host::start(&subnet.folder, address).await;
    let (running, tasks) = subnet.start(&client(address)).await;
    let whole = |records: &[Value]| records.iter().filter(|record| record["record"]["type"] == "validator").count();
    until("results of every conversation are there", || async { whole(&records(&subnet.folder)) >= CONVERSATIONS })
        .await;
    until("and the answers of every round that was evaluated", || async {
        let there: BTreeSet<_> = records(&subnet.folder).iter().map(about).collect();
        there.len() == CONVERSATIONS + answers(&subnet.world.log().await)
    })
    .await;
    close_epoch(&running.handle, 0).await;
    Subnet::stop((running, tasks)).await;

    // Once more: what was brought back is known, and nothing is sent again.
    let there = records(&subnet.folder).len();
    let (running, tasks) = subnet.start(&client(address)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    Subnet::stop((running, tasks)).await;
    assert_eq!(records(&subnet.folder).len(), there, "nothing is sent again");
    assert_eq!(accepted(&subnet.world.log().await).len(), CONVERSATIONS);
    host.stop().await;
    refuses_an_unreadable_file(&subnet, &client(address)).await;
    subnet.end().await;
}

/// Takes records, but those of the first conversation only once it is mended.
#[derive(Default)]
struct Sink {
    first: Option<String>,
    mended: bool,
    refusals: usize,
    taken: BTreeSet<String>,
}

impl Sink {
    fn take(&mut self, guid: String) -> (StatusCode, &'static str) {
        if *self.first.get_or_insert_with(|| guid.clone()) == guid && !self.mended {
            self.refusals += 1;
            let status = if self.refusals < 8 { StatusCode::BAD_GATEWAY } else { StatusCode::UNAUTHORIZED };
            return (status, r#"{"success": 0}"#);
        }
        self.taken.insert(guid);
        (StatusCode::OK, r#"{"success": 1}"#)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_cannot_be_brought_holds_no_other_up_and_is_not_given_up() {
    let subnet = Subnet::new().await;
    let host = Host::start(&subnet.folder, "127.0.0.1:0".parse().unwrap()).await;
    let sink: Arc<Mutex<Sink>> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let records = Arc::clone(&sink);
    let put = put(async move |AtPath(guid): AtPath<String>| records.lock().unwrap().take(guid));
    let router = Router::new().route("/api/v1/conversation/record/{guid}", put);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let started = subnet.start(&client_of(host.address, Some(address))).await;
    until("results of the others are there", || async { sink.lock().unwrap().taken.len() == CONVERSATIONS - 1 }).await;
    until("the key was said to be wrong often", || async { sink.lock().unwrap().refusals >= 8 + 10 }).await;
    sink.lock().unwrap().mended = true;
    until("the last comes, too", || async { sink.lock().unwrap().taken.len() == CONVERSATIONS }).await;
    close_epoch(&started.0.handle, 0).await;
    Subnet::stop(started).await;
    serving.abort();
    host.stop().await;
    subnet.end().await;
}

/// Nothing is reserved where nothing could be brought back.
async fn refuses_an_unreadable_file(subnet: &Subnet, server: &ConversationServer) {
    let running = subnet.world.start(subnet.world.config()).await;
    let folder = CheckpointDirectory::new(subnet.world.config().checkpoint_directory);
    let file = folder.checkpoint_file(running.handle.origin()).with_file_name("conversations.json");
    let written = std::fs::read(&file).unwrap();
    std::fs::write(&file, &written[..written.len() / 2]).unwrap();
    let judge: Arc<dyn Judge> = subnet.counting.clone();
    let started = sources::start_with(&running.handle, &subnet.world.rule_set, &judge, Some(server));
    assert!(started.unwrap_err().contains("conversations.json"));
    running.stop().await;
}
