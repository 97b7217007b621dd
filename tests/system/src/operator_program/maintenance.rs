//! The commands `ticketbridge maintenance`.

use anyhow::{Result, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::ProgramTest;

/// No alert of the test has such a device, so the window holds none.
const DEVICES: &str = "PATCHED-*";

impl ProgramTest<'_> {
    /// A window that is running is added, listed and ended.
    pub(super) async fn maintenance(&mut self) -> Result<()> {
        let program = &self.program;
        let list = ["maintenance", "list", "northwind"];
        let none = program.json(&list).await?;
        ensure!(none["windows"] == json!([]), "{none}");
        // The minute that is passing.
        let now = TimeZone::UTC.to_datetime(Timestamp::now());
        let starts = now.strftime("%Y-%m-%dT%H:%M").to_string();
        let add = [
            "maintenance",
            "add",
            "northwind",
            "patches",
            "--starts",
            &starts,
            "--zone",
            "UTC",
            "--device",
            DEVICES,
        ];
        let wrong = [&add[..], &["--minutes", "0"]].concat();
        program.fails(1, "--minutes", &wrong).await?;
        let add = [&add[..], &["--minutes", "240", "--name", "Patch night"]].concat();
        let added = program.json(&add).await?;
        ensure!(added["id"] == "patches", "{added}");
        let listed = program.json(&list).await?;
        ensure!(listed["windows"] == json!([added]), "{listed}");
        ensure!(added["definition"]["name"] == "Patch night", "{added}");
        ensure!(is_running(&added, Timestamp::now())?, "{added}");
        let end = ["maintenance", "end", "northwind", "patches"];
        // The repetition changes nothing.
        for _ in 0..2 {
            let ended = program.json(&end).await?;
            ensure!(ended["running"] == false, "{ended}");
        }
        let listed = program.json(&list).await?;
        let window = &listed["windows"][0];
        ensure!(window["id"] == "patches", "{listed}");
        ensure!(window["definition"]["ended_at"].is_string(), "{listed}");
        ensure!(window["next"] == json!([]), "it is not over: {listed}");
        let unknown = ["maintenance", "end", "northwind", "unknown"];
        program.fails(1, "There is no", &unknown).await?;
        self.passed("maintenance: list, add, end");
        Ok(())
    }
}

/// Whether the next occurrence of a window began and has not ended.
fn is_running(window: &Value, now: Timestamp) -> Result<bool> {
    let next = &window["next"][0];
    let [starts, ends] = ["starts_at", "ends_at"].map(|member| next[member].as_str());
    let (starts, ends) = (starts.unwrap_or_default(), ends.unwrap_or_default());
    Ok(starts.parse::<Timestamp>()? <= now && now < ends.parse::<Timestamp>()?)
}
