//! A partner to play with, set up through the operator's API and the partner's page like any other. Many partners at once are written
//! where set-up would store them: a hundred would take it minutes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws::secrets::{ConnectionSecret, SigningSecret, SourceDocument};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use domain::event::Severity;
use domain::kind::{BUILT_IN, Category};
use domain::settings::{BoardTarget, Mapping, OnResolve, Settings};
use domain::{Kind, PartnerId, RecordId, SourceId, TenantId};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use store::{AccessTable, ConfigTable, Connection};

use crate::local::EmptyStack;
use crate::local::deploy::Deployed;
use crate::local::emulator::{Emulator, sdk_config};
use crate::local::simulator::Simulator;
use crate::partner_page::PartnerPage;

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
/// Whom the partner wants to be told of trouble.
const CONTACT: &str = "oncall@northwind.example";
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
    /// Somebody at the partner, who is still signed in.
    pub(crate) page: PartnerPage,
}

/// Has the operator make a partner with a source, and somebody there set it up: the way that any partner goes.
///
/// # Errors
/// When a step is refused, or the simulator lacks what it needs.
pub(crate) async fn seed(stack: &EmptyStack) -> Result<Seeded> {
    let partner = PartnerId::parse(PARTNER)?;
    set_up(stack, partner, &stack.simulator).await
}

/// As `seed`, for any partner at any site.
///
/// # Errors
/// As `seed`.
pub(crate) async fn set_up(
    stack: &EmptyStack,
    partner: PartnerId,
    simulator: &Simulator,
) -> Result<Seeded> {
    let operator = &stack.operator;
    operator
        .put_partner(&partner, "Northwind Managed IT")
        .await?;
    let source = operator.new_source("Demo", &partner).await?;
    let page = PartnerPage::open(&operator.new_link(&partner).await?).await?;

    let keys = &simulator.integration;
    let connection = json!({
        "site": simulator.origin(),
        "company_id": keys.company_id,
        "public_key": keys.public_key,
        "private_key": keys.private_key,
    });
    page.save("/setup/connection", &connection).await?;
    let board = json!({
        "location": id_of(simulator, "/system/locations", "name", "Springfield").await?,
        "department": id_of(simulator, "/system/departments", "name", "Professional Services").await?,
        "team_lead": id_of(simulator, "/system/members", "identifier", "TSmith").await?,
    });
    let boards = json!({
        "operations": board,
        "cyber_alerts": board,
        "version": page.get("/setup/boards").await?["boards_version"],
    });
    page.post("/setup/boards/dedicated", &boards).await?;
    page.finish("/setup/boards/progress").await?;
    let tickets = tickets(&page, &priorities(simulator).await?).await?;
    page.post("/setup/tickets", &tickets).await?;

    let mut tenants = Vec::new();
    for (tenant, company) in MAPPED {
        let tenant = TenantId::parse(tenant)?;
        map(&page, simulator, &tenant, company, true).await?;
        tenants.push(tenant);
    }
    let disabled = TenantId::parse(DISABLED.0)?;
    map(&page, simulator, &disabled, DISABLED.1, false).await?;
    // Nobody reads the mails of the seeded partner, so the operator says that the address is right.
    operator.set_contact(&partner, CONTACT).await?;
    page.save("/setup/confirm", &json!({})).await?;

    Ok(Seeded {
        partner,
        source: source.id,
        webhook_secret: source.secret,
        tenants,
        disabled,
        unmapped: TenantId::parse(UNMAPPED)?,
        page,
    })
}

/// The form of what tickets are like, as its page has it filled in, with the priorities that a person chooses.
async fn tickets(page: &PartnerPage, priorities: &BTreeMap<Severity, RecordId>) -> Result<Value> {
    let shown = page.get("/setup/tickets").await?;
    let mut form = json!({
        "on": [],
        "priorities": priorities,
        "note_interval_minutes": shown["note_interval_minutes"],
        "notes_for_customers": shown["notes_for_customers"],
        "version": shown["version"],
    });
    let mut on = Vec::new();
    for category in ["operations", "cyber_alerts"] {
        let board = &shown[category];
        let kinds = board["kinds"].as_array().context("a board has no kinds")?;
        let mut types = serde_json::Map::new();
        for kind in kinds {
            let name = kind["kind"].as_str().context("a kind has no name")?;
            types.insert(name.to_owned(), kind["type"].clone());
            if kind["on"] == true {
                on.push(name);
            }
        }
        form[category] = json!({
            "start_status": board["start_status"],
            "closing_status": board["closing_status"],
            "types": types,
            "on_resolve": board["on_resolve"],
            "reopen_days": board["reopen_days"],
        });
    }
    form["on"] = json!(on);
    Ok(form)
}

