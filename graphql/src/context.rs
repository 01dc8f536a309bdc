//! What one request shares: its one look at the read models, and loaders across tables.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, Result};
use projections::queries::{self, RoundKey};
use projections::{AsOf, Frame, ReadModels, Selector, View};
use tokio::sync::OnceCell;

use crate::error::of_read_models;

/// Created per request.
pub(crate) struct Request {
    models: ReadModels,
    view: Arc<OnceCell<Arc<View>>>,
    rounds: DataLoader<Tables>,
}

impl Request {
    pub(crate) fn new(models: ReadModels) -> Self {
        let view = Arc::new(OnceCell::new());
        let tables = Tables { models: models.clone(), view: view.clone() };
        Self { models, view, rounds: DataLoader::new(tables, tokio::spawn) }
    }

    /// Where the request's look will be, to be read after it.
    pub(crate) fn look(&self) -> Arc<OnceCell<Arc<View>>> {
        self.view.clone()
    }

    pub(crate) fn of<'a>(context: &Context<'a>) -> Result<&'a Self> {
        context.data::<Self>()
    }

    /// The request's look at the read models, begun at its first use.
    pub(crate) async fn view(&self) -> Result<Arc<View>> {
        begin(&self.models, &self.view).await.map_err(|error| of_read_models(&error))
    }

    pub(crate) async fn frame(&self, selector: &Selector, as_of: AsOf) -> Result<Arc<Frame>> {
        let frame = self.view().await?.frame(selector, as_of).await;
        frame.map(Arc::new).map_err(|error| of_read_models(&error))
    }

    /// The same ledger at another position.
    pub(crate) async fn moved(&self, frame: &Arc<Frame>, position: Option<u64>) -> Result<Arc<Frame>> {
        match position {
            Some(position) if position != frame.position => {
                let selector = Selector { origin: Some(frame.ledger.origin.clone()), netuid: None };
                self.frame(&selector, AsOf::Position(position)).await
            }
            _ => Ok(frame.clone()),
        }
    }

    pub(crate) async fn lag(&self, ledger: &projections::LedgerRow) -> Result<u64> {
        self.models.lag(ledger).await.map_err(|error| of_read_models(&error))
    }

    pub(crate) async fn round(&self, key: RoundAt) -> Result<Option<queries::Round>> {
        self.load(RoundOf(key)).await
    }

    pub(crate) async fn scores(&self, key: RoundAt) -> Result<Vec<queries::Score>> {
        Ok(self.load(ScoresOf(key)).await?.unwrap_or_default())
    }

    pub(crate) async fn responses(&self, key: RoundAt) -> Result<Vec<queries::Response>> {
        Ok(self.load(ResponsesOf(key)).await?.unwrap_or_default())
    }

    async fn load<K>(&self, key: K) -> Result<Option<<Tables as Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Tables: Loader<K, Error = Arc<projections::Error>>,
    {
        self.rounds.load_one(key).await.map_err(|error| of_read_models(&error))
    }
}

async fn begin(models: &ReadModels, view: &OnceCell<Arc<View>>) -> projections::Result<Arc<View>> {
    view.get_or_try_init(|| async { models.begin().await.map(Arc::new) }).await.cloned()
}

/// A round as of a position.
#[derive(Debug, Clone)]
pub(crate) struct RoundAt {
    pub(crate) frame: Arc<Frame>,
    pub(crate) key: RoundKey,
}

impl RoundAt {
    fn identity(&self) -> (i64, u64, &RoundKey) {
        (self.frame.ledger.ledger_id, self.frame.position, &self.key)
    }
}

impl PartialEq for RoundAt {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for RoundAt {}

impl Hash for RoundAt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// The round itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RoundOf(RoundAt);
/// Its scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ScoresOf(RoundAt);
/// What its miners answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ResponsesOf(RoundAt);

/// Loads many rounds' rows with one statement each.
pub(crate) struct Tables {
    models: ReadModels,
    view: Arc<OnceCell<Arc<View>>>,
}

/// Names of rounds by the frame that they are asked in; a request has one or two frames.
fn by_frame<'a>(keys: impl Iterator<Item = &'a RoundAt>) -> Vec<(Arc<Frame>, Vec<RoundKey>)> {
    let mut groups: Vec<(Arc<Frame>, Vec<RoundKey>)> = Vec::new();
    for at in keys {
        match groups.iter_mut().find(|(frame, _)| *frame == at.frame) {
            Some((_, keys)) => keys.push(at.key.clone()),
            None => groups.push((at.frame.clone(), vec![at.key.clone()])),
        }
    }
    groups
}

fn at(frame: &Arc<Frame>, challenge_id: &str, attempt: u32) -> RoundAt {
    RoundAt { frame: frame.clone(), key: RoundKey { challenge_id: challenge_id.to_owned(), attempt } }
}

impl Loader<RoundOf> for Tables {
    type Value = queries::Round;
    type Error = Arc<projections::Error>;

    async fn load(&self, keys: &[RoundOf]) -> Result<HashMap<RoundOf, Self::Value>, Self::Error> {
        let view = begin(&self.models, &self.view).await?;
        let mut found = HashMap::new();
        for (frame, names) in by_frame(keys.iter().map(|key| &key.0)) {
            for round in queries::rounds_by_key(&view, &frame, &names).await? {
                found.insert(RoundOf(at(&frame, &round.challenge_id, round.attempt)), round);
            }
        }
        Ok(found)
    }
}

impl Loader<ScoresOf> for Tables {
    type Value = Vec<queries::Score>;
    type Error = Arc<projections::Error>;

    async fn load(&self, keys: &[ScoresOf]) -> Result<HashMap<ScoresOf, Self::Value>, Self::Error> {
        let view = begin(&self.models, &self.view).await?;
        let mut found: HashMap<ScoresOf, Vec<queries::Score>> = HashMap::new();
        for (frame, names) in by_frame(keys.iter().map(|key| &key.0)) {
            for score in queries::scores_of_rounds(&view, &frame, &names).await? {
                found.entry(ScoresOf(at(&frame, &score.challenge_id, score.attempt))).or_default().push(score);
            }
        }
        Ok(found)
    }
}

impl Loader<ResponsesOf> for Tables {
    type Value = Vec<queries::Response>;
    type Error = Arc<projections::Error>;

    async fn load(&self, keys: &[ResponsesOf]) -> Result<HashMap<ResponsesOf, Self::Value>, Self::Error> {
        let view = begin(&self.models, &self.view).await?;
        let mut found: HashMap<ResponsesOf, Vec<queries::Response>> = HashMap::new();
        for (frame, names) in by_frame(keys.iter().map(|key| &key.0)) {
            for response in queries::responses_of(&view, &frame, &names).await? {
                let key = ResponsesOf(at(&frame, &response.challenge_id, response.attempt));
                found.entry(key).or_default().push(response);
            }
        }
        Ok(found)
    }
}
