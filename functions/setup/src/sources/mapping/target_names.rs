//! The names of what tickets get in ConnectWise, for the preview.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::invocation::Invocation;
use connections::PartnerConfig;
use domain::setup::settings::Settings;
use domain::{PartnerId, RecordId};
use tokio::join;
use tokio::time::Instant;

use crate::connection::client::{Connected, connected};
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::tickets::lists::ticket_lists;

/// How long names are read. The preview does not need them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names by their ids. What could not be read is missing.
#[derive(Debug, Default)]
pub(super) struct TargetNames {
    pub(super) boards: BTreeMap<RecordId, String>,
    pub(super) types: BTreeMap<RecordId, String>,
    pub(super) priorities: BTreeMap<RecordId, String>,
}

impl TargetNames {
    /// Reads the names from ConnectWise. If it does not answer, the preview shows numbers.
    pub(super) async fn read(
        setup: &Setup,
        partner: &PartnerId,
        config: &PartnerConfig,
        invocation: &Invocation,
    ) -> Self {
        let Some(settings) = &config.items.settings else {
            return Self::default();
        };
        let ends = invocation.call_ends().min(Instant::now() + PATIENCE);
        let read = Self::try_read(setup, partner, settings, ends).await;
        read.unwrap_or_else(|problem| {
            tracing::warn!(%partner, problem = problem.detail, "failed to read names for the preview of a mapping");
            Self::default()
        })
    }

    async fn try_read(
        setup: &Setup,
        partner: &PartnerId,
        settings: &Settings,
        ends: Instant,
    ) -> Result<Self, Problem> {
        let Some(Connected { connection, client }) = connected(setup, partner).await? else {
            return Ok(Self::default());
        };
        if !settings.belongs_to(connection.epoch) {
            return Ok(Self::default());
        }
        let (lists, boards) = join!(
            ticket_lists(&client, settings, ends),
            client.board_infos(ends)
        );
        let (lists, boards) = (lists?, boards?.into_iter());
        let parts = [lists.operations, lists.cyber_alerts].into_iter().flatten();
        let types = parts.flat_map(|board| board.parts.types);
        let priorities = lists.priorities.unwrap_or_default().into_iter();
        Ok(Self {
            boards: boards.map(|board| (board.id, board.name)).collect(),
            types: types.map(|of| (of.id, of.name)).collect(),
            priorities: priorities.map(|of| (of.id, of.name)).collect(),
        })
    }
}