async fn map(
    page: &PartnerPage,
    simulator: &Simulator,
    tenant: &TenantId,
    company: &str,
    enabled: bool,
) -> Result<()> {
    let company = id_of(simulator, "/company/companies", "identifier", company).await?;
    page.map(tenant, company, enabled).await
}

/// Partners beside the first, and the source that speaks for all of them.
#[derive(Debug)]
pub(crate) struct Many {
    /// Who posts; each event names its partner.
    pub(crate) source: SourceId,
    /// What it signs with.
    pub(crate) webhook_secret: String,
    /// All of them.
    pub(crate) partners: Vec<PartnerId>,
    /// The one of them whose ConnectWise is the other site.
    pub(crate) other: PartnerId,
    /// The one tenant that each of them has.
    pub(crate) tenant: TenantId,
}

/// Gives so many partners a connection each: one of them, in the middle, to the other site, and the rest to the stack's own.
///
/// # Errors
/// As `seed`.
pub(crate) async fn seed_many(
    stack: &EmptyStack,
    partners: usize,
    other_site: &Simulator,
) -> Result<Many> {
    let (emulator, deployed) = (&stack.emulator, &stack.deployed);
    let webhook_secret = new_webhook_secret()?;
    let names = (0..partners).map(|number| PartnerId::parse(format!("partner-{number:03}")));
    let partners = names.collect::<Result<Vec<_>, _>>()?;
    let other = partners
        .get(partners.len() / 2)
        .context("no partners are asked for")?;
    let many = Many {
        source: new_source(emulator, deployed).await?,
        tenant: TenantId::parse(MAPPED[0].0)?,
        other: other.clone(),
        partners,
        webhook_secret,
    };
    let secret_writer = SecretWriter::of(emulator, deployed)?;
    let door = SourceDocument {
        partners: many.partners.clone(),
        ..document(&many.webhook_secret)
    };
    secret_writer.put_door(&many.source, &door).await?;
    let aws = sdk_config(emulator.endpoint())?;
    let config = ConfigTable::new(&aws, deployed.config_table.clone());
    let access = AccessTable::new(&aws, deployed.access_table.clone());
    // The sites are alike, down to the ids of their boards.
    let settings = settings(&stack.simulator).await?;
    let mapping = mapping(&stack.simulator, MAPPED[0].1).await?;
    for partner in &many.partners {
        let site = if *partner == many.other {
            other_site
        } else {
            &stack.simulator
        };
        secret_writer.put_connection(partner, site).await?;
        access
            .connections
            .put(partner, &connection_to(site))
            .await?;
        config.settings.put(partner, &settings).await?;
        config.tenants.put(partner, &many.tenant, &mapping).await?;
    }
    Ok(many)
}

/// Gives one partner a connection to a site, with the settings of the stack's own.
///
/// # Errors
/// As `seed`.
pub(crate) async fn seed_at(
    stack: &EmptyStack,
    partner: &PartnerId,
    site: &Simulator,
) -> Result<()> {
    let (emulator, deployed) = (&stack.emulator, &stack.deployed);
    let aws = sdk_config(emulator.endpoint())?;
    let config = ConfigTable::new(&aws, deployed.config_table.clone());
    let access = AccessTable::new(&aws, deployed.access_table.clone());
    let secret_writer = SecretWriter::of(emulator, deployed)?;
    secret_writer.put_connection(partner, site).await?;
    access
        .connections
        .put(partner, &connection_to(site))
        .await?;
    let settings = settings(&stack.simulator).await?;
    config.settings.put(partner, &settings).await?;
    Ok(())
}

