//! Tweets as the sample has them, and upstream's mock filter of them by a query (spec 1.4, 1.5).

use serde::{Deserialize, Serialize};

use super::Error;
use crate::draw::{Stream, sample};
use crate::text::split;

/// The most tweets of one file.
pub const MAX_TWEETS: usize = 100_000;

/// One tweet. Keys that a file has besides are not read; what is missing is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tweet {
    /// Unique in its file.
    pub id: String,
    /// Where it stands.
    #[serde(default)]
    pub url: String,
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    #[serde(default)]
    pub timestamp: String,
    /// The search that found it.
    #[serde(default)]
    pub search_query: String,
    /// Its text; some have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The account is verified.
    #[serde(default)]
    pub verified: bool,
    /// It quotes another tweet.
    #[serde(default)]
    pub is_quote: bool,
    /// It repeats another tweet.
    #[serde(default)]
    pub is_retweet: bool,
    /// Links in its text.
    #[serde(default)]
    pub links: Vec<String>,
    /// Addresses of its pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// How often it was liked.
    #[serde(default)]
    pub likes: u64,
    /// How often it was answered.
    #[serde(default)]
    pub replies: u64,
    /// How often it was repeated.
    #[serde(default)]
    pub retweets: u64,
    /// How often it was quoted.
    #[serde(default)]
    pub quotes: u64,
    /// Who wrote it.
    #[serde(default)]
    pub user: User,
    /// What it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_tweet: Option<QuotedTweet>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct User {
    /// Name behind `@`.
    pub username: String,
    /// Name as shown.
    pub user_full_name: String,
    /// Address of its picture.
    pub avatar: String,
    /// Its page.
    pub url: String,
    /// Since when it exists.
    pub join_date: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// Where it says it is.
    pub location: Option<String>,
    /// Its website.
    pub website: Option<String>,
    /// It is verified.
    pub verified: bool,
    /// Likes given.
    pub total_likes: u64,
    /// Tweets written.
    pub total_tweets: u64,
    /// Accounts followed.
    pub total_following: u64,
    /// Accounts following.
    pub total_followers: u64,
}

/// A tweet inside of another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotedTweet {
    /// Where it stands.
    pub url: String,
    /// Address of the account's picture.
    pub avatar: String,
    /// Name behind `@`.
    pub username: String,
    /// Name as shown.
    pub fullname: String,
    /// When it was written.
    pub timestamp: String,
    /// Its text.
    pub text: String,
    /// Links in its text.
    pub links: Vec<String>,
    /// Addresses of its pictures.
    pub images: Vec<String>,
}

/// Reads a file's JSON array of tweets.
///
/// # Errors
/// No such array, too many tweets, and an id that is empty or stands twice.
pub fn parse(json: &str) -> Result<Vec<Tweet>, Error> {
    let problem = |problem: String| Error::Tweets(problem);
    let tweets: Vec<Tweet> = serde_json::from_str(json).map_err(|error| problem(error.to_string()))?;
    if tweets.len() > MAX_TWEETS {
        return Err(problem(format!("{} tweets are over the limit of {MAX_TWEETS}", tweets.len())));
    }
    let mut ids: Vec<&str> = tweets.iter().map(|tweet| tweet.id.as_str()).collect();
    ids.sort_unstable();
    if ids.first().is_some_and(|id| id.is_empty()) {
        return Err(problem("a tweet has an empty id".to_owned()));
    }
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(problem(format!("id {:?} stands twice", pair[0]))),
        None => Ok(tweets),
    }
}

/// Whether a text matches a query, case-sensitively; the first rule that applies decides:
///
/// 1. the query has a quotation mark: any quoted phrase, else any of the words outside of quotation marks (`OR` is one);
/// 2. it has `OR`: any of the parts between ` OR `;
/// 3. it has `since:` or `until:`: the text speaks of `climate change` (upstream's placeholder);
/// 4. otherwise the whole query. The empty query matches every text.
pub fn matches(text: &str, query: &str) -> bool {
    if query.contains('"') {
        let (phrases, rest) = quoted(query);
        phrases.iter().any(|phrase| text.contains(phrase)) || split(&rest).any(|word| text.contains(word))
    } else if query.contains("OR") {
        query.split(" OR ").any(|part| text.contains(part))
    } else if query.contains("since:") || query.contains("until:") {
        text.contains("climate change")
    } else {
        text.contains(query)
    }
}

