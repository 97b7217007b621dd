//! A partner to play with: what set-up will do for a real one, done here through the same stores.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws::secrets::{ConnectionSecret, SigningSecret, SourceDocument};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use domain::event::Severity;
use domain::kind::{BUILT_IN, Role};
use domain::settings::{BoardTarget, Mapping, Settings, WhenGone};
use domain::{Kind, PartnerId, RecordId, SourceId, TenantId};
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use store::{ConfigTable, Connection, Due, Task};

use crate::local::deploy::Deployed;
use crate::local::emulator::{Emulator, sdk_config};
use crate::local::simulator::Simulator;

/// The partner whom the local stack serves.
const PARTNER: &str = "northwind";
/// The tenants that become tickets, each with its ConnectWise company.
const MAPPED: [(&str, &str); 5] = [
    ("acme-dental", "AcmeDental"),
    ("baker-and-sons", "BakerSons"),
    ("cedar-valley", "CedarValley"),
    ("elan-cafe", "ElanCafe"),
    ("fjord-shipping", "Fjord"),
];
/// A tenant that is mapped and switched off.
const DISABLED: (&str, &str) = ("grove-legal", "GroveLegal");
/// A tenant that nobody mapped.
const UNMAPPED: &str = "harbor-hotel";

/// What was seeded, for those who post and look.
#[derive(Debug)]
pub(crate) struct Seeded {
    /// Whose ConnectWise it is.
    pub(crate) partner: PartnerId,
    /// Who posts.
    pub(crate) source: SourceId,
    /// What it signs with.
    pub(crate) webhook_secret: String,
    /// Mapped and enabled.
    pub(crate) tenants: Vec<TenantId>,
    /// Mapped and switched off.
    pub(crate) disabled: TenantId,
    /// Never mapped.
    pub(crate) unmapped: TenantId,
}

/// Gives the partner a connection to the simulator, settings, mapped tenants and a source.
///
/// # Errors
/// When the simulator lacks a board, type or company, or the emulator refuses a write.
pub(crate) async fn seed(
    emulator: &Emulator,
    deployed: &Deployed,
    simulator: &Simulator,
) -> Result<Seeded> {
    let partner = PartnerId::parse(PARTNER)?;
    let source = SourceId::parse(format!("src_{}", random_name(26)?))?;
    let webhook_secret = format!("whsec_{}", STANDARD.encode(random_bytes::<32>()?));

    seed_secrets(
        emulator,
        deployed,
        simulator,
        &partner,
        &source,
        &webhook_secret,
    )
    .await?;
    let settings = settings(simulator).await?;
    let mut mappings = Vec::new();
    for (tenant, company) in MAPPED {
        mappings.push((TenantId::parse(tenant)?, mapping(simulator, company).await?));
    }
    let disabled = TenantId::parse(DISABLED.0)?;
    let switched_off = Mapping {
        enabled: false,
        ..mapping(simulator, DISABLED.1).await?
    };
    mappings.push((disabled.clone(), switched_off));
    let connection = Connection {
        origin: simulator.origin().to_owned(),
        company_id: simulator.integration.company_id.clone(),
        epoch: 1,
        confirmed: true,
        confirmed_at: None,
    };
    let aws = sdk_config(emulator.endpoint())?;
    let config = ConfigTable::new(&aws, deployed.config_table.clone());
    config.put_connection(&partner, &connection).await?;
    config.put_settings(&partner, &settings).await?;
    for (tenant, mapping) in &mappings {
        config.put_mapping(&partner, tenant, mapping).await?;
    }
    let due = Due::new(&aws, deployed.config_table.clone());
    due.bring_forward(&partner, Task::Reconcile, Timestamp::now())
        .await?;

    let tenants = MAPPED
        .into_iter()
        .map(|(tenant, _)| TenantId::parse(tenant))
        .collect::<Result<_, _>>()?;
    Ok(Seeded {
        partner,
        source,
        webhook_secret,
        tenants,
        disabled,
        unmapped: TenantId::parse(UNMAPPED)?,
    })
}

