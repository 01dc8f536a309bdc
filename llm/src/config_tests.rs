#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

type Change = fn(&mut Endpoint);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    llm: BTreeMap<String, Endpoint>,
}

fn none(_: &str) -> Option<String> {
    None
}

fn variables(name: &str) -> Option<String> {
    match name {
        "OPENAI_API_KEY" => Some("sk-openai\n".to_owned()),
        "MINE" => Some("sk-mine".to_owned()),
        "EMPTY" => Some("  ".to_owned()),
        "UGLY" => Some("sk mine".to_owned()),
        _ => None,
    }
}

#[test]
fn a_table_holds_every_setting_and_the_rest_has_defaults() {
    let file: File = parse(
        r#"
[llm.judge]
provider = "openai_compatible"
model = "llama"
base = "http://127.0.0.1:8000/v1"
key = "sk-secret"
temperature = 0.2
max_tokens = 300
reply_format = "json_object"
timeout_seconds = 5
attempts = 2
longest_wait_seconds = 3
concurrency = 1
token_budget = 1000
parameters = { seed = 7, stop = ["END"] }

[llm.default]
provider = "ollama"
model = "llama"
"#,
    )
    .unwrap();
    let judge = &file.llm["judge"];
    judge.check("judge").unwrap();
    assert_eq!((judge.provider, judge.maximum_tokens, judge.attempts), (Provider::OpenaiCompatible, 300, 2));
    assert_eq!(judge.parameters["stop"], serde_json::json!(["END"]));
    assert_eq!(judge.reply_format(), ReplyFormat::JsonObject);
    assert!(!format!("{judge:?}").contains("sk-secret"));
    let default = &file.llm["default"];
    default.check("default").unwrap();
    assert_eq!((default.attempts, default.timeout_seconds, default.maximum_tokens), (4, 60, 4096));
    assert_eq!(default.reply_format(), ReplyFormat::JsonSchema);
}

#[test]
fn a_mistake_is_named_with_its_line_and_no_line_is_quoted() {
    for (text, line, named) in [
        ("[llm.a]\nprovider = \"openai\"\nmodel = \"m\"\ntemprature = 1\n", 4, "temprature"),
        ("\n[lm.a]\nprovider = \"openai\"\n", 2, "lm"),
        ("[llm.a]\nprovider = \"opnai\"\nmodel = \"m\"\n", 2, "opnai"),
        ("[llm.a]\nprovider = \"openai\"\n", 1, "model"),
        ("[llm.a]\nkey = \"sk-secret\" model = 1\n", 2, ""),
        ("llm.a = { key = \"sk-secret\", provider = \"openai\", model = \"m\", wrong = 1 }\n", 1, "wrong"),
        ("[llm.a]\nprovider = \"openai\"\nmodel = \"m\"\nattempts = -1\n", 4, "-1"),
        ("[llm.a]\nprovider = \"openai\"\nmodel = \"m\"\nmodel = \"m\"\n", 4, "duplicate"),
    ] {
        let error = parse::<File>(text).unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, Error::File { line: found, .. } if found == line), "{text}: {said}");
        assert!(said.contains(named) && !said.contains("sk-secret") && !said.contains('\n'), "{said}");
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let good = Endpoint::new(Provider::Openai, "m");
    good.check("a").unwrap();
    let changes: [(&str, Change); 12] = [
        ("model", |endpoint| endpoint.model = " ".to_owned()),
        ("temperature", |endpoint| endpoint.temperature = Some(f64::NAN)),
        ("temperature", |endpoint| endpoint.temperature = Some(2.5)),
        ("maximum_tokens", |endpoint| endpoint.maximum_tokens = 0),
        ("timeout_seconds", |endpoint| endpoint.timeout_seconds = 601),
        ("attempts", |endpoint| endpoint.attempts = 0),
        ("longest_wait_seconds", |endpoint| endpoint.longest_wait_seconds = 601),
        ("concurrency", |endpoint| endpoint.concurrency = 0),
        ("token_budget", |endpoint| endpoint.token_budget = 0),
        ("parameters.messages", |endpoint| {
            endpoint.parameters.insert("messages".to_owned(), serde_json::Value::Null);
        }),
        ("parameters.stream", |endpoint| {
            endpoint.parameters.insert("stream".to_owned(), serde_json::Value::Bool(true));
        }),
        ("key_variable", |endpoint| {
            endpoint.key = Some("sk-secret".into());
            endpoint.key_variable = Some("MINE".to_owned());
        }),
    ];
    for (named, change) in changes {
        let mut endpoint = good.clone();
        change(&mut endpoint);
        let said = endpoint.check("a").unwrap_err().to_string();
        assert!(said.starts_with("[llm.a] ") && said.contains(named), "{named}: {said}");
    }
}

