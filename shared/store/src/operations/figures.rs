//! The figures of a partner, as they were counted last: `P#<partner>` with `figures`. They can be
//! counted again at any time, so the last write wins.

use domain::PartnerId;
use domain::monitoring::figures::PartnerFigures;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, VersionedItem};

#[derive(Debug, Clone)]
pub struct FiguresStore {
    table: Table,
}

impl FiguresStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the figures consistently. `None` if they were never counted.
    pub async fn get(&self, partner: &PartnerId) -> Result<Option<PartnerFigures>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.value)
    }

    pub async fn put(&self, partner: &PartnerId, figures: &PartnerFigures) -> Result<(), Error> {
        versions::put(&self.table, item(&partner_pk(partner)), figures).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "figures",
        optional: &[],
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::figures::{AlertFigures, DayCounts};
    use domain::monitoring::figures::FiguresSum;
    use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

    use super::*;
    use crate::table::Item;

    #[test]
    fn figures_round_trip_through_their_item() {
        let counts = DayCounts {
            raised: 2,
            created: 1,
            delays: vec![3],
            ..DayCounts::default()
        };
        let mut sum = FiguresSum::default();
        sum.add(&AlertFigures {
            days: [("2026-11-22".parse().unwrap(), counts)].into(),
        });
        let figures = sum.finish("2026-11-22T07:30:00Z".parse().unwrap());
        let item: Item = to_item(&figures).unwrap();
        assert_eq!(from_item::<PartnerFigures>(item).unwrap(), figures);
    }
}
