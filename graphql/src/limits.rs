//! What is looked at before a request is executed: its length, its operation, how many names and directives it has.
//!
//! Depth and cost are limited by the schema itself; neither covers one field asked for a thousand times under other names.

use std::collections::BTreeSet;
use std::time::Duration;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationType, Selection, SelectionSet};

use crate::error::Code;

/// Limits of a request. All are finite.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the query's text.
    pub query_bytes: usize,
    /// Depth of the selection.
    pub depth: usize,
    /// Cost: one per field, times the size of each page around it.
    pub complexity: usize,
    /// Aliases in the document.
    pub aliases: usize,
    /// Fields of the query type in the document.
    pub root_fields: usize,
    /// Directives in the document.
    pub directives: usize,
    /// How long a request may take.
    pub timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            query_bytes: 32 << 10,
            depth: 12,
            complexity: 4_000,
            aliases: 20,
            root_fields: 20,
            directives: 10,
            timeout: Duration::from_secs(10),
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Query,
    /// Would write.
    Mutation,
    /// Would follow.
    Subscription,
}

/// A document that may be executed.
#[derive(Debug)]
pub struct Inspected {
    pub(crate) document: ExecutableDocument,
    /// Of the operation that will run.
    pub operation: Operation,
    /// Whether nothing but the schema itself is asked for.
    pub introspection: bool,
}

/// A request that is refused before it is executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What is wrong.
    pub message: String,
    /// Its code.
    pub code: Code,
}

fn refuse<T>(message: String, code: Code) -> Result<T, Refused> {
    Err(Refused { message, code })
}

/// Parses a query and looks at it.
///
/// # Errors
/// Text that is too long or no GraphQL, an operation that is not named when there are several, and too many names.
pub fn inspect(text: &str, operation_name: Option<&str>, limits: &Limits) -> Result<Inspected, Refused> {
    if text.len() > limits.query_bytes {
        let message = format!("the query has {} bytes, more than {}", text.len(), limits.query_bytes);
        return refuse(message, Code::BadUserInput);
    }
    let document = parse_query(text).or_else(|error| refuse(error.to_string(), Code::BadUserInput))?;
    let operation = chosen(&document, operation_name)?;
    let mut counts = Counts::default();
    for (_, definition) in document.operations.iter() {
        counts.directives += definition.node.directives.len();
        counts.add(&definition.node.selection_set.node, true);
    }
    for fragment in document.fragments.values() {
        counts.directives += fragment.node.directives.len();
        let on_root = fragment.node.type_condition.node.on.node == "Query";
        counts.add(&fragment.node.selection_set.node, on_root);
    }
    for (count, limit, what) in [
        (counts.aliases, limits.aliases, "aliases"),
        (counts.roots, limits.root_fields, "root fields"),
        (counts.directives, limits.directives, "directives"),
    ] {
        if count > limit {
            return refuse(format!("the query has {count} {what}, more than {limit}"), Code::ComplexityLimit);
        }
    }
    let mut nesting = Nesting { document: &document, seen: BTreeSet::new() };
    for (_, definition) in document.operations.iter() {
        if nesting.too_deep(&definition.node.selection_set.node, 0) {
            let message = format!("introspection nests lists of the schema more than {MAX_LISTS} deep");
            return refuse(message, Code::DepthLimit);
        }
    }
    let introspection = counts.roots > 0 && counts.introspective == counts.roots;
    Ok(Inspected { document, operation, introspection })
}

fn chosen(document: &ExecutableDocument, name: Option<&str>) -> Result<Operation, Refused> {
    let found = match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Some(operation),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => operations.values().next(),
        (DocumentOperations::Multiple(operations), Some(name)) => operations.get(name),
        (DocumentOperations::Single(_), Some(_)) | (DocumentOperations::Multiple(_), None) => None,
    };
    match found.map(|operation| operation.node.ty) {
        Some(OperationType::Query) => Ok(Operation::Query),
        Some(OperationType::Mutation) => Ok(Operation::Mutation),
        Some(OperationType::Subscription) => Ok(Operation::Subscription),
        None => {
            let names: BTreeSet<&str> =
                document.operations.iter().filter_map(|(name, _)| name.map(|name| name.as_str())).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let asked = name.unwrap_or_default();
            let message = format!("operationName {asked:?} names no operation of the query; it has: {names}");
            refuse(message, Code::BadUserInput)
        }
    }
}

