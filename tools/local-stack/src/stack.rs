//! A running stack with one partner that is set up.

use std::ops::Deref;

use anyhow::Result;

use crate::empty_stack::{EmptyStack, StackTimes};
use crate::progress::step;
use crate::seed::{self, SeededPartner};

#[derive(Debug)]
pub struct Stack {
    empty: EmptyStack,
    pub seeded: SeededPartner,
}

impl Deref for Stack {
    type Target = EmptyStack;

    fn deref(&self) -> &EmptyStack {
        &self.empty
    }
}

impl Stack {
    /// Installs what is missing, builds, starts, deploys and seeds. Logs go to
    /// `target/local/<run>`.
    pub async fn start(run: &str, times: StackTimes) -> Result<Self> {
        Self::with_other_sites(run, times, 0).await
    }

    /// As [`Stack::start`], with additional ConnectWise sites.
    pub async fn with_other_sites(run: &str, times: StackTimes, others: usize) -> Result<Self> {
        let empty = EmptyStack::start(run, times, others).await?;
        let seeded = step("setting up a partner", seed::seed(&empty)).await;
        if seeded.is_err() {
            empty.save_function_logs().await;
        }
        Ok(Self {
            seeded: seeded?,
            empty,
        })
    }

    /// The webhook of the seeded source.
    pub fn webhook_url(&self) -> String {
        self.webhook_url_of(&self.seeded.source)
    }
}
