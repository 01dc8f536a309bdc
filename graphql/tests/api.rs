//! The API over a log written through the real ledger.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../projections/tests/support/mod.rs"]
mod support;

use std::time::Duration;

use async_graphql::Variables;
use graphql::{Api, Executed, Limits};
use projections::{Projector, ReadModels, Settings};
use serde_json::{Value, json};
use support::{World, database, hotkey, little_log};

struct Served {
    api: Api,
    projector: Projector,
    _database: cluster::TestDatabase,
}

async fn served() -> (Served, World) {
    let database = database().await;
    let world = little_log(database.url()).await;
    let projector = Projector::open(database.url(), Settings::default()).await.unwrap();
    projector.catch_up().await.unwrap();
    let api = Api::new(ReadModels::open(database.url()).unwrap(), Limits::default());
    (Served { api, projector, _database: database }, world)
}

impl Served {
    async fn execute(&self, query: &str, variables: Value) -> Executed {
        self.api.run(query, None, Variables::from_json(variables)).await
    }

    /// The data of a request that must succeed.
    async fn ask(&self, query: &str, variables: Value) -> Value {
        let executed = self.execute(query, variables).await;
        assert_eq!(executed.response.errors, Vec::new(), "{query}");
        executed.response.data.into_json().unwrap()
    }

    /// Code and message of a request that must fail.
    async fn refused(&self, query: &str, variables: Value) -> (String, String, bool) {
        let executed = self.execute(query, variables).await;
        let error = executed.response.errors.first().expect("an error");
        let extensions = serde_json::to_value(error.extensions.as_ref().expect("extensions")).unwrap();
        let code = extensions["code"].as_str().expect("a code").to_owned();
        (code, error.message.clone(), executed.request_error)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miners_history_comes_with_components_and_the_position() {
    let (served, world) = served().await;
    let query = "query ($hotkey: String!) { miner(hotkey: $hotkey) {
        meta { ledger position block at lag } hotkey uid drawn answered availability { available position }
        slots { uid fromPosition toPosition axon stake }
        scoreHistory(first: 2) { meta { position } pageInfo { hasNextPage endCursor }
          edges { cursor node { position epoch challengeId attempt score scoreBits counted reason explanation
            components { name value valueBits } round { state consensus } } } }
        movingAverages(first: 2) { edges { node { epoch average averageBits items } } }
        explainScore(epoch: 0) { verdict weight steps { stage text position } } } }";
    let data = served.ask(query, json!({ "hotkey": hotkey(1).to_string() })).await;
    let miner = &data["miner"];
    let newest = (world.size() - 1).to_string();
    assert_eq!(miner["meta"]["position"], newest);
    assert_eq!(miner["meta"]["lag"], 0);
    assert_eq!(miner["meta"]["ledger"], world.origin());
    assert_eq!(miner["uid"], 1);
    let edges = miner["scoreHistory"]["edges"].as_array().unwrap();
    assert_eq!(edges.len(), 2);
    for edge in edges {
        let node = &edge["node"];
        let score = node["score"].as_f64().unwrap();
        assert_eq!(node["scoreBits"], format!("{:016x}", score.to_bits()));
        assert_eq!(node["components"].as_array().unwrap().len(), 2);
        assert_eq!(node["round"]["state"], "EVALUATED");
        assert_eq!(node["reason"].is_null(), score > 0.0);
    }
    assert_eq!(miner["explainScore"]["steps"][0]["stage"], "SLOT");
    assert!(miner["meta"]["at"].as_str().unwrap().ends_with('Z'));
    let nobody = served.ask(query, json!({ "hotkey": hotkey(99).to_string() })).await;
    assert_eq!(nobody["miner"], Value::Null);
}

