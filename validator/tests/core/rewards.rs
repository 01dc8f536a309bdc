//! Rewards of models: recorded as the models have them, and everything that follows from them is recomputed by an audit.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::events::{Event, JudgementRecorded};
use domain::mechanism::{self, JudgementRequest, Mechanism};
use domain::twitter::constants::Constants;
use domain::twitter::verdicts::{DPO, LogitRequest, RLHF, read_log_probability, read_logit};
use domain::types::Hotkey;
use inference::ModelConfig;
use validator::judge::{Judge, Offline, Verdict};
use validator::reward_models::{Kind, RewardModel, kind_for};
use validator::service::ChallengeState;

use crate::peer::Behaviour;
use crate::world::{World, close_epoch, ended, scores, search};

const PROMPT: &str = "What do people say about the tide and the moon?";
const COMPLETIONS: [&str; 3] = [
    "People say that the moon pulls the tide, and that the sun does so a little.",
    "Free money, click here, and click here, and click here, and click here.",
    "The tide follows the moon.",
];
const ANSWERS: [&str; 3] = [
    r#"{"messages":"q","completion":"People say that the moon pulls the tide, and that the sun does so a little."}"#,
    r#"{"messages":"q","completion":"Free money, click here, and click here, and click here, and click here."}"#,
    r#"{"messages":"q","completion":"The tide follows the moon."}"#,
];

/// Small models of random weights, one of each kind; marks in words are the mechanism's own.
#[derive(Debug, Clone)]
struct Rewards {
    classifier: RewardModel,
    language_model: RewardModel,
}

impl Rewards {
    fn open() -> Self {
        let open = |kind, name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/models").join(name);
            let config = ModelConfig { threads: Some(1), ..ModelConfig::at(folder) };
            RewardModel::open(kind, &config, Duration::from_secs(60)).unwrap()
        };
        Self {
            classifier: open(Kind::Classifier, "tiny-classifier"),
            language_model: open(Kind::LanguageModel, "tiny-language-model"),
        }
    }
}

#[async_trait]
impl Judge for Rewards {
    async fn judge(&self, request: &JudgementRequest, mechanism: &dyn Mechanism) -> Result<Verdict, String> {
        match kind_for(&request.purpose) {
            Some(Kind::Classifier) => self.classifier.judge(request, mechanism).await,
            Some(Kind::LanguageModel) => self.language_model.judge(request, mechanism).await,
            None => Offline.judge(request, mechanism).await,
        }
    }

    fn has_model(&self, purpose: &str) -> bool {
        kind_for(purpose).is_some()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_whose_rewards_came_from_models_audits_equal() {
    let mut world = World::new(ANSWERS.map(Behaviour::Says).into()).await;
    world.rule_set = mechanism::shipped_by_name("twitter/readme").unwrap();
    let rewards = Rewards::open();
    world.judge = Arc::new(rewards.clone());
    let running = world.start(world.config()).await;
    running.handle.accept(search("t1", PROMPT)).await.unwrap();
    assert_eq!(ended(&running.handle, "t1").await.state, ChallengeState::Evaluated);
    close_epoch(&running.handle, 0).await;
    running.stop().await;
    world.assert_sound().await;

    let log = world.log().await;
    let verdicts: Vec<&JudgementRecorded> = log
        .iter()
        .filter_map(|(_, event)| match event {
            Event::JudgementRecorded(verdict) => Some(verdict),
            _ => None,
        })
        .collect();
    let scores = scores(&log);
    assert_eq!(scores.len(), COMPLETIONS.len());
    let of = |purpose: &str, hotkey: Hotkey| {
        *verdicts.iter().find(|verdict| verdict.purpose == purpose && verdict.hotkey == Some(hotkey)).unwrap()
    };
    for (peer, completion) in world.peers.iter().zip(COMPLETIONS) {
        let hotkey = peer.key.hotkey();
        let scored = scores.iter().find(|scored| scored.hotkey == hotkey).unwrap();
        let part = |name: &str| scored.components.iter().find(|part| part.name == name).unwrap().value;
        let rlhf = of(RLHF, hotkey);
        assert_eq!(rlhf.model, rewards.classifier.recorded_name());
        assert_eq!(part("rlhf_reward_model"), f64::from(read_logit(rlhf.reply.bytes()).unwrap()));
        let dpo = of(DPO, hotkey);
        assert_eq!(dpo.model, rewards.language_model.recorded_name());
        let likely = read_log_probability(dpo.reply.bytes(), &Constants::readme()).unwrap();
        assert!(likely > Constants::readme().preference.floor as f32, "it was measured: {likely}");
        assert_eq!(part("dpo_reward_model"), f64::from(likely));
        assert_eq!(of("prompt", hotkey).model, mechanism::OFFLINE);
        // Whoever has the model gets the recorded number again.
        let request = LogitRequest { task: PROMPT.to_owned(), completion: completion.to_owned() };
        let request = serde_json::to_string(&request).unwrap();
        let request = JudgementRequest { purpose: RLHF.to_owned(), hotkey: Some(hotkey), request };
        assert_eq!(request.hash(), rlhf.request_hash);
        let mechanism = mechanism::open(&world.rule_set).unwrap();
        let again = rewards.classifier.judge(&request, mechanism.as_ref()).await.unwrap();
        assert_eq!((again.reply.as_slice(), &again.parameters), (rlhf.reply.bytes(), &rlhf.parameters));
    }
    let raw: std::collections::BTreeSet<&[u8]> =
        verdicts.iter().filter(|verdict| verdict.purpose == RLHF).map(|verdict| verdict.reply.bytes()).collect();
    assert_eq!(raw.len(), 3, "the models tell the answers apart");
}