async fn seed_secrets(
    emulator: &Emulator,
    deployed: &Deployed,
    simulator: &Simulator,
    partner: &PartnerId,
    source: &SourceId,
    webhook_secret: &str,
) -> Result<()> {
    let keys = &simulator.integration;
    let connection = ConnectionSecret {
        origin: simulator.origin().to_owned(),
        company_id: keys.company_id.clone(),
        public_key: keys.public_key.clone(),
        private_key: Secret::new(&keys.private_key),
        client_id: None,
    };
    let door = SourceDocument {
        partner: Some(partner.clone()),
        partners: Vec::new(),
        enabled: true,
        kinds_added: Vec::new(),
        secrets: vec![SigningSecret {
            value: Secret::new(webhook_secret),
            not_after: None,
        }],
    };
    let connection_name = format!(
        "{}{partner}",
        deployed.variable("tickets", "CONNECTION_SECRET_PREFIX")?
    );
    let door_name = format!(
        "{}{source}",
        deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?
    );
    let client_id_name = deployed.variable("tickets", "CLIENT_ID_SECRET")?.to_owned();
    let client = aws_sdk_secretsmanager::Client::new(&sdk_config(emulator.endpoint())?);
    for (name, text) in [
        (connection_name, serde_json::to_string(&connection)?),
        (door_name, serde_json::to_string(&door)?),
        (client_id_name, keys.client_id.clone()),
    ] {
        let create = client.create_secret().name(&name).secret_string(text);
        create
            .send()
            .await
            .with_context(|| format!("cannot create the secret {name}"))?;
    }
    Ok(())
}

async fn settings(simulator: &Simulator) -> Result<Settings> {
    let mut priorities = BTreeMap::new();
    for (severity, name) in [
        (Severity::Critical, "Priority 1 - Critical"),
        (Severity::High, "Priority 2 - High"),
        (Severity::Medium, "Priority 3 - Medium"),
        (Severity::Low, "Priority 4 - Low"),
        (Severity::Informational, "Priority 4 - Low"),
    ] {
        priorities.insert(
            severity,
            id_of(simulator, "/service/priorities", "name", name).await?,
        );
    }
    Ok(Settings {
        operations: board(simulator, Role::Operations, "Operations", WhenGone::Close).await?,
        cyber_alerts: board(simulator, Role::CyberAlerts, "Cyber Alerts", WhenGone::Note).await?,
        kinds_off: BTreeSet::new(),
        priorities,
        note_interval_minutes: 60,
        notes_for_customers: false,
    })
}

async fn board(
    simulator: &Simulator,
    role: Role,
    name: &str,
    when_gone: WhenGone,
) -> Result<BoardTarget> {
    let board = id_of(simulator, "/service/boards", "name", name).await?;
    let statuses = format!("/service/boards/{board}/statuses");
    let of_board = format!("/service/boards/{board}/types");
    let mut types = BTreeMap::new();
    for (kind, _, type_name) in BUILT_IN.into_iter().filter(|(_, of, _)| *of == role) {
        types.insert(
            Kind::parse(kind)?,
            id_of(simulator, &of_board, "name", type_name).await?,
        );
    }
    Ok(BoardTarget {
        board: Some(board),
        start_status: Some(id_of(simulator, &statuses, "name", "New").await?),
        closing_status: Some(id_of(simulator, &statuses, "name", ">Closed").await?),
        types,
        when_gone,
        reopen_days: 0,
    })
}

async fn mapping(simulator: &Simulator, company: &str) -> Result<Mapping> {
    let id = id_of(simulator, "/company/companies", "identifier", company).await?;
    Ok(Mapping {
        company: Some(id),
        enabled: true,
        name: Some(company.to_owned()),
        enabled_at: None,
    })
}

/// The id of the one record of a list whose member has this value.
async fn id_of(simulator: &Simulator, list: &str, member: &str, value: &str) -> Result<RecordId> {
    let records = simulator.get(list, &[("pageSize", "1000")]).await?;
    let found = records
        .as_array()
        .into_iter()
        .flatten()
        .find(|record| record[member] == value);
    found
        .and_then(|record| record["id"].as_u64())
        .with_context(|| format!("the simulator's {list} has no {member} {value:?}"))
}

fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .ok()
        .context("the system has no randomness")?;
    Ok(bytes)
}

/// A name of lower-case letters and digits, as ids are made of. Thirty-two of them, so that each byte fits evenly.
fn random_name(length: usize) -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random_bytes::<32>()?;
    Ok(bytes
        .iter()
        .take(length)
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}