#[derive(Default)]
struct Counts {
    aliases: usize,
    roots: usize,
    introspective: usize,
    directives: usize,
}

impl Counts {
    /// The parser's own limit on nesting bounds this recursion.
    fn add(&mut self, selections: &SelectionSet, root: bool) {
        for selection in &selections.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    self.aliases += usize::from(field.alias.is_some());
                    self.directives += field.directives.len();
                    if root {
                        self.roots += 1;
                        self.introspective += usize::from(field.name.node.starts_with("__"));
                    }
                    self.add(&field.selection_set.node, false);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives += spread.node.directives.len();
                }
                Selection::InlineFragment(fragment) => {
                    self.directives += fragment.node.directives.len();
                    self.add(&fragment.node.selection_set.node, root);
                }
            }
        }
    }
}

/// Lists of the schema that an introspection may nest. Each multiplies the answer by the size of the schema, and asking a
/// type's fields' types' fields goes round for ever; tools need two.
const MAX_LISTS: usize = 2;

/// Looks for lists of the schema within each other, through fragments.
struct Nesting<'a> {
    document: &'a ExecutableDocument,
    /// Fragments looked at, with how deep they were spread: each is looked at once per depth.
    seen: BTreeSet<(&'a str, usize)>,
}

impl<'a> Nesting<'a> {
    fn too_deep(&mut self, selections: &'a SelectionSet, lists: usize) -> bool {
        selections.items.iter().any(|selection| match &selection.node {
            Selection::Field(field) => {
                let name = field.node.name.node.as_str();
                let list = matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields");
                let lists = lists + usize::from(list);
                lists > MAX_LISTS || self.too_deep(&field.node.selection_set.node, lists)
            }
            Selection::InlineFragment(fragment) => self.too_deep(&fragment.node.selection_set.node, lists),
            Selection::FragmentSpread(spread) => {
                let name = spread.node.fragment_name.node.as_str();
                let fragment = self.document.fragments.get(name).filter(|_| self.seen.insert((name, lists)));
                fragment.is_some_and(|fragment| self.too_deep(&fragment.node.selection_set.node, lists))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn look(text: &str, name: Option<&str>) -> Result<Inspected, Refused> {
        inspect(text, name, &Limits::default())
    }

    #[test]
    fn the_operation_is_the_named_one() {
        assert_eq!(look("{ ledgers { origin } }", None).unwrap().operation, Operation::Query);
        let two = "query A { ledgers { origin } } mutation B { x }";
        assert_eq!(look(two, Some("B")).unwrap().operation, Operation::Mutation);
        assert!(look(two, None).is_err() && look(two, Some("C")).is_err());
    }

    #[test]
    fn introspection_is_only_what_asks_for_nothing_else() {
        assert!(look("{ __schema { types { name } } }", None).unwrap().introspection);
        assert!(look("query Q { ...F } fragment F on Query { __typename }", None).unwrap().introspection);
        assert!(!look("{ __typename ledgers { origin } }", None).unwrap().introspection);
        assert!(
            !look("query Q { __typename ...F } fragment F on Query { ledgers { origin } }", None)
                .unwrap()
                .introspection
        );
    }

    #[test]
    fn introspection_does_not_go_round() {
        let round = "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }";
        assert_eq!(look(round, None).unwrap_err().code, Code::DepthLimit);
        let hidden = "{ __schema { types { ...F } } } fragment F on __Type { fields { type { ...F } } }";
        assert_eq!(look(hidden, None).unwrap_err().code, Code::DepthLimit);
        assert!(look("{ __schema { types { fields { type { fields { name } } } } } }", None).is_ok());
    }

    #[test]
    fn names_and_directives_are_counted_everywhere() {
        let many: String = (0..21).map(|n| format!("a{n}: ledgers {{ origin }} ")).collect();
        assert_eq!(look(&format!("{{ {many} }}"), None).unwrap_err().code, Code::ComplexityLimit);
        let hidden = format!("query Q {{ ... on Query {{ {many} }} }}");
        assert_eq!(look(&hidden, None).unwrap_err().code, Code::ComplexityLimit);
        let directives = "@include(if: true) ".repeat(11);
        assert!(look(&format!("{{ ledgers {directives} {{ origin }} }}"), None).is_err());
        assert!(look(&" ".repeat(40_000), None).is_err());
        assert!(look(&format!("{}{}", "{a".repeat(5_000), "}".repeat(5_000)), None).is_err());
    }
}
