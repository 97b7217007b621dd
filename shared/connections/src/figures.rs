//! The figures of a partner, counted again when they are old.

use domain::PartnerId;
use domain::monitoring::figures::PartnerFigures;
use jiff::Timestamp;
use store::{Alerts, ConfigTable, Error};

/// The most alerts that are read while a person waits for the page. More are counted by `health`.
const MAX_FOR_PAGE: u64 = 2_000;

/// Counts the figures of one partner.
#[derive(Debug, Clone, Copy)]
pub struct FiguresCounter<'a> {
    pub alerts: &'a Alerts,
    pub table: &'a ConfigTable,
    pub partner: &'a PartnerId,
}

impl FiguresCounter<'_> {
    /// The figures for the page. They are counted again if they are old and that takes a moment only.
    pub async fn for_page(&self, now: Timestamp) -> Result<PartnerFigures, Error> {
        self.read(now, MAX_FOR_PAGE).await
    }

    /// The figures, counted again if they are old.
    pub async fn current(&self, now: Timestamp) -> Result<PartnerFigures, Error> {
        self.read(now, u64::MAX).await
    }

    /// Counts again if the figures are old and at most this many alerts are read for it. Two that
    /// count at once store nearly the same.
    async fn read(&self, now: Timestamp, max: u64) -> Result<PartnerFigures, Error> {
        let stored = self.table.figures.get(self.partner).await?;
        let is_enough = |of: &PartnerFigures| of.alerts > max || !of.is_old(now);
        if let Some(figures) = stored.filter(is_enough) {
            return Ok(figures);
        }
        let sum = self.alerts.by_time.figures(self.partner).await?;
        let figures = sum.finish(now);
        self.table.figures.put(self.partner, &figures).await?;
        Ok(figures)
    }
}
