//! Partners to test with. One partner is set up through the operator API and the partner's page,
//! as any other. Fleets are written directly into tables and secrets, as set-up would store them:
//! through the page a hundred partners would take minutes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws::secrets::{ConnectionSecret, SourceDocument, SourceSecret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::alert::event::Severity;
use domain::alert::kind::{BUILT_IN, Category};
use domain::setup::mapping::Mapping;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};
use domain::{Kind, PartnerId, RecordId, Secret, SourceId, TenantId};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use store::{AccessTable, ConfigTable, Connection};

use crate::deployment::DeployedStack;
use crate::empty_stack::EmptyStack;
use crate::emulator::{Emulator, sdk_config};
use crate::partner_page::PartnerPage;
use crate::simulator::SimulatorProcess;

const PARTNER: &str = "northwind";
/// Enabled tenants, each with the identifier of its ConnectWise company.
const MAPPED: [(&str, &str); 5] = [
    ("acme-dental", "AcmeDental"),
    ("baker-and-sons", "BakerSons"),
    ("cedar-valley", "CedarValley"),
    ("elan-cafe", "ElanCafe"),
    ("fjord-shipping", "Fjord"),
];
/// A tenant that is mapped and disabled.
const DISABLED: (&str, &str) = ("grove-legal", "GroveLegal");
/// The partner's only contact.
const CONTACT: &str = "oncall@northwind.example";
const UNMAPPED: &str = "harbor-hotel";

/// A partner that was set up through its page.
#[derive(Debug)]
pub struct SeededPartner {
    pub partner: PartnerId,
    pub source: SourceId,
    pub webhook_secret: String,
    /// Mapped and enabled.
    pub tenants: Vec<TenantId>,
    /// Mapped and disabled.
    pub disabled: TenantId,
    pub unmapped: TenantId,
    /// The page, still signed in.
    pub page: PartnerPage,
}

/// Sets up the first partner, at the stack's own site.
pub async fn seed(stack: &EmptyStack) -> Result<SeededPartner> {
    let partner = PartnerId::parse(PARTNER)?;
    set_up_partner(stack, partner, &stack.simulator).await
}

/// Sets up a partner with a source: the operator creates both, and a person at the partner uses
/// the page.
///
/// # Errors
/// When a step is refused, or the site lacks a record that the seed names.
pub async fn set_up_partner(
    stack: &EmptyStack,
    partner: PartnerId,
    site: &SimulatorProcess,
) -> Result<SeededPartner> {
    let operator = &stack.operator;
    operator
        .put_partner(&partner, "Northwind Managed IT")
        .await?;
    let source = operator.new_source("Demo", &partner).await?;
    let page = PartnerPage::open(&operator.new_link(&partner).await?).await?;

    let keys = &site.integration;
    let connection = json!({
        "site": site.origin(),
        "company_id": keys.company_id,
        "public_key": keys.public_key,
        "private_key": keys.private_key,
    });
    page.save("connection", &connection).await?;
    let department = "Professional Services";
    let board = json!({
        "location": id_of(site, "/system/locations", "name", "Springfield").await?,
        "department": id_of(site, "/system/departments", "name", department).await?,
        "team_lead": id_of(site, "/system/members", "identifier", "TSmith").await?,
    });
    let boards = json!({
        "operations": board,
        "cyber_alerts": board,
        "version": page.get("boards").await?["boards_version"],
        "reviewed": true,
    });
    page.post("boards-dedicated", &boards).await?;
    page.finish("boards-progress").await?;
    let form = ticket_form(&page, &priorities(site).await?).await?;
    page.post("tickets", &form).await?;

    let mut tenants = Vec::new();
    for (tenant, company) in MAPPED {
        let tenant = TenantId::parse(tenant)?;
        page.map(&tenant, company_id(site, company).await?, true)
            .await?;
        tenants.push(tenant);
    }
    let disabled = TenantId::parse(DISABLED.0)?;
    page.map(&disabled, company_id(site, DISABLED.1).await?, false)
        .await?;
    // Nobody reads mails to the seeded partner, so the operator sets the contact.
    operator.set_contact(&partner, CONTACT).await?;
    page.save("confirm", &json!({})).await?;

    Ok(SeededPartner {
        partner,
        source: source.id,
        webhook_secret: source.secret,
        tenants,
        disabled,
        unmapped: TenantId::parse(UNMAPPED)?,
        page,
    })
}