#[test]
fn a_key_comes_from_one_place_and_goes_to_its_own_provider_only() {
    let find = |change: Change, provider| {
        let mut endpoint = Endpoint::new(provider, "m");
        change(&mut endpoint);
        let key = endpoint.find_key("a", &variables);
        key.map(|key| key.map(|key| key.expose_secret().to_owned())).map_err(|error| error.to_string())
    };
    let key = |text: &str| Ok(Some(text.to_owned()));
    use Provider::{Anthropic, AzureOpenai, Ollama, Openai, OpenaiCompatible};
    assert_eq!(find(|_| (), Openai), key("sk-openai"));
    assert_eq!(find(|endpoint| endpoint.key = Some(" sk-given ".into()), Openai), key("sk-given"));
    assert_eq!(find(|endpoint| endpoint.key_variable = Some("MINE".to_owned()), Openai), key("sk-mine"));
    assert_eq!(find(|endpoint| endpoint.base = Some("http://other/v1".to_owned()), Openai), Ok(None));
    assert_eq!(find(|_| (), Ollama), Ok(None));
    assert_eq!(find(|_| (), OpenaiCompatible), Ok(None));
    let refused: [(&str, Change, Provider); 5] = [
        ("ANTHROPIC_API_KEY is not set", |_| (), Anthropic),
        ("no key", |endpoint| endpoint.base = Some("http://other/v1".to_owned()), Anthropic),
        ("AZURE_OPENAI_API_KEY is not set", |endpoint| endpoint.base = Some("http://mine".to_owned()), AzureOpenai),
        ("EMPTY is empty", |endpoint| endpoint.key_variable = Some("EMPTY".to_owned()), Ollama),
        ("UGLY is empty or has characters", |endpoint| endpoint.key_variable = Some("UGLY".to_owned()), Openai),
    ];
    for (reason, change, provider) in refused {
        let said = find(change, provider).unwrap_err();
        assert!(said.contains(reason) && !said.contains("sk "), "{said}");
    }
}

#[test]
fn the_environment_gives_an_endpoint_when_it_has_a_key_or_an_address() {
    assert!(from_environment(&none).is_none());
    assert!(from_environment(&|name| (name == "OPENAI_MODEL").then(|| "m".to_owned())).is_none());
    let (name, endpoint) = from_environment(&variables).unwrap();
    assert_eq!(
        (name.as_str(), endpoint.model.as_str(), endpoint.base.as_deref()),
        ("environment", "gpt-4o-mini", None)
    );
    let key = endpoint.find_key(&name, &variables).unwrap().unwrap();
    assert_eq!(key.expose_secret(), "sk-openai");
    let local = |name: &str| match name {
        "OPENAI_API_URL" => Some("http://127.0.0.1:11434/v1/chat/completions".to_owned()),
        "OPENAI_MODEL" => Some("llama".to_owned()),
        _ => None,
    };
    let (_, endpoint) = from_environment(&local).unwrap();
    assert_eq!((endpoint.model.as_str(), endpoint.base.is_some()), ("llama", true));
    assert!(endpoint.find_key("environment", &local).unwrap().is_none(), "an address of one's own needs no key");
}
