//! What an honest miner says: on the subject, word for word from its corpus, and different from other miners.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use std::collections::BTreeSet;

use common::{cache, cosine, embedding};
use miner::{Answer, Corpus, Index, Profile, split_sentences};
use serde::Deserialize;

#[derive(Deserialize)]
struct Question {
    prompt: String,
    passage: Option<String>,
}

fn questions() -> Vec<Question> {
    let text = include_str!("../../demo/questions.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn answers_are_about_the_question() {
    let embedding = embedding();
    let corpus = Corpus::shipped().unwrap();
    let index = Index::build(&corpus, &Profile::default(), &embedding, None).await.unwrap();
    let questions = questions();
    assert!(questions.len() >= 60, "{} questions", questions.len());
    let vectors = embedding.embed(questions.iter().map(|q| q.prompt.clone()).collect()).await.unwrap();
    let answers: Vec<Answer> = vectors.iter().map(|vector| index.answer(vector)).collect();
    let texts = embedding.embed(answers.iter().map(|answer| answer.text.clone()).collect()).await.unwrap();

    let (mut answerable, mut right, mut sum) = (0, 0, 0.0);
    let (mut lowest, mut highest_without) = (f32::MAX, f32::MIN);
    for ((question, answer), (vector, text)) in questions.iter().zip(&answers).zip(vectors.iter().zip(&texts)) {
        let Some(passage) = &question.passage else {
            highest_without = highest_without.max(answer.relevance);
            assert!(answer.passages.is_empty(), "{:?} is answered with {:?}", question.prompt, answer);
            assert!(answer.text.starts_with("I have no passage that answers this question."), "{}", answer.text);
            continue;
        };
        let similarity = cosine(vector, text);
        assert!(similarity > 0.4, "{:?} ({similarity:.2}): {}", question.prompt, answer.text);
        (answerable, sum, lowest) = (answerable + 1, sum + similarity, lowest.min(answer.relevance));
        if answer.passages.first() == Some(passage) {
            right += 1;
        } else {
            println!("{:?} is answered from {:?}", question.prompt, answer.passages);
        }
    }
    let mean = sum / answerable as f32;
    println!("{right} of {answerable} from the expected passage; mean similarity of answers {mean:.3}");
    println!("relevance: at least {lowest:.3} with an answer, at most {highest_without:.3} without");
    assert!(right * 100 >= answerable * 97, "{right} of {answerable}");
    assert!(mean > 0.65, "{mean}");
}

#[tokio::test]
async fn answers_are_extracts_and_miners_differ() {
    let embedding = embedding();
    let corpus = Corpus::shipped().unwrap();
    let known: BTreeSet<&str> = corpus.passages().iter().flat_map(|passage| split_sentences(&passage.text)).collect();
    let prompts: Vec<String> = questions().into_iter().filter(|q| q.passage.is_some()).map(|q| q.prompt).collect();
    let vectors = embedding.embed(prompts.clone()).await.unwrap();

    let mut answers_to: Vec<BTreeSet<String>> = vec![BTreeSet::new(); prompts.len()];
    for number in 0..6 {
        let profile = Profile::numbered(number);
        let index = Index::build(&corpus, &profile, &embedding, Some(&cache())).await.unwrap();
        assert!(index.len() <= corpus.passages().len());
        assert_eq!(index.len() == corpus.passages().len(), profile.corpus_share >= 1.0);
        for (vector, answers) in vectors.iter().zip(&mut answers_to) {
            let answer = index.answer(vector);
            assert_eq!(answer, index.answer(vector), "the same question has two answers");
            if !answer.passages.is_empty() {
                let text = answer.text.split_once("”: ").map_or(answer.text.as_str(), |(_, text)| text);
                let sentences = split_sentences(text);
                assert!((1..=profile.sentences).contains(&sentences.len()), "{text}");
                for sentence in sentences {
                    assert!(known.contains(sentence), "{sentence:?} does not stand in the corpus");
                }
            }
            answers.insert(answer.text);
        }
    }
    let different = answers_to.iter().filter(|answers| answers.len() >= 3).count();
    println!("{different} of {} questions have three or more different answers by six miners", prompts.len());
    assert!(different * 10 >= prompts.len() * 8, "{different} of {}", prompts.len());
}
