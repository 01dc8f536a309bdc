//! One subnet's way through the demo: rounds until there are enough, an epoch that closes, its audit and its bundle.
//!
//! Loosh's questions are pushed, as clients do it; the other subnets' validators make their own tasks.

use super::closing::Closing;
use super::follow::Follower;
use super::questions::{self, Pusher};
use super::setup::Season;
use super::state::DemoState;
use crate::cli::DemoArgs;
use crate::output;
use anyhow::{Context, Result};
use ledger::LedgerReader;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where one subnet stands.
pub struct Course<'a> {
    args: &'a DemoArgs,
    season: &'a Season,
    follower: Follower,
    pusher: Option<Pusher>,
    closing: Closing<'a>,
    pushed: u32,
    next_push: Instant,
    /// Epochs that were closed when the first rounds had ended.
    asked_at_end: Option<usize>,
    shown: bool,
    said: bool,
    code: u8,
}

impl<'a> Course<'a> {
    /// From the ledger as it stands.
    pub async fn begin(
        args: &'a DemoArgs,
        season: &'a Season,
        state: &'a DemoState,
        keys: &Path,
        reader: LedgerReader,
    ) -> Result<Self> {
        let head = reader.head().await?.size;
        let pushes = season.subnet.name == "loosh";
        if pushes {
            output::line(format!(
                "demo: pushing {} questions to {}/challenges; each 201 comes after its commit",
                args.questions, state.validator
            ));
        } else {
            let name = season.subnet.name;
            output::line(format!(
                "demo: the validator of {name} makes its own tasks; waiting for {} rounds",
                args.questions
            ));
        }
        Ok(Self {
            args,
            season,
            follower: Follower::new(reader.clone(), head, args.questions as usize, args.once),
            pusher: pushes.then(|| Pusher::new(&state.validator, None, questions::prefix("demo")?)).transpose()?,
            closing: Closing::new(args, season, state, keys.to_owned(), reader),
            pushed: 0,
            next_push: Instant::now(),
            asked_at_end: None,
            shown: false,
            said: false,
            code: 0,
        })
    }

    /// Does what is due. True when more is due at once.
    pub async fn step(&mut self) -> Result<bool> {
        let first = self.pusher.is_some() && self.pushed < self.args.questions;
        let later = !self.args.once && self.asked_at_end.is_some() && Instant::now() >= self.next_push;
        if let Some(pusher) = self.pusher.as_mut().filter(|_| first || later) {
            pusher.push().await?;
            self.pushed += 1;
            self.next_push = Instant::now() + Duration::from_secs(self.args.pause);
        }
        self.follower.catch_up().await?;
        while let Some((epoch, outcome)) = self.closing.next_of(&self.follower) {
            self.code = self.code.max(self.closing.audit(epoch, &outcome).await?);
        }
        self.closing.write_bundles().await?;
        if self.asked_at_end.is_none() && self.is_enough() {
            // The next epoch to close holds, or comes after, all the first rounds.
            self.asked_at_end = Some(self.follower.closed.len());
            output::line(format!(
                "demo: {} {} are answered and scored; waiting for the epoch to close",
                self.follower.ended(),
                if self.pusher.is_some() { "questions" } else { "tasks" }
            ));
        }
        if let Some(known) = self.asked_at_end
            && self.closing.take_first(&self.follower, known)
        {
            self.closing.show().await?;
            self.shown = true;
        }
        Ok(first)
    }

    fn is_enough(&self) -> bool {
        match self.pusher {
            Some(_) => self.pushed >= self.args.questions && self.follower.open() == 0,
            None => self.follower.ended() >= self.args.questions as usize,
        }
    }

    /// Whether the results were shown.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Whether it is still to be said that the demo goes on.
    pub fn say_going_on(&mut self) -> bool {
        !std::mem::replace(&mut self.said, true)
    }

    /// The last bundles. Gives the worst of the audits' exit codes.
    pub async fn finish(&mut self) -> Result<u8> {
        self.closing.finish().await.with_context(|| format!("subnet {}", self.season.subnet.name))?;
        Ok(self.code)
    }
}
