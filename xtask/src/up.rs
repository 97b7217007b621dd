//! `cargo xtask up`: the whole stack, until it is told to stop.

use std::future;

use anyhow::Result;

use crate::local::stack_file::StackFile;
use crate::local::{Stack, Times};

/// Starts the stack, says where everything is, and stays.
pub(crate) async fn run() -> Result<()> {
    let stack = Stack::start("up", Times::SHOWN).await?;
    let link = stack.operator.new_link(&stack.seeded.partner).await?;
    let file = StackFile::write(&stack)?;
    let tenants: Vec<_> = stack
        .seeded
        .tenants
        .iter()
        .map(domain::TenantId::as_str)
        .collect();
    println!();
    println!("webhook       {}", stack.webhook_url());
    println!(
        "ConnectWise   {}   (a page for people: tickets appear by themselves)",
        stack.simulator.origin()
    );
    println!(
        "AWS           {}   (AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)",
        stack.emulator.endpoint()
    );
    println!(
        "mail          {}   (what was sent)",
        stack.emulator.mail_url()
    );
    println!("set-up        {link}");
    println!(
        "              the page of {}; this link is good once, for 24 hours",
        stack.seeded.partner
    );
    println!(
        "operator      {}   (signed for execute-api; keys in stack.json)",
        stack.operator.url()
    );
    println!("tenants       {}", tenants.join(", "));
    println!(
        "              {} (disabled), {} (not mapped)",
        stack.seeded.disabled, stack.seeded.unmapped
    );
    println!("all of it     {}", file.json().display());
    println!(
        "variables     {}   (for cargo lambda watch --env-file)",
        file.env().display()
    );
    println!();
    println!("Raise an alert and watch the page above:");
    println!();
    println!("{}", next_step(&stack));
    println!();
    println!("Ctrl-C stops everything.");
    // Ended by the signal that drops this future.
    future::pending().await
}

/// A signed event as one copyable command.
fn next_step(stack: &Stack) -> String {
    let tenant = stack
        .seeded
        .tenants
        .first()
        .map_or("", |tenant| tenant.as_str());
    let secret = stack.seeded.webhook_secret.trim_start_matches("whsec_");
    format!(
        r#"body='{{"specversion":"1.0","id":"evt-1","source":"curl","type":"alert.raised","data":{{"tenant":"{tenant}","alert_id":"disk-1","kind":"disk","severity":"high","title":"Disk C: is full","description":"Only 1 GB is left."}}}}'
id=msg_$RANDOM; now=$(date +%s); key=$(printf %s '{secret}' | base64 -d | od -An -vtx1 | tr -d ' \n')
sig=$(printf %s "$id.$now.$body" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64)
curl -i '{url}' -H 'content-type: application/cloudevents+json' -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$sig" -d "$body""#,
        url = stack.webhook_url(),
    )
}
