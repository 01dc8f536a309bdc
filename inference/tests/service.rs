//! The async front: many callers, one thread, bounded.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inference::{
    Embedder, EmbeddingConfig, EmbeddingService, Error, Limits, ModelIdentity, Runtime, ServiceLimits, open,
};

fn real() -> Box<dyn Embedder> {
    open(&EmbeddingConfig { threads: Some(2), ..EmbeddingConfig::discover() }).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn callers_get_their_own_vectors() {
    let alone = open(&EmbeddingConfig { runtime: Runtime::PureRust, ..EmbeddingConfig::discover() }).unwrap();
    let service = EmbeddingService::start(real(), &ServiceLimits::default()).unwrap();
    let ask = |caller: usize| {
        let service = service.clone();
        let texts: Vec<String> = (0..=caller % 3).map(|n| format!("caller {caller} asks about subject {n}")).collect();
        async move { (texts.clone(), service.embed(texts).await.unwrap()) }
    };
    let mut tasks = tokio::task::JoinSet::new();
    (0..40).for_each(|caller| drop(tasks.spawn(ask(caller))));
    let mut answered = 0;
    while let Some(done) = tasks.join_next().await {
        let (texts, vectors) = done.unwrap();
        for (expected, found) in alone.embed(&texts).unwrap().iter().zip(&vectors) {
            let difference = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference <= 1e-5, "{texts:?}: {difference}");
        }
        assert_eq!(texts.len(), vectors.len());
        answered += 1;
    }
    assert_eq!(answered, 40);
    assert!(service.embed(Vec::new()).await.unwrap().is_empty());
}

/// Stands in for the model where the test is about the queue: says what it is asked, and answers when it is let.
struct Gate {
    identity: ModelIdentity,
    limits: Limits,
    asked: Mutex<SyncSender<Vec<String>>>,
    open: Mutex<Receiver<()>>,
}

impl Embedder for Gate {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        self.asked.lock().unwrap().send(texts.to_vec()).unwrap();
        self.open.lock().unwrap().recv().unwrap();
        if let Some(index) = texts.iter().position(|text| text == "bad") {
            return Err(Error::Tokenize { index, reason: "bad".to_owned() });
        }
        Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
    }
}

fn gate(limits: &ServiceLimits) -> (EmbeddingService, Receiver<Vec<String>>, SyncSender<()>) {
    let (asked, was_asked) = sync_channel(64);
    let (let_go, open) = sync_channel(64);
    let identity = ModelIdentity {
        name: "gate".to_owned(),
        weights_sha256: String::new(),
        tokenizer_sha256: String::new(),
        dimensions: 1,
        max_word_pieces: 16,
        runtime: "test".to_owned(),
        runtime_version: "1".to_owned(),
        provider_asked: "cpu".to_owned(),
        provider: "cpu".to_owned(),
    };
    let gate = Gate { identity, limits: Limits::default(), asked: Mutex::new(asked), open: Mutex::new(open) };
    (EmbeddingService::start(Box::new(gate), limits).unwrap(), was_asked, let_go)
}

async fn settle(
    service: &Arc<EmbeddingService>,
    texts: &[&str],
) -> tokio::task::JoinHandle<Result<Vec<Vec<f32>>, Error>> {
    let (service, texts) = (Arc::clone(service), texts.iter().map(|text| (*text).to_owned()).collect());
    let task = tokio::spawn(async move { service.embed(texts).await });
    // Until the task has taken its place in the queue.
    tokio::time::sleep(Duration::from_millis(20)).await;
    task
}

#[tokio::test]
async fn waiting_callers_share_a_run_within_the_limit_and_fail_alone() {
    let (service, was_asked, let_go) = gate(&ServiceLimits { gathered_texts: 3, ..ServiceLimits::default() });
    let service = Arc::new(service);
    let first = settle(&service, &["first"]).await;
    // The thread is inside the first run; these wait.
    let two = settle(&service, &["a", "bb"]).await;
    let bad = settle(&service, &["bad"]).await;
    let last = settle(&service, &["dddd", "e"]).await;
    // first; {a, bb, bad} together and, as that fails, one after the other; last.
    (0..5).for_each(|_| let_go.send(()).unwrap());
    assert_eq!(first.await.unwrap().unwrap(), [[5.0]]);
    assert_eq!(two.await.unwrap().unwrap(), [[1.0], [2.0]]);
    assert!(matches!(bad.await.unwrap().unwrap_err(), Error::Tokenize { index: 0, .. }));
    assert_eq!(last.await.unwrap().unwrap(), [[4.0], [1.0]]);
    let runs: Vec<Vec<String>> = was_asked.try_iter().collect();
    assert_eq!(runs, [vec!["first"], vec!["a", "bb", "bad"], vec!["a", "bb"], vec!["bad"], vec!["dddd", "e"]]);
}

