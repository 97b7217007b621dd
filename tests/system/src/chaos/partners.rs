//! The partners of the chaos test, each with a source and a ConnectWise site of its own.

use anyhow::Result;
use domain::{PartnerId, TenantId};
use local_stack::seed::{self, SeededPartner};
use local_stack::simulator::SimulatorProcess;
use local_stack::source::AlertSource;
use local_stack::stack::Stack;

/// The first partners have a ConnectWise with faults; the others have a healthy one.
const WITH_FAULTS: usize = 3;

pub(crate) struct ChaosPartner<'a> {
    pub(crate) id: &'a PartnerId,
    pub(crate) source: AlertSource,
    pub(crate) site: &'a SimulatorProcess,
    pub(crate) tenants: &'a [TenantId],
    pub(crate) has_faults: bool,
}

/// Sets up a partner at each of the other sites.
pub(crate) async fn seed_others(stack: &Stack) -> Result<Vec<SeededPartner>> {
    let mut seeded = Vec::new();
    for (number, site) in stack.other_sites.iter().enumerate() {
        let partner = PartnerId::parse(format!("partner-{number}"))?;
        seeded.push(seed::set_up_partner(stack, partner, site).await?);
    }
    Ok(seeded)
}

/// The stack's first partner and the others.
pub(crate) fn all<'a>(
    stack: &'a Stack,
    others: &'a [SeededPartner],
) -> Result<Vec<ChaosPartner<'a>>> {
    let sites = std::iter::once(&stack.simulator).chain(&stack.other_sites);
    let seeded = std::iter::once(&stack.seeded).chain(others);
    let partner = |(number, (site, seeded)): (usize, (&'a SimulatorProcess, &'a SeededPartner))| {
        let secret = &seeded.webhook_secret;
        Ok(ChaosPartner {
            id: &seeded.partner,
            source: AlertSource::new(stack, &seeded.partner, &seeded.source, secret)?,
            site,
            tenants: &seeded.tenants,
            has_faults: number < WITH_FAULTS,
        })
    };
    sites.zip(seeded).enumerate().map(partner).collect()
}
