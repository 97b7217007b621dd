//! The pages of `docs/sources`, made of the presets and of the samples in `events/sources`. A test
//! compares them with the committed ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use domain::alert::event::{AlertChange, Event};
use domain::source::authentication::{Authentication, HmacScheme};
use domain::source::mapping::apply::map;
use domain::source::presets::{self, Placeholders, Preset};
use domain::wire::message::Message;
use domain::wire::webhook::{RequestTimes, SourcePolicy, parse};
use domain::{PartnerId, SourceId};

const COMMAND: &str = "cargo run -p domain --example source_pages";

/// The folder of the pages.
pub(crate) fn folder() -> PathBuf {
    root().join("docs/sources")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns each page by the name of its file.
pub(crate) fn pages() -> io::Result<BTreeMap<String, String>> {
    let mut newest: Vec<Preset> = vec![];
    for preset in presets::all() {
        match newest.iter_mut().find(|known| known.name == preset.name) {
            Some(known) if known.version < preset.version => *known = preset,
            Some(_) => {}
            None => newest.push(preset),
        }
    }
    let mut pages = BTreeMap::from([("README.md".to_owned(), index(&newest))]);
    for preset in &newest {
        pages.insert(format!("{}.md", preset.name), page(preset)?);
    }
    Ok(pages)
}

fn index(presets: &[Preset]) -> String {
    let mut text = lines(&[
        "# Sources that are known",
        "",
        "A preset connects a known product.",
        "It has the authentication, the mapping, the kinds of alerts and the steps.",
        "A page below shows what to do at the product, and what becomes of its messages.",
        "[How mappings work](../design/sources.md) says how to connect another product.",
        "",
        "| source | authentication | secret | an alert ends |",
        "|---|---|---|---|",
    ]);
    for preset in presets {
        let secret = match preset.has_vendor_secret {
            true => "issued by the product",
            false => "issued by Ticketbridge",
        };
        row(
            &mut text,
            &[
                &format!("[{}]({}.md)", preset.title, preset.name),
                &authentication(&preset.authentication),
                secret,
                &end(preset),
            ],
        );
    }
    let _ = write!(text, "\nThese pages are generated: `{COMMAND}`.\n");
    text
}

/// How an alert of this source ends.
fn end(preset: &Preset) -> String {
    let hours = preset
        .mapping()
        .and_then(|mapping| mapping.expires_after_hours);
    let has_resolve = serde_json::to_string(&preset.mapping())
        .is_ok_and(|text| text == "null" || text.contains(r#""then":"resolved""#));
    match (has_resolve, hours) {
        (true, None) => "when the source reports it".to_owned(),
        (true, Some(hours)) => {
            format!("when the source reports it, or after {hours} hours without a repeat")
        }
        (false, Some(hours)) => format!("after {hours} hours without a repeat"),
        (false, None) => "when a person closes the ticket".to_owned(),
    }
}

fn authentication(authentication: &Authentication) -> String {
    match authentication {
        Authentication::StandardWebhooks { .. } => "Standard Webhooks signature".to_owned(),
        Authentication::Hmac(HmacScheme { header, .. }) => format!("HMAC in the header `{header}`"),
        Authentication::Header { header } => format!("header `{header}`"),
        Authentication::Bearer => "bearer token".to_owned(),
        Authentication::Basic => "user and password".to_owned(),
        Authentication::Query { parameter } => format!("query parameter `{parameter}`"),
        Authentication::BodyMember { at } => format!("member `{at}` of the body"),
    }
}

fn page(preset: &Preset) -> io::Result<String> {
    let mut text = lines(&[
        &format!("# {}", preset.title),
        "",
        &format!(
            "Preset `{}`, version {}. Authentication: {}. Response: {}.",
            preset.name,
            preset.version,
            authentication(&preset.authentication),
            preset.response.status
        ),
        &format!("An alert ends {}.", end(preset)),
    ]);
    if let Some(reference) = &preset.reference {
        let _ = writeln!(text, "The product's own description: <{reference}>.");
    }
    text += "\n## Steps\n\n";
    text += &lines(match preset.has_vendor_secret {
        true => &[
            "Replace `SOURCE-URL` by the address of the source, which the page shows.",
            "",
        ],
        false => &[
            "Replace `SOURCE-URL` by the address of the source, and `SECRET` by its secret.",
            "The page shows both.",
            "",
        ],
    });
    let values = Placeholders {
        url: "SOURCE-URL",
        secret: "SECRET",
    };
    for (number, step) in preset.steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {}", number + 1, preset.fill(step, values));
    }
    if let Some(paste) = &preset.paste {
        let paste = preset.fill(paste, values);
        let _ = write!(text, "\n```text\n{}\n```\n", paste.trim_end());
    }
    if !preset.kinds_added.is_empty() {
        text += "\n## Kinds\n\nBesides the built-in kinds, its alerts have these:\n\n";
        text += "| kind | board | ticket type |\n|---|---|---|\n";
        for kind in &preset.kinds_added {
            let board = match kind.category {
                domain::alert::kind::Category::Operations => "operations",
                domain::alert::kind::Category::CyberAlerts => "cyber alerts",
            };
            row(&mut text, &[kind.kind.as_str(), board, &kind.type_name]);
        }
    }
    text += "\n## Messages\n\n";
    text += "| message | becomes | tenant | alert | severity, kind | title |\n";
    text += "|---|---|---|---|---|---|\n";
    for (file, body) in samples(preset)? {
        let link = format!(
            "[{}](../../events/sources/{}/{file})",
            name(&file).replace('_', " "),
            preset.name
        );
        for cells in outcomes(preset, &body) {
            let mut columns: Vec<&str> = vec![&link];
            columns.extend(cells.iter().map(String::as_str));
            row(&mut text, &columns);
        }
    }
    if !preset.remarks.is_empty() {
        text += "\n## Remarks\n\n";
        for remark in &preset.remarks {
            let _ = writeln!(text, "- {remark}");
        }
    }
    let _ = write!(text, "\nThis page is generated: `{COMMAND}`.\n");
    Ok(text)
}

/// The name of a sample's file without its end.
fn name(file: &str) -> &str {
    file.split_once('.').map_or(file, |(name, _)| name)
}

/// The samples in the order of an alert's life, then the others. Each has the name of its file.
fn samples(preset: &Preset) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut samples = vec![];
    for entry in std::fs::read_dir(root().join("events/sources").join(&preset.name))? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str());
        samples.push((file.unwrap_or_default().to_owned(), std::fs::read(&path)?));
    }
    let life = ["raised", "repeat", "updated", "resolved", "ping", "ignored"];
    samples.sort_by_key(|(file, _)| {
        let place = life.iter().position(|known| *known == name(file));
        (place.unwrap_or(life.len()), file.clone())
    });
    Ok(samples)
}