fn connection_to(site: &Simulator) -> Connection {
    Connection {
        origin: site.origin().to_owned(),
        company_id: site.integration.company_id.clone(),
        epoch: 1,
        confirmed: true,
        confirmed_at: None,
        suspended: false,
    }
}

async fn new_source(emulator: &Emulator, deployed: &Deployed) -> Result<SourceId> {
    let prefix = deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
    let secret_writer = aws::secret_writer::SecretWriter::new(&sdk_config(emulator.endpoint())?);
    let new_key = Secret::new(random_name(32)?);
    let keys = secret_writer.source_keys(prefix, &new_key).await?;
    Ok(keys.id(random_bytes()?))
}

fn new_webhook_secret() -> Result<String> {
    Ok(format!("whsec_{}", STANDARD.encode(random_bytes::<32>()?)))
}

/// A source that speaks for nobody yet.
fn document(webhook_secret: &str) -> SourceDocument {
    SourceDocument {
        partner: None,
        partners: Vec::new(),
        enabled: true,
        kinds_added: Vec::new(),
        secrets: vec![SigningSecret {
            value: Secret::new(webhook_secret),
            not_after: None,
        }],
    }
}

/// Where the secrets are kept, under the names that the functions look for.
struct SecretWriter<'a> {
    client: aws_sdk_secretsmanager::Client,
    deployed: &'a Deployed,
}

impl<'a> SecretWriter<'a> {
    fn of(emulator: &Emulator, deployed: &'a Deployed) -> Result<Self> {
        let client = aws_sdk_secretsmanager::Client::new(&sdk_config(emulator.endpoint())?);
        Ok(Self { client, deployed })
    }

    async fn put_door(&self, source: &SourceId, door: &SourceDocument) -> Result<()> {
        let prefix = self.deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
        let text = serde_json::to_string(door)?;
        self.put(format!("{prefix}{source}"), text).await
    }

    async fn put_connection(&self, partner: &PartnerId, site: &Simulator) -> Result<()> {
        let keys = &site.integration;
        let connection = ConnectionSecret {
            origin: site.origin().to_owned(),
            company_id: keys.company_id.clone(),
            public_key: keys.public_key.clone(),
            private_key: Secret::new(&keys.private_key),
            client_id: None,
        };
        let prefix = self
            .deployed
            .variable("tickets", "CONNECTION_SECRET_PREFIX")?;
        let text = serde_json::to_string(&connection)?;
        self.put(format!("{prefix}{partner}"), text).await
    }

    async fn put(&self, name: String, text: String) -> Result<()> {
        let create = self.client.create_secret().name(&name).secret_string(text);
        create
            .send()
            .await
            .with_context(|| format!("cannot create the secret {name}"))?;
        Ok(())
    }
}

async fn priorities(simulator: &Simulator) -> Result<BTreeMap<Severity, RecordId>> {
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
    Ok(priorities)
}

async fn settings(simulator: &Simulator) -> Result<Settings> {
    Ok(Settings {
        operations: board(
            simulator,
            Category::Operations,
            "Operations",
            OnResolve::Close,
        )
        .await?,
        cyber_alerts: board(
            simulator,
            Category::CyberAlerts,
            "Cyber Alerts",
            OnResolve::Note,
        )
        .await?,
        priorities: priorities(simulator).await?,
        ..Settings::default()
    })
}

async fn board(
    simulator: &Simulator,
    category: Category,
    name: &str,
    on_resolve: OnResolve,
) -> Result<BoardTarget> {
    let board = id_of(simulator, "/service/boards", "name", name).await?;
    let statuses = format!("/service/boards/{board}/statuses");
    let of_board = format!("/service/boards/{board}/types");
    let mut types = BTreeMap::new();
    for (kind, _, type_name) in BUILT_IN.into_iter().filter(|(_, of, _)| *of == category) {
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
        on_resolve,
        reopen_days: 0,
        renew_after_hours: 0,
    })
}

async fn mapping(simulator: &Simulator, company: &str) -> Result<Mapping> {
    let id = id_of(simulator, "/company/companies", "identifier", company).await?;
    Ok(Mapping {
        company: Some(id),
        enabled: true,
        name: Some(company.to_owned()),
        ..Mapping::default()
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
