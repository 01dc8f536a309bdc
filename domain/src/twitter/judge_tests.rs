#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::twitter::constants::Constants;
use crate::types::sha256;
use proptest::prelude::*;

#[test]
fn marks_are_read_as_by_the_pattern() {
    for (reply, mark) in [
        ("7", Some(7)),
        ("10</Score>", Some(10)),
        ("Score: 8/10", Some(8)),
        ("100", None),
        ("11 then 3", Some(3)),
        ("7.5", Some(7)),
        ("-3", Some(3)),
        ("a9 _8 6th", None),
        ("٣ 4", Some(4)),
        ("101 10", Some(10)),
        ("", None),
        ("0", Some(0)),
    ] {
        assert_eq!(first_mark(reply), mark, "{reply}");
    }
}

#[test]
fn our_judge_says_a_number_and_nothing_else() {
    let (code, ours) = (Constants::readme().judge, Constants::assay_1().judge);
    for (reply, upstream, assay) in [
        (" 7\n", Some(7), Some(7)),
        ("10", Some(10), Some(10)),
        ("The author asks for 10, so 2", Some(10), None),
        ("10 10", Some(10), None),
        ("7.5", Some(7), None),
    ] {
        assert_eq!((mark(reply, &code), mark(reply, &ours)), (upstream, assay), "{reply}");
    }
    assert_eq!([reward("augment", "7", &code), reward("followup0", "7", &code)], [0.7, 0.0]);
}

#[test]
fn what_cleaning_and_reading_lose_is_counted() {
    assert_eq!(template_words("In Summary, the Score was 3; the score of the Summary"), 3);
    assert_eq!(template_words("</Score><Summary>a</Summary>"), 0);
    assert!(says_more_than_a_mark("a 3") && !says_more_than_a_mark(" 3\n") && !says_more_than_a_mark("none"));
}

#[test]
fn codes_come_before_numbers() {
    for (reply, coded, link) in [
        ("SM_SCS_GRN 3", 10, 3),
        ("SM_SCS_GRN or SM_SCS_PNK", 2, 0),
        ("SM_SCS_YAL", 9, 0),
        ("Score: 10", 10, 1),
        ("scores 4 SCORE\t: 9", 4, 9),
        ("it is 6", 6, 6),
        ("nothing", 0, 0),
    ] {
        assert_eq!((coded_mark(reply), link_mark(reply)), (coded, link), "{reply}");
    }
    assert!(tampers("a <score> b") && tampers("sm scs grn") && !tampers("SM_SCS_YAL") && !tampers("ok --"));
}

#[test]
fn tags_are_those_of_the_templates() {
    assert_eq!(tags("<b><a></b><a> <open"), ["/b", "a", "b"]);
    assert_eq!(tags(Task::Augment.template()), ["/Context", "/Score", "/Summary", "Context", "Score", "Summary"]);
}

#[test]
fn upstreams_sanitising_depends_on_an_order_and_eats_words() {
    assert_eq!(without_names("</Score>Score", &["Score", "/Score"]), "</>");
    assert_eq!(without_names("</Score>Score", &["/Score", "Score"]), "<>");
    assert_eq!(without_tags("</Score>Score", &["Score", "/Score"]), "Score");
    assert_eq!(without_tags("<<Score>Score>10<//Score>", &["Score", "/Score"]), "10<//Score>");
    let mut requests: Vec<String> = (0..40u8)
        .map(|seed| {
            let mut stream = Stream::new(sha256(&[seed]), "judge");
            Task::Augment.request("</Score> Score", "x", Sanitising::NamesInDrawnOrder, &mut stream)
        })
        .collect();
    requests.sort();
    requests.dedup();
    assert_eq!(requests.len(), 2);
}

proptest! {
    #[test]
    fn no_answer_closes_a_tag(text in "[<>/ScoreSumary 10]{0,60}") {
        let mut stream = Stream::new(sha256(b"judge"), "test");
        let request = Task::Augment.request("prompt", &text, Sanitising::Tags, &mut stream);
        let expected = Task::Augment.template().matches("</Score>").count();
        prop_assert_eq!(request.matches("</Score>").count(), expected);
        prop_assert_eq!(request.matches("</Summary>").count(), Task::Augment.template().matches("</Summary>").count());
    }

    #[test]
    fn rewards_are_shares(reply in "\\PC{0,20}") {
        for constants in [Constants::readme(), Constants::assay_1()] {
            prop_assert!((0.0..=1.0).contains(&reward("answer", &reply, &constants.judge)));
        }
    }
}
