//! An endpoint that is open: checks what can be checked without asking, then completes requests one by one or side by side.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::address::Address;
use crate::budget::{self, Budget, Spent};
use crate::error::with_causes;
use crate::transport::{Record, Transport};
use crate::wire::{Body, ChatCompletion};
use crate::{Completion, Endpoint, Environment, Error, LanguageModel, Request};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// An open endpoint; clones share its connections, its budget and its limit of requests.
#[derive(Debug, Clone)]
pub struct Client {
    name: Arc<str>,
    endpoint: Arc<Endpoint>,
    address: Address,
    http: reqwest::Client,
    budget: Arc<Budget>,
    places: Arc<Semaphore>,
}

impl Client {
    /// Opens an endpoint. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Setting`] names the key that cannot work; [`Error::Transport`] where the system has no certificates.
    pub fn open(name: &str, endpoint: &Endpoint, environment: &Environment<'_>) -> Result<Self, Error> {
        endpoint.check(name)?;
        let key = endpoint.find_key(name, environment)?;
        let address = Address::new(name, endpoint, key)?;
        if address.has_key() && !address.is_encrypted() && !address.is_local() {
            tracing::warn!(endpoint = name, "the key goes over the network unencrypted: base begins with http://");
        }
        // The first one of a process stands; whoever came before brought one, too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(Duration::from_secs(endpoint.timeout_seconds))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")));
        if !address.is_encrypted() {
            // Plain HTTP needs no certificates, so a system without any is as good.
            http = http.tls_certs_only([]);
        }
        if address.is_local() {
            http = http.no_proxy();
        }
        let http = http.build();
        let http =
            http.map_err(|error| Error::Transport { endpoint: name.to_owned(), problem: with_causes(&error) })?;
        let concurrency = usize::try_from(endpoint.concurrency).unwrap_or(1);
        Ok(Self {
            name: name.into(),
            budget: Budget::new(endpoint.token_budget),
            places: Arc::new(Semaphore::new(concurrency)),
            endpoint: Arc::new(endpoint.clone()),
            address,
            http,
        })
    }

    /// The endpoint's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Provider and model as configured, such as `openai/gpt-4o`.
    #[must_use]
    pub fn model(&self) -> String {
        format!("{}/{}", self.endpoint.provider.name(), self.endpoint.model)
    }

    /// Tokens used by this process so far.
    #[must_use]
    pub fn tokens_used(&self) -> u64 {
        self.budget.used()
    }

    /// The completion of a request, after at most `attempts` attempts of `timeout_seconds` each with waits of at most
    /// `longest_wait_seconds` between them.
    ///
    /// # Errors
    /// [`Error::Budget`] or [`Error::Busy`] before anything is sent; else what became of the attempts.
    pub async fn complete(&self, request: &Request) -> Result<Completion, Error> {
        let body = Body::new(&self.name, &self.endpoint, &self.address, request)?;
        let _place = self.place().await?;
        let prompt_bytes =
            request.system.len() + request.user.len() + request.json_schema.as_ref().map_or(0, String::len);
        let prompt_estimate = budget::estimate(prompt_bytes);
        let mut reservation =
            self.budget.reserve(prompt_estimate.saturating_add(body.reply_tokens)).map_err(|Spent(spent)| {
                Error::Budget {
                    endpoint: self.name.to_string(),
                    budget: self.budget.limit(),
                    spent,
                    wanted: prompt_estimate.saturating_add(body.reply_tokens),
                }
            })?;
        reservation.sent();
        let record = Arc::new(Mutex::new(Record::default()));
        let answer = self.ask(&body, &record).await;
        let (latency, uncertain) = {
            let record = record.lock().unwrap_or_else(PoisonError::into_inner);
            (record.latency, record.uncertain)
        };
        let usage = answer.as_ref().ok().map(|answer| {
            let usage = answer.usage;
            usage.map_or(prompt_estimate, |usage| usage.prompt_tokens).saturating_add(
                // Without a count of the endpoint the reply's length is one.
                usage.map_or_else(|| budget::estimate(text_bytes(answer)), |usage| usage.completion_tokens),
            )
        });
        // An attempt that was cut off may have been charged in full.
        let lost = reservation.tokens().saturating_mul(u64::from(uncertain));
        reservation.settle(usage.unwrap_or(0).saturating_add(lost));
        self.completion(answer?, body.parameters, latency)
    }

    async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Error> {
        let most = u64::from(self.endpoint.attempts)
            .saturating_mul(self.endpoint.timeout_seconds.saturating_add(self.endpoint.longest_wait_seconds));
        let busy = || Error::Busy {
            endpoint: self.name.to_string(),
            concurrency: self.endpoint.concurrency,
            waited_seconds: most,
        };
        match tokio::time::timeout(Duration::from_secs(most), self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed; a closed one would be as busy as can be.
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    async fn ask(&self, body: &Body, record: &Arc<Mutex<Record>>) -> Result<ChatCompletion, Error> {
        let transport = Transport {
            name: Arc::clone(&self.name),
            endpoint: Arc::clone(&self.endpoint),
            address: self.address.clone(),
            http: self.http.clone(),
            record: Arc::clone(record),
        };
        let openai = async_openai::Client::build(self.http.clone(), self.address.clone()).with_http_service(transport);
        let answer = openai.chat().create_byot::<_, ChatCompletion>(&body.fields).await;
        answer.map_err(|error| match error {
            OpenAIError::Boxed(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => self.unsendable(other.as_ref()),
            },
            other => self.unsendable(&other),
        })
    }

    fn unsendable(&self, error: &dyn std::error::Error) -> Error {
        Error::Request { endpoint: self.name.to_string(), problem: self.address.clean(&with_causes(error)) }
    }

    fn completion(
        &self,
        answer: ChatCompletion,
        parameters_json: String,
        latency: Duration,
    ) -> Result<Completion, Error> {
        let endpoint = || self.name.to_string();
        let model = match &answer.model {
            Some(model) if !model.is_empty() => self.address.clean(model),
            _ => self.endpoint.model.clone(),
        };
        let Some(choice) = answer.choices.into_iter().next() else {
            return Err(Error::NotACompletion { endpoint: endpoint(), problem: "choices is empty".to_owned() });
        };
        let reason = choice.message.refusal.or(choice.finish_reason).unwrap_or_else(|| "no reason given".to_owned());
        let Some(text) = choice.message.content.filter(|text| !text.is_empty()) else {
            return Err(Error::NoText { endpoint: endpoint(), reason: self.address.clean(&reason) });
        };
        let tokens = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Completion {
            text,
            prompt_tokens: tokens(answer.usage.map_or(0, |usage| usage.prompt_tokens)),
            completion_tokens: tokens(answer.usage.map_or(0, |usage| usage.completion_tokens)),
            latency_ms: u32::try_from(latency.as_millis()).unwrap_or(u32::MAX),
            parameters_json,
            model: format!("{}/{model}", self.endpoint.provider.name()),
        })
    }
}

fn text_bytes(answer: &ChatCompletion) -> usize {
    answer.choices.iter().filter_map(|choice| choice.message.content.as_ref()).map(String::len).sum()
}

#[async_trait]
impl LanguageModel for Client {
    async fn complete(&self, request: &Request) -> Result<Completion, Error> {
        Self::complete(self, request).await
    }
}
