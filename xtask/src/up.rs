//! `cargo xtask up`: runs the whole stack until Ctrl-C.

use std::future;

use anyhow::Result;
use local_stack::empty_stack::StackTimes;
use local_stack::stack::Stack;
use local_stack::stack_file::StackFile;

/// Starts the stack, prints its addresses, and keeps it running.
pub(crate) async fn run() -> Result<()> {
    let stack = Stack::start("up", StackTimes::DEMO).await?;
    let link = stack.operator.new_link(&stack.seeded.partner).await?;
    let file = StackFile::write(&stack)?;
    let seeded = &stack.seeded;
    let tenants = seeded.tenants.iter().map(domain::TenantId::as_str);
    let tenants = tenants.collect::<Vec<_>>().join(", ");
    let lines = [
        ("webhook", stack.webhook_url()),
        (
            "ConnectWise",
            format!(
                "{}   (a page that shows the tickets)",
                stack.simulator.origin()
            ),
        ),
        (
            "AWS",
            format!(
                "{}   (AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test)",
                stack.emulator.endpoint()
            ),
        ),
        (
            "mail",
            format!("{}   (sent mails)", stack.emulator.mail_url()),
        ),
        ("set-up", link),
        (
            "",
            format!(
                "the page of {}; the link works once, within 24 hours",
                seeded.partner
            ),
        ),
        (
            "operator",
            format!(
                "{}   (sign for execute-api; keys in stack.json)",
                stack.operator.url()
            ),
        ),
        (
            "receiver",
            format!(
                "{}   (where a webhook of a source may be received; nothing listens yet)",
                stack.receiver_origin
            ),
        ),
        ("tenants", tenants),
        (
            "",
            format!(
                "{} (disabled), {} (not mapped)",
                seeded.disabled, seeded.unmapped
            ),
        ),
        ("all of these", file.json().display().to_string()),
        (
            "variables",
            format!(
                "{}   (for cargo lambda watch --invoke-address 127.0.0.1 --env-file)",
                file.env().display()
            ),
        ),
    ];
    println!();
    for (name, value) in lines {
        println!("{name:12}  {value}");
    }
    println!(
        "\nRaise an alert, and watch the ConnectWise page:\n\n{}\n",
        curl(&stack)
    );
    println!("Ctrl-C stops everything.");
    // The signal drops this future.
    future::pending().await
}

/// A signed event as a shell command.
fn curl(stack: &Stack) -> String {
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