/// The form of the page "tickets" as it is prefilled, with priorities that a person chooses.
async fn ticket_form(
    page: &PartnerPage,
    priorities: &BTreeMap<Severity, RecordId>,
) -> Result<Value> {
    let shown = page.get("tickets").await?;
    let mut form = json!({
        "on": [],
        "priorities": priorities,
        "note_interval_minutes": shown["note_interval_minutes"],
        "notes_for_customers": shown["notes_for_customers"],
        "lowers_priority": shown["lowers_priority"],
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

/// Many partners that share one source.
#[derive(Debug)]
pub struct PartnerFleet {
    /// Each of its events names the partner.
    pub source: SourceId,
    pub webhook_secret: String,
    pub partners: Vec<PartnerId>,
    /// The partner at the other site.
    pub other: PartnerId,
    /// The one tenant of each partner.
    pub tenant: TenantId,
}

/// Creates partners with a connection each. The one in the middle is at `other_site`, the others
/// are at the stack's own site.
pub async fn seed_fleet(
    stack: &EmptyStack,
    partners: usize,
    other_site: &SimulatorProcess,
) -> Result<PartnerFleet> {
    let seeder = Seeder::new(&stack.emulator, &stack.deployed)?;
    let webhook_secret = format!("whsec_{}", STANDARD.encode(random_bytes::<32>()?));
    let names = (0..partners).map(|number| PartnerId::parse(format!("partner-{number:03}")));
    let partners = names.collect::<Result<Vec<_>, _>>()?;
    let other = partners
        .get(partners.len() / 2)
        .context("the fleet has no partners")?;
    let fleet = PartnerFleet {
        source: seeder.new_source_id().await?,
        tenant: TenantId::parse(MAPPED[0].0)?,
        other: other.clone(),
        partners,
        webhook_secret,
    };
    seeder.put_source(&fleet).await?;
    // The sites have the same records, with the same ids.
    let settings = settings(&stack.simulator).await?;
    let mapping = Mapping {
        company: Some(company_id(&stack.simulator, MAPPED[0].1).await?),
        enabled: true,
        name: Some(MAPPED[0].1.to_owned()),
        ..Mapping::default()
    };
    for partner in &fleet.partners {
        let site = if *partner == fleet.other {
            other_site
        } else {
            &stack.simulator
        };
        seeder.put_connection(partner, site).await?;
        seeder.config.settings.put(partner, &settings).await?;
        seeder
            .config
            .tenants
            .put(partner, &fleet.tenant, &mapping)
            .await?;
    }
    Ok(fleet)
}

/// Gives a partner a connection to `site` and default settings.
pub async fn seed_connection(
    stack: &EmptyStack,
    partner: &PartnerId,
    site: &SimulatorProcess,
) -> Result<()> {
    let seeder = Seeder::new(&stack.emulator, &stack.deployed)?;
    seeder.put_connection(partner, site).await?;
    let settings = settings(&stack.simulator).await?;
    seeder.config.settings.put(partner, &settings).await?;
    Ok(())
}

/// Writes to the tables and secrets of a stack, under the names that the functions use.
struct Seeder<'a> {
    config: ConfigTable,
    access: AccessTable,
    secrets: aws_sdk_secretsmanager::Client,
    secret_writer: aws::secret_writer::SecretWriter,
    deployed: &'a DeployedStack,
}

impl<'a> Seeder<'a> {
    fn new(emulator: &Emulator, deployed: &'a DeployedStack) -> Result<Self> {
        let aws = sdk_config(emulator.endpoint())?;
        Ok(Self {
            config: ConfigTable::new(&aws, deployed.config_table.clone()),
            access: AccessTable::new(&aws, deployed.access_table.clone()),
            secrets: aws_sdk_secretsmanager::Client::new(&aws),
            secret_writer: aws::secret_writer::SecretWriter::new(&aws),
            deployed,
        })
    }

    async fn new_source_id(&self) -> Result<SourceId> {
        let prefix = self.deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
        let new_key = Secret::new(random_name(32)?);
        let keys = self.secret_writer.source_keys(prefix, &new_key).await?;
        Ok(keys.id(random_bytes()?))
    }

    async fn put_source(&self, fleet: &PartnerFleet) -> Result<()> {
        let document = SourceDocument {
            partners: fleet.partners.clone(),
            enabled: true,
            secrets: vec![SourceSecret {
                value: Secret::new(&fleet.webhook_secret),
                not_after: None,
            }],
            ..SourceDocument::default()
        };
        let prefix = self.deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
        let text = serde_json::to_string(&document)?;
        self.put_secret(format!("{prefix}{}", fleet.source), text)
            .await
    }

    async fn put_connection(&self, partner: &PartnerId, site: &SimulatorProcess) -> Result<()> {
        let keys = &site.integration;
        let secret = ConnectionSecret {
            origin: site.origin().to_owned(),
            company_id: keys.company_id.clone(),
            public_key: keys.public_key.clone(),
            private_key: Secret::new(&keys.private_key),
            client_id: None,
        };
        let prefix = self
            .deployed
            .variable("tickets", "CONNECTION_SECRET_PREFIX")?;
        let text = serde_json::to_string(&secret)?;
        self.put_secret(format!("{prefix}{partner}"), text).await?;
        let connection = Connection {
            origin: site.origin().to_owned(),
            company_id: keys.company_id.clone(),
            epoch: 1,
            confirmed: true,
            confirmed_at: None,
            suspended: false,
        };
        self.access.connections.put(partner, &connection).await?;
        Ok(())
    }

    async fn put_secret(&self, name: String, text: String) -> Result<()> {
        let create = self.secrets.create_secret().name(&name).secret_string(text);
        create
            .send()
            .await
            .with_context(|| format!("cannot create the secret {name}"))?;
        Ok(())
    }
}

async fn priorities(site: &SimulatorProcess) -> Result<BTreeMap<Severity, RecordId>> {
    let mut priorities = BTreeMap::new();
    for (severity, name) in [
        (Severity::Critical, "Priority 1 - Critical"),
        (Severity::High, "Priority 2 - High"),
        (Severity::Medium, "Priority 3 - Medium"),
        (Severity::Low, "Priority 4 - Low"),
        (Severity::Informational, "Priority 4 - Low"),
    ] {
        let id = id_of(site, "/service/priorities", "name", name).await?;
        priorities.insert(severity, id);
    }
    Ok(priorities)
}

async fn settings(site: &SimulatorProcess) -> Result<Settings> {
    let operations = board(site, Category::Operations, "Operations", OnResolve::Close);
    let cyber_alerts = board(site, Category::CyberAlerts, "Cyber Alerts", OnResolve::Note);
    Ok(Settings {
        operations: operations.await?,
        cyber_alerts: cyber_alerts.await?,
        priorities: priorities(site).await?,
        ..Settings::default()
    })
}

async fn board(
    site: &SimulatorProcess,
    category: Category,
    name: &str,
    on_resolve: OnResolve,
) -> Result<BoardTarget> {
    let board = id_of(site, "/service/boards", "name", name).await?;
    let statuses = format!("/service/boards/{board}/statuses");
    let board_types = format!("/service/boards/{board}/types");
    let mut types = BTreeMap::new();
    for (kind, _, type_name) in BUILT_IN.into_iter().filter(|(_, of, _)| *of == category) {
        let id = id_of(site, &board_types, "name", type_name).await?;
        types.insert(Kind::parse(kind)?, id);
    }
    Ok(BoardTarget {
        board: Some(board),
        start_status: Some(id_of(site, &statuses, "name", "New").await?),
        closing_status: Some(id_of(site, &statuses, "name", ">Closed").await?),
        types,
        on_resolve,
        ..BoardTarget::default()
    })
}

async fn company_id(site: &SimulatorProcess, identifier: &str) -> Result<RecordId> {
    id_of(site, "/company/companies", "identifier", identifier).await
}

/// The id of the record in a list whose member has this value.
async fn id_of(site: &SimulatorProcess, list: &str, member: &str, value: &str) -> Result<RecordId> {
    let records = site.get(list, &[("pageSize", "1000")]).await?;
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
        .context("the system's random generator failed")?;
    Ok(bytes)
}

/// A name of lower-case letters and digits, as ids use them. There are 32 of them, so each byte
/// maps to one without bias.
fn random_name(length: usize) -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes = random_bytes::<32>()?;
    Ok(bytes
        .iter()
        .take(length)
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}
