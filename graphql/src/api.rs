//! Executing requests: inspected, then run on the schema with limits or, for introspection alone, on the one without.

use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{
    EmptyMutation, EmptySubscription, ErrorExtensionValues, Response, Schema, ServerError, Value, Variables,
};
use projections::ReadModels;

use crate::context::Request;
use crate::error::{Code, with_code};
use crate::limits::{Inspected, Limits};
use crate::order::order;
use crate::query::Query;

type Tree = Schema<Query, EmptyMutation, EmptySubscription>;

/// Deep enough for every introspection, and finite.
const INTROSPECTION_DEPTH: usize = 40;
/// As costly as the whole schema's introspection may be.
const INTROSPECTION_COMPLEXITY: usize = 20_000;

pub(crate) fn schema(limits: Option<&Limits>) -> Tree {
    let builder = Schema::build(Query, EmptyMutation, EmptySubscription);
    let (depth, complexity) =
        limits.map_or((INTROSPECTION_DEPTH, INTROSPECTION_COMPLEXITY), |limits| (limits.depth, limits.complexity));
    builder.limit_depth(depth).limit_complexity(complexity).finish()
}

/// The GraphQL service. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    models: ReadModels,
    limits: Limits,
    data: Tree,
    introspection: Tree,
}

/// An answer.
#[derive(Debug)]
pub struct Executed {
    /// The response as GraphQL defines it.
    pub response: Response,
    /// Whether the request was refused before anything was executed: such an answer has no `data`.
    pub request_error: bool,
    /// How often the read models were asked.
    pub statements: u64,
}

impl Api {
    /// A service over read models.
    #[must_use]
    pub fn new(models: ReadModels, limits: Limits) -> Self {
        let data = schema(Some(&limits));
        Self { models, limits, data, introspection: schema(None) }
    }

    /// The read models that it answers from.
    #[must_use]
    pub fn models(&self) -> &ReadModels {
        &self.models
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Executes an inspected query.
    pub async fn execute(
        &self,
        inspected: Inspected,
        operation_name: Option<String>,
        variables: Variables,
    ) -> Executed {
        let tree = if inspected.introspection { &self.introspection } else { &self.data };
        let shared = Request::new(self.models.clone());
        let look = shared.look();
        let (document, name) = (inspected.document.clone(), operation_name.clone());
        let request = request(inspected.document, operation_name, variables).data(shared);
        let executing = tokio::time::timeout(self.limits.timeout, tree.execute(request));
        let mut response = executing.await.unwrap_or_else(|_| {
            let limit = self.limits.timeout.as_secs();
            refused(format!("the request took longer than {limit} s"), Code::Timeout)
        });
        response.data = order(&document, name.as_deref(), response.data);
        let timed_out = response.errors.iter().any(|error| has_code(error, Code::Timeout));
        let unanswered = response.data == Value::Null && !response.errors.is_empty();
        let request_error = unanswered && !timed_out && response.errors.iter().all(|error| error.path.is_empty());
        response.errors.iter_mut().for_each(with_code);
        let statements = look.get().map_or(0, |view| view.uses());
        Executed { response, request_error, statements }
    }

    /// Inspects and executes a query's text.
    pub async fn run(&self, query: &str, operation_name: Option<String>, variables: Variables) -> Executed {
        match crate::limits::inspect(query, operation_name.as_deref(), &self.limits) {
            Ok(inspected) => self.execute(inspected, operation_name, variables).await,
            Err(reason) => {
                Executed { response: refused(reason.message, reason.code), request_error: true, statements: 0 }
            }
        }
    }
}

fn has_code(error: &ServerError, code: Code) -> bool {
    error.extensions.as_ref().and_then(|extensions| extensions.get("code")) == Some(&Value::from(code.word()))
}

fn request(
    document: ExecutableDocument,
    operation_name: Option<String>,
    variables: Variables,
) -> async_graphql::Request {
    let mut request = async_graphql::Request::new("").variables(variables);
    request.operation_name = operation_name;
    request.set_parsed_query(document);
    request
}

/// A response that only says why the request is refused.
pub(crate) fn refused(message: String, code: Code) -> Response {
    let mut error = ServerError::new(message, None);
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.word());
    error.extensions = Some(extensions);
    Response::from_errors(vec![error])
}