#[tokio::test]
async fn a_full_queue_is_an_error_after_the_wait() {
    let limits = ServiceLimits { queue: 1, queue_wait: Duration::from_millis(50), ..ServiceLimits::default() };
    let (service, _was_asked, let_go) = gate(&limits);
    let service = Arc::new(service);
    let running = settle(&service, &["running"]).await;
    let queued = settle(&service, &["queued"]).await;
    let error = service.embed(vec!["refused".to_owned()]).await.unwrap_err();
    assert!(matches!(error, Error::Overloaded { waited_ms: 50 }), "{error}");
    (0..2).for_each(|_| let_go.send(()).unwrap());
    assert_eq!(running.await.unwrap().unwrap(), [[7.0]]);
    assert_eq!(queued.await.unwrap().unwrap(), [[6.0]]);
}

/// Panics when it is asked for "panic", takes long for "slow", answers the wrong number for "short".
struct Moody(ModelIdentity, Limits);

impl Embedder for Moody {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn limits(&self) -> &Limits {
        &self.1
    }

    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, Error> {
        assert!(texts.iter().all(|text| text != "panic"), "no mood for {}", texts.len());
        if texts.iter().any(|text| text == "slow") {
            std::thread::sleep(Duration::from_millis(400));
        }
        Ok(texts.iter().filter(|text| *text != "short").map(|text| vec![text.len() as f32]).collect())
    }
}

fn moody(limits: &ServiceLimits) -> Arc<EmbeddingService> {
    let identity = open(&EmbeddingConfig { runtime: Runtime::PureRust, ..EmbeddingConfig::discover() }).unwrap();
    let model = Moody(identity.identity().clone(), Limits::default());
    Arc::new(EmbeddingService::start(Box::new(model), limits).unwrap())
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[tokio::test]
async fn a_panic_is_the_error_of_its_caller_and_the_thread_goes_on() {
    let service = moody(&ServiceLimits::default());
    // More often than any count of restarts would allow.
    for _ in 0..20 {
        let error = service.embed(one("panic")).await.unwrap_err();
        assert!(matches!(&error, Error::Panicked { reason } if reason == "no mood for 1"), "{error}");
    }
    assert_eq!(service.embed(one("after")).await.unwrap(), [[5.0]]);
    // Those who share a batch with it are answered.
    let running = settle(&service, &["slow"]).await;
    let before = settle(&service, &["a"]).await;
    let panics = settle(&service, &["panic"]).await;
    let short = settle(&service, &["short"]).await;
    let behind = settle(&service, &["bb"]).await;
    assert_eq!(running.await.unwrap().unwrap(), [[4.0]]);
    assert_eq!(before.await.unwrap().unwrap(), [[1.0]]);
    assert!(matches!(panics.await.unwrap().unwrap_err(), Error::Panicked { .. }));
    assert!(matches!(short.await.unwrap().unwrap_err(), Error::Output { .. }));
    assert_eq!(behind.await.unwrap().unwrap(), [[2.0]]);
}

#[tokio::test]
async fn nobody_waits_for_vectors_without_a_limit() {
    let service = moody(&ServiceLimits { answer_wait: Duration::from_millis(100), ..ServiceLimits::default() });
    let error = service.embed(one("slow")).await.unwrap_err();
    assert!(matches!(error, Error::Overdue { texts: 1, waited_ms: 100 }), "{error}");
    assert!(error.to_string().contains("restart"), "says what to do: {error}");
    // It was busy for as long as it took, and then takes the next one.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(service.embed(one("next")).await.unwrap(), [[4.0]]);
    let zero = ServiceLimits { answer_wait: Duration::ZERO, ..ServiceLimits::default() };
    let model = open(&EmbeddingConfig { runtime: Runtime::PureRust, ..EmbeddingConfig::discover() }).unwrap();
    assert!(matches!(EmbeddingService::start(model, &zero), Err(Error::Limit { field: "answer_wait", .. })));
}