/// `"(.*?)"`: the phrases between quotation marks of one line, and the query without them.
fn quoted(query: &str) -> (Vec<&str>, String) {
    let mut phrases = Vec::new();
    let mut rest = String::new();
    let mut open = query;
    while let Some((before, after)) = open.split_once('"') {
        rest.push_str(before);
        match after.split_once('"') {
            Some((phrase, next)) if !phrase.contains('\n') => {
                phrases.push(phrase);
                open = next;
            }
            // This mark closes nothing; the next one may open.
            _ => {
                rest.push('"');
                open = after;
            }
        }
    }
    rest.push_str(open);
    (phrases, rest)
}

/// Upstream's filter: the first tweet with a text that matches, and no more.
pub fn first_match<'a>(tweets: &'a [Tweet], query: &str) -> Option<&'a Tweet> {
    tweets.iter().find(|tweet| tweet.text.as_ref().is_some_and(|text| matches(text, query)))
}

/// All tweets with a text that matches, in their order, at most so many.
pub fn all_matches<'a>(tweets: &'a [Tweet], query: &str, most: usize) -> Vec<&'a Tweet> {
    let fits = |tweet: &&Tweet| tweet.text.as_ref().is_some_and(|text| matches(text, query));
    tweets.iter().filter(fits).take(most).collect()
}

/// So many tweets drawn evenly without replacement: what upstream's miner takes from its sample, whatever was asked.
pub fn drawn<'a>(tweets: &'a [Tweet], count: usize, stream: &mut Stream) -> Vec<&'a Tweet> {
    sample(stream, &vec![1; tweets.len()], count).into_iter().map(|at| &tweets[at]).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::sha256;
    use proptest::prelude::*;

    #[test]
    fn rules_of_the_filter() {
        for (text, query, expected) in [
            ("bla AI", r#""latest trends" "artificial" OR "AI""#, true),
            ("bla OR", r#""latest trends" OR x"#, true),
            ("Or", r#""latest trends" OR"#, false),
            ("anything", r#""""#, true),
            ("a\"b", r#"a"b"#, true),
            ("two", "\"one\ntwo\" \"x", false),
            ("twox", "\"one\ntwo\" \"x", true),
            ("UN conference feedback", "UN summit OR UN conference", true),
            ("un summit", "UN summit OR UN conference", false),
            ("climate change", "storms since:2023-02-01", true),
            ("storms", "storms until:2023-02-01", false),
            ("elon", "elon", true),
            ("Elon", "elon", false),
            ("x", "", true),
            ("ORACLE", "ORACLE", true),
        ] {
            assert_eq!(matches(text, query), expected, "{text:?} {query:?}");
        }
    }

    #[test]
    fn files_are_read_with_what_they_have() {
        let json = r#"[{"id":"1","likes":3,"user":{"username":"a","location":null},"unknown":[]},
            {"id":"2","text":"SpaceX news","quotedTweet":{"text":"q"}},{"id":"3","text":"SpaceX again"}]"#;
        let tweets = parse(json).unwrap();
        assert_eq!(first_match(&tweets, "SpaceX").map(|tweet| tweet.id.as_str()), Some("2"));
        assert_eq!(all_matches(&tweets, "SpaceX", 5).len(), 2);
        assert_eq!(first_match(&tweets, "rain"), None);
        assert_eq!(parse(&serde_json::to_string(&tweets).unwrap()).unwrap(), tweets);
        for bad in
            ["{}", r#"[{"id":""}]"#, r#"[{"id":"1"},{"id":"1"}]"#, r#"[{"text":"x"}]"#, r#"[{"id":"1","likes":-1}]"#]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let drawn = drawn(&tweets, 15, &mut Stream::new(sha256(b"tweets"), "sample"));
        assert_eq!(drawn.len(), 3);
    }

    proptest! {
        #[test]
        fn a_quoted_piece_of_the_text_matches(before in "[a-z ]{0,9}", piece in "[a-z ]{1,9}", after in "[a-z ]{0,9}") {
            let query = format!("\"{piece}\"");
            let text = format!("{before}{piece}{after}");
            prop_assert!(matches(&text, &query));
        }

        #[test]
        fn no_query_is_too_odd(text in "\\PC{0,30}", query in "[\"OR a-c\\n:since]{0,30}") {
            let (phrases, rest) = quoted(&query);
            let marks = query.matches('"').count();
            prop_assert_eq!(phrases.len() * 2 + rest.matches('"').count(), marks);
            matches(&text, &query);
        }
    }
}