/// The cells of each outcome of a body: what it becomes, tenant, alert, severity and kind, title.
fn outcomes(preset: &Preset, body: &[u8]) -> Vec<[String; 5]> {
    let received_at = jiff::Timestamp::from_second(1_795_334_400).unwrap_or_default();
    let times = RequestTimes {
        sent_at: received_at,
        received_at,
    };
    let (Ok(source), Ok(partner)) = (
        SourceId::parse("src_0123456789abcdefghijklmnop"),
        PartnerId::parse("woodgrove"),
    ) else {
        return vec![];
    };
    let policy = SourcePolicy {
        source,
        partners: vec![partner],
        kinds_added: preset.kinds_added.clone(),
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    };
    let only = |text: String| {
        [
            text,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]
    };
    let Some(mapping) = preset.mapping() else {
        let messages = parse(body, &policy, times).map(|parsed| parsed.messages);
        let messages = messages.unwrap_or_default().into_iter();
        return messages
            .filter_map(|message| {
                if let Message::Event(event) = message {
                    Some(cells(&event))
                } else {
                    None
                }
            })
            .collect();
    };
    let mapped = map(body, mapping, &policy, times);
    let mut outcomes: Vec<[String; 5]> = mapped.events.iter().map(cells).collect();
    for unmapped in &mapped.unmapped {
        let error = &unmapped.error;
        outcomes.push(only(format!(
            "quarantined: `{}`: {}",
            error.field, error.problem
        )));
    }
    if mapped.ignored > 0 {
        outcomes.push(only("ignored".to_owned()));
    }
    if mapped.is_ping {
        outcomes.push(only("test message, answered".to_owned()));
    }
    outcomes
}

fn cells(event: &Event) -> [String; 5] {
    let (change, now) = match &event.change {
        AlertChange::Raised(now) => ("raised", Some(now)),
        AlertChange::Updated(now) => ("updated", Some(now)),
        AlertChange::Resolved => ("resolved", None),
    };
    let tenant_name = now.and_then(|now| now.payload.tenant_name.as_deref());
    let tenant = match tenant_name {
        Some(name) => format!("{} ({name})", event.key.tenant),
        None => event.key.tenant.to_string(),
    };
    let grade = now.map(|now| format!("{}, {}", now.severity, now.kind));
    [
        format!("{change} at {}", event.occurred_at.strftime("%H:%M")),
        tenant,
        short(event.key.alert_id.as_str()),
        grade.unwrap_or_default(),
        now.map(|now| now.payload.title.clone()).unwrap_or_default(),
    ]
}

/// The end of an id, as far as a column shows it.
fn short(id: &str) -> String {
    match id.char_indices().rev().nth(39) {
        Some((start, _)) if start > 0 => format!("…{}", &id[start..]),
        Some(_) | None => id.to_owned(),
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn lines(lines: &[&str]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}