/// Everything of a connection in pages of a size, and in one page.
async fn pages(served: &Served, field: &str, node: &str, size: u32) -> Vec<Value> {
    let (mut all, mut after, mut read_at) = (Vec::new(), Value::Null, None);
    for _ in 0..500 {
        let query = format!(
            "query ($first: Int!, $after: String) {{ page: {field} {{ meta {{ position }}
               pageInfo {{ hasNextPage hasPreviousPage endCursor }} edges {{ cursor node {{ {node} }} }} }} }}"
        );
        let data = served.ask(&query, json!({ "first": size, "after": after })).await;
        let page = &data["page"];
        let edges = page["edges"].as_array().unwrap();
        assert!(edges.len() <= size as usize);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        // All pages of a connection are read at the position of the first.
        let position = page["meta"]["position"].clone();
        assert_eq!(*read_at.get_or_insert(position.clone()), position);
        all.extend(edges.iter().map(|edge| edge["node"].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        assert_eq!(edges.len(), size as usize, "a page that is not the last is full");
        after = page["pageInfo"]["endCursor"].clone();
        assert_eq!(after, edges.last().unwrap()["cursor"]);
    }
    panic!("{field} has no end");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_neither_skip_nor_repeat() {
    let (served, _world) = served().await;
    for (field, node) in [
        ("leaderboard(first: $first, after: $after)", "rank hotkey average weight"),
        ("rounds(first: $first, after: $after)", "challengeId attempt position state"),
        ("epochs(first: $first, after: $after)", "number state"),
    ] {
        let whole = pages(&served, field, node, 100).await;
        assert!(whole.len() >= 4, "{field}");
        for size in [1, 2, 3] {
            assert_eq!(pages(&served, field, node, size).await, whole, "{field} by {size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_do_not_shift_while_the_log_grows() {
    let (served, mut world) = served().await;
    let query = "query ($after: String) { leaderboard(first: 2, after: $after) { meta { position }
        pageInfo { endCursor } edges { node { rank hotkey averageBits drawn } } } }";
    let whole =
        served.ask("{ leaderboard(first: 100) { edges { node { rank hotkey averageBits drawn } } } }", json!({})).await;
    let first = served.ask(query, json!({})).await;
    for _ in 0..3 {
        world.round(&format!("later-{}", world.size())).await;
    }
    served.projector.catch_up().await.unwrap();
    let cursor = first["leaderboard"]["pageInfo"]["endCursor"].clone();
    let second = served.ask(query, json!({ "after": cursor })).await;
    assert_eq!(second["leaderboard"]["meta"], first["leaderboard"]["meta"]);
    let both = [&first, &second].map(|page| page["leaderboard"]["edges"].as_array().unwrap().clone()).concat();
    assert_eq!(both, whole["leaderboard"]["edges"].as_array().unwrap()[..4]);
    let now =
        served.ask("{ leaderboard(first: 100) { edges { node { rank hotkey averageBits drawn } } } }", json!({})).await;
    assert_ne!(now, whole);
    // A cursor asked for at another moment is an error, not another page.
    let elsewhere =
        "query ($after: String) { leaderboard(after: $after, asOf: { position: \"3\" }) { edges { cursor } } }";
    let (code, message, _) = served.refused(elsewhere, json!({ "after": cursor })).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert!(message.contains("asOf asks for 3"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_is_followed_by_its_last_cursor() {
    let (served, mut world) = served().await;
    let query = "query ($after: EventPosition) { events(first: 40, after: $after) {
        pageInfo { hasNextPage endCursor } edges { node { position kind leafHash disclosed payload payloadText } } } }";
    let (mut after, mut positions, mut grown) = (Value::Null, Vec::new(), false);
    loop {
        let page = served.ask(query, json!({ "after": after })).await["events"].clone();
        for edge in page["edges"].as_array().unwrap() {
            let node = &edge["node"];
            positions.push(node["position"].as_str().unwrap().parse::<u64>().unwrap());
            assert_eq!(node["leafHash"].as_str().unwrap().len(), 64);
            if let Some(text) = node["payloadText"].as_str() {
                assert_eq!(serde_json::from_str::<Value>(text).unwrap(), node["payload"]);
            }
        }
        if let Some(cursor) = page["pageInfo"]["endCursor"].as_str() {
            after = json!(cursor);
        }
        if page["pageInfo"]["hasNextPage"] == false {
            if grown {
                break;
            }
            world.round("the log goes on").await;
            served.projector.catch_up().await.unwrap();
            grown = true;
        }
    }
    assert_eq!(positions, (0..world.size()).collect::<Vec<_>>());
    let kinds = "{ events(kinds: [\"EpochClosed\"], first: 10) { edges { node { kind payload } } } }";
    let closed = served.ask(kinds, json!({})).await;
    assert_eq!(closed["events"]["edges"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_shows_its_heatmap_and_hides_what_is_not_over() {
    let (served, _world) = served().await;
    let query = "query ($id: String!, $attempt: Int) { round(challengeId: $id, attempt: $attempt) {
        attempt state epoch prompt disclosed commitment consensus best similarity { labels size rows }
        responses { hotkey uid status failure responseTimeMs signed body detail } scores { hotkey score scoreBits } } }";
    let done = served.ask(query, json!({ "id": "e0-c0" })).await["round"].clone();
    assert_eq!((&done["attempt"], &done["state"], &done["epoch"]), (&json!(2), &json!("EVALUATED"), &json!(0)));
    assert!(done["prompt"].as_str().unwrap().contains(support::SECRET));
    assert_eq!(done["similarity"]["size"], 3);
    assert_eq!(done["similarity"]["rows"], json!([[1.0, 0.5, 0.25], [0.5, 1.0, 0.75], [0.25, 0.75, 1.0]]));
    assert_eq!(done["responses"].as_array().unwrap().len(), 4);
    assert_eq!(done["responses"][3]["failure"], "TIMED_OUT");
    assert_eq!(done["scores"].as_array().unwrap().len(), 4);
    let first = served.ask(query, json!({ "id": "e0-c0", "attempt": 1 })).await["round"].clone();
    assert_eq!(first["state"], "ABANDONED");
    assert_eq!(first["similarity"], Value::Null);
    let open = served.ask(query, json!({ "id": "open-c1" })).await["round"].clone();
    assert_eq!((&open["state"], &open["prompt"], &open["disclosed"]), (&json!("OPEN"), &Value::Null, &json!(false)));
    assert_eq!(open["commitment"].as_str().unwrap().len(), 64);
    assert!(!open.to_string().contains(support::SECRET));
    assert_eq!(open["responses"][0]["status"], "RECEIVED");
    assert_eq!(served.ask(query, json!({ "id": "no such" })).await["round"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_show_weights_zeros_and_their_way_to_the_chain() {
    let (served, _world) = served().await;
    let query = "query ($number: Int!) { epoch(number: $number) { state outcome ruleSetName weightsPublic
        derivation { rangeFrom rangeTo mode rounds leafHash } steps { step block }
        weights { nonzero { uid hotkey weight } zeros { uid weight reason explanation } }
        movingAverages { hotkey averageBits } } }";
    let closed = served.ask(query, json!({ "number": 0 })).await["epoch"].clone();
    assert_eq!((&closed["state"], &closed["outcome"]), (&json!("CLOSED"), &json!("INCLUDED")));
    assert_eq!(closed["ruleSetName"], "loosh/readme");
    assert_eq!(closed["derivation"]["mode"], "NORMAL");
    let steps: Vec<&str> = closed["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["anchored", "submitted", "included"]);
    let largest = closed["weights"]["nonzero"].as_array().unwrap().iter().map(|w| w["weight"].as_u64().unwrap()).max();
    assert_eq!(largest, Some(65535));
    assert!(closed["weights"]["zeros"].as_array().unwrap().iter().all(|zero| zero["reason"].is_string()));
    let open = served.ask(query, json!({ "number": 3 })).await["epoch"].clone();
    assert_eq!((&open["state"], &open["weights"]), (&json!("OPEN"), &Value::Null));
    assert_eq!(served.ask(query, json!({ "number": 4 })).await["epoch"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_a_code_of_the_closed_list_and_no_debug_text() {
    let (served, world) = served().await;
    let next = world.size();
    let ahead = format!("{{ leaderboard(asOf: {{ position: \"{next}\" }}) {{ edges {{ cursor }} }} }}");
    let aliases: String = (0..21).map(|n| format!("a{n}: ledgers {{ origin }} ")).collect();
    let aliases = format!("{{ {aliases} }}");
    let deep = "{ leaderboard(first: 1) { edges { node { miner { scoreHistory(first: 1) { edges { node { round { scores { \
                round { scores { round { state } } } } } } } } } } } } }";
    let costly = "{ rounds(first: 100) { edges { node { scores { score components { name value } } } } } }";
    for (query, code, request_error) in [
        ("{ nothing }", "BAD_USER_INPUT", true),
        ("{", "BAD_USER_INPUT", true),
        ("mutation { x }", "BAD_USER_INPUT", true),
        ("{ miner(hotkey: \"5Wrong\") { uid } }", "BAD_USER_INPUT", false),
        ("{ leaderboard(first: 101) { edges { cursor } } }", "BAD_USER_INPUT", false),
        ("{ leaderboard(after: \"nonsense\") { edges { cursor } } }", "BAD_USER_INPUT", false),
        ("{ events(kinds: [\"Nothing\"]) { edges { cursor } } }", "BAD_USER_INPUT", false),
        ("{ leaderboard(asOf: {}) { edges { cursor } } }", "BAD_USER_INPUT", true),
        ("{ leaderboard(asOf: { position: \"-1\" }) { edges { cursor } } }", "BAD_USER_INPUT", false),
        ("{ leaderboard(asOf: { time: \"1999-01-01T00:00:00Z\" }) { edges { cursor } } }", "BAD_USER_INPUT", false),
        ("{ leaderboard(netuid: 7) { edges { cursor } } }", "NOT_FOUND", false),
        (&ahead, "PROJECTION_BEHIND", false),
        (&aliases, "COMPLEXITY_LIMIT", true),
        (deep, "DEPTH_LIMIT", true),
        (costly, "COMPLEXITY_LIMIT", true),
    ] {
        let (found, message, refused) = served.refused(query, json!({})).await;
        assert_eq!((found.as_str(), refused), (code, request_error), "{query}: {message}");
        for rust in ["Error {", "Some(", "sqlx", "::", "unwrap"] {
            assert!(!message.contains(rust), "{query}: {message}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ledgers_must_be_told_apart() {
    let (served, first) = served().await;
    let second = World::open(served._database.url(), 79).await;
    served.projector.catch_up().await.unwrap();
    let executed = served.execute("{ leaderboard { edges { cursor } } }", json!({})).await;
    let error = serde_json::to_value(&executed.response.errors[0]).unwrap();
    assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT");
    let mut origins = [first.origin().to_owned(), second.origin().to_owned()];
    origins.sort();
    assert_eq!(error["extensions"]["candidates"], json!(origins));
    let by_netuid = served.ask("{ leaderboard(netuid: 79) { meta { ledger position } } }", json!({})).await;
    assert_eq!(by_netuid["leaderboard"]["meta"]["ledger"], second.origin());
    let query = "query ($ledger: String) { epochs(ledger: $ledger) { meta { ledger } } ledgers { origin netuid lag } }";
    let both = served.ask(query, json!({ "ledger": first.origin() })).await;
    assert_eq!(both["epochs"]["meta"]["ledger"], first.origin());
    assert_eq!(both["ledgers"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_who_held_it_then() {
    let (served, _world) = served().await;
    let query = "query ($asOf: AsOfInput) { minerByUid(uid: 3, asOf: $asOf) { hotkey uid slots { uid fromPosition toPosition } } }";
    let now = served.ask(query, json!({})).await["minerByUid"].clone();
    assert_eq!((now["hotkey"].as_str().unwrap(), &now["uid"]), (hotkey(7).to_string().as_str(), &json!(3)));
    let begun = now["slots"][0]["fromPosition"].as_str().unwrap().parse::<u64>().unwrap();
    let before =
        served.ask(query, json!({ "asOf": { "position": (begun - 1).to_string() } })).await["minerByUid"].clone();
    assert_eq!(before["hotkey"], hotkey(3).to_string());
    assert_eq!(before["slots"][0]["toPosition"], Value::Null);
    let known = "query ($hotkey: String!) { miner(hotkey: $hotkey) { uid slots { toPosition } } }";
    let left = served.ask(known, json!({ "hotkey": hotkey(3).to_string() })).await["miner"].clone();
    assert_eq!((&left["uid"], &left["slots"][0]["toPosition"]), (&Value::Null, &json!(begun.to_string())));
    assert_eq!(served.ask("{ minerByUid(uid: 99) { uid } }", json!({})).await["minerByUid"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_pages_go_on_where_they_ended() {
    let (served, mut world) = served().await;
    let key = hotkey(4).to_string();
    for field in ["scoreHistory", "movingAverages", "availabilityHistory"] {
        let node = if field == "movingAverages" { "epoch averageBits" } else { "position" };
        let query = format!(
            "query ($key: String!, $after: String, $first: Int) {{ miner(hotkey: $key) {{ page: {field}(first: $first, after: $after) {{
               meta {{ position }} pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {node} }} }} }} }} }}"
        );
        let whole = served.ask(&query, json!({ "key": key, "first": 100 })).await["miner"]["page"].clone();
        assert!(whole["edges"].as_array().unwrap().len() >= 2, "{field}");
        let (mut edges, mut after) = (Vec::new(), Value::Null);
        loop {
            let page =
                served.ask(&query, json!({ "key": key, "first": 1, "after": after })).await["miner"]["page"].clone();
            assert_eq!(page["meta"], whole["meta"]);
            edges.extend(page["edges"].as_array().unwrap().clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            // The log grows between two pages.
            world.sweep(&[4]).await;
            world.round(&format!("{field} {}", world.size())).await;
            served.projector.catch_up().await.unwrap();
        }
        assert_eq!(json!(edges), whole["edges"], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_works_though_data_is_limited() {
    let (served, _world) = served().await;
    let query = "query I { __schema { queryType { name } types { ...T } directives { name args { ...V } } } }
        fragment T on __Type { kind name description fields(includeDeprecated: true) { name args { ...V } type { ...R } }
          inputFields { ...V } interfaces { ...R } enumValues(includeDeprecated: true) { name } possibleTypes { ...R } }
        fragment V on __InputValue { name description type { ...R } defaultValue }
        fragment R on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";
    let data = served.ask(query, json!({})).await;
    assert!(data["__schema"]["types"].as_array().unwrap().len() > 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_question_costs_few_statements() {
    let (served, _world) = served().await;
    let query = "{ rounds(first: 20) { edges { node { challengeId scores { hotkey round { attempt } } responses { status } } } } }";
    let executed = served.execute(query, json!({})).await;
    assert_eq!(executed.response.errors, Vec::new());
    // Frame, rounds, scores, responses, and the rounds of the scores: one each, however many rounds there are.
    assert_eq!(executed.statements, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_ended() {
    let (served, _world) = served().await;
    let limits = Limits { timeout: Duration::from_nanos(1), ..Limits::default() };
    let api = Api::new(served.api.models().clone(), limits);
    let executed = api.run("{ leaderboard { edges { cursor } } }", None, Variables::default()).await;
    let error = serde_json::to_value(&executed.response.errors[0]).unwrap();
    assert_eq!(error["extensions"]["code"], "TIMEOUT");
    assert!(!executed.request_error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_is_told_by_rules_once_it_has_ended() {
    let (served, _world) = served().await;
    let query = "query ($id: String!, $attempt: Int) { round(challengeId: $id, attempt: $attempt) {
        narrative { madeBy text topics { subject text } } } }";
    let done = served.ask(query, json!({ "id": "e0-c1" })).await["round"]["narrative"].clone();
    assert!(done["madeBy"].as_str().unwrap().contains("no language model"));
    let subjects: Vec<&str> =
        done["topics"].as_array().unwrap().iter().map(|topic| topic["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["PROMPT", "COMPARISON", "PROCESS", "FILTERING", "MINERS", "VERDICT"]);
    let text = done["text"].as_str().unwrap();
    for part in ["Round e0-c1/1", support::SECRET, "Under loosh/readme 4 of 6", "3 answered, 1 failed (1 timed out)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let again = served.ask(query, json!({ "id": "e0-c0", "attempt": 1 })).await["round"]["narrative"].clone();
    assert!(again["text"].as_str().unwrap().contains("The challenge is drawn again"));
    let open = served.ask(query, json!({ "id": "open-c1" })).await["round"].clone();
    assert_eq!(open["narrative"], Value::Null);
}
