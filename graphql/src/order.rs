//! Fields of an answer in the order of the query, as GraphQL asks. The executor returns them as they become ready.

use std::collections::BTreeSet;

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};

/// Puts the fields of `data` into the order in which the operation names them.
pub(crate) fn order(document: &ExecutableDocument, operation_name: Option<&str>, data: Value) -> Value {
    let chosen = document.operations.iter().find(|(name, _)| match (operation_name, name) {
        (Some(wanted), Some(name)) => name.as_str() == wanted,
        (Some(_), None) => false,
        (None, _) => true,
    });
    match chosen {
        Some((_, operation)) => sort(document, &[&operation.node.selection_set.node], data),
        None => data,
    }
}

fn sort(document: &ExecutableDocument, selections: &[&SelectionSet], value: Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.into_iter().map(|item| sort(document, selections, item)).collect()),
        Value::Object(mut fields) => {
            let mut named = Vec::new();
            let mut spread = BTreeSet::new();
            for selection in selections {
                collect(document, selection, &mut named, &mut spread);
            }
            let mut sorted = async_graphql::indexmap::IndexMap::with_capacity(fields.len());
            for (name, inner) in named {
                if let Some(field) = fields.swap_remove(&name) {
                    sorted.insert(name, sort(document, &inner, field));
                }
            }
            // Nothing is left unless a field's type is a scalar that looks like an object: then its keys are its own.
            sorted.extend(fields);
            Value::Object(sorted)
        }
        scalar => scalar,
    }
}

/// Response names with the selections under them, in order; a name that stands twice has both.
fn collect<'a>(
    document: &'a ExecutableDocument,
    selection: &'a SelectionSet,
    named: &mut Vec<(Name, Vec<&'a SelectionSet>)>,
    spread: &mut BTreeSet<&'a str>,
) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(field) => {
                let (name, inner) = (&field.node.response_key().node, &field.node.selection_set.node);
                match named.iter_mut().find(|(known, _)| known == name) {
                    Some((_, all)) => all.push(inner),
                    None => named.push((name.clone(), vec![inner])),
                }
            }
            Selection::InlineFragment(fragment) => collect(document, &fragment.node.selection_set.node, named, spread),
            Selection::FragmentSpread(fragment) => {
                let name = fragment.node.fragment_name.node.as_str();
                // Each once: a fragment that is spread again adds no name.
                if spread.insert(name)
                    && let Some(fragment) = document.fragments.get(name)
                {
                    collect(document, &fragment.node.selection_set.node, named, spread);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::order;
    use async_graphql::Value;
    use async_graphql::parser::parse_query;

    #[test]
    fn fields_come_as_they_are_asked() {
        let query = "query A { b: x { d c ...F } a y } query B { a b } fragment F on T { z { q p } c }";
        let document = parse_query(query).unwrap();
        let json = r#"{"y":3,"a":1,"b":[{"z":{"p":1,"q":2},"c":4,"d":5},null]}"#;
        let data: Value = serde_json::from_str(json).unwrap();
        let text = |name, data| serde_json::to_string(&order(&document, name, data)).unwrap();
        assert_eq!(text(Some("A"), data), r#"{"b":[{"d":5,"c":4,"z":{"q":2,"p":1}},null],"a":1,"y":3}"#);
        let data: Value = serde_json::from_str(r#"{"b":1,"a":{"k2":1,"k1":2}}"#).unwrap();
        assert_eq!(text(Some("B"), data), r#"{"a":{"k2":1,"k1":2},"b":1}"#, "a scalar's keys stay as they are");
    }
}
