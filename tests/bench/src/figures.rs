//! The figures of a run: printed, written to `target/bench/report.json`, and compared with the
//! committed ones.

use std::collections::BTreeMap;
use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use local_stack::environment;
use local_stack::table;
use serde::Serialize;

use crate::Use;

/// The committed figures, from the repository's root.
const REFERENCE: &str = "tests/bench/reference.json";
/// How much worse than the committed figure a figure may be.
const TOLERANCE: f64 = 1.15;

/// The figures of a run, by name.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    measured_at: Timestamp,
    cpus: usize,
    /// The mean number of runnable processes in the minute before the run, and before its end.
    load: Vec<f64>,
    figures: BTreeMap<String, Figure>,
}

#[derive(Debug, Clone, Serialize)]
struct Figure {
    value: f64,
    unit: &'static str,
    /// The value that it should not exceed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reach: Option<f64>,
    /// Whether it depends so little on the machine that it is compared with the committed figure.
    is_compared: bool,
}

/// A comparison of one figure.
#[derive(Debug, PartialEq)]
struct Regression {
    name: String,
    before: f64,
    now: f64,
}

impl Figures {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self {
            measured_at: Timestamp::now(),
            cpus: available_parallelism()?.get(),
            load: vec![load()?],
            figures: BTreeMap::new(),
        })
    }

    /// Adds a ratio, a count or a size. `--check` compares it.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str, reach: Option<f64>) {
        self.insert(name, value, unit, reach, true);
    }

    /// Adds a time or a memory size, which depends on the machine.
    pub(crate) fn add_uncompared(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        reach: Option<f64>,
    ) {
        self.insert(name, value, unit, reach, false);
    }

    fn insert(
        &mut self,
        name: &str,
        value: f64,
        unit: &'static str,
        reach: Option<f64>,
        is_compared: bool,
    ) {
        let figure = Figure {
            value,
            unit,
            reach,
            is_compared,
        };
        self.figures.insert(name.to_owned(), figure);
    }

    /// Prints the reaches, writes the report, and compares or accepts the figures.
    ///
    /// # Errors
    /// When a file cannot be written, or a figure does not pass the check.
    pub(crate) fn finish(mut self, usage: Use) -> Result<()> {
        self.load.push(load()?);
        self.print_reaches();
        let folder = environment::target("bench");
        fs::create_dir_all(&folder)?;
        let path = folder.join("report.json");
        fs::write(&path, serde_json::to_string_pretty(&self)? + "\n")?;
        let load: Vec<_> = self.load.iter().map(|load| format!("{load:.1}")).collect();
        println!(
            "load before and after: {} on {} CPUs; all figures are in {}",
            load.join(" and "),
            self.cpus,
            path.display()
        );
        match usage {
            Use::Report => Ok(()),
            Use::Check => self.check(),
            Use::Accept => self.accept(),
        }
    }

    fn print_reaches(&self) {
        let head = ["figure", "reach", "measured", ""].map(str::to_owned);
        let mut rows = vec![head];
        for (name, figure) in &self.figures {
            let Some(reach) = figure.reach else {
                continue;
            };
            let verdict = if figure.value <= reach { "" } else { "missed" };
            rows.push([
                name.clone(),
                format!("{reach} {}", figure.unit),
                format!("{:.2}", figure.value),
                verdict.to_owned(),
            ]);
        }
        table::print(&rows);
    }

    fn check(&self) -> Result<()> {
        let path = environment::root().join(REFERENCE);
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| {
            format!("cannot read {REFERENCE}: `cargo xtask bench --accept` writes it")
        })?;
        let reference = serde_json::from_str(&text).with_context(|| REFERENCE.to_owned())?;
        let regressions = self.regressions(&reference);
        if regressions.is_empty() {
            println!("no figure is more than 15 % above {REFERENCE}");
            return Ok(());
        }
        let lines: Vec<_> = regressions
            .iter()
            .map(|Regression { name, before, now }| format!("{name}: {now:.3}, was {before:.3}"))
            .collect();
        bail!(
            "more than 15 % above {REFERENCE}:\n{}\nMeasure again on an idle machine. If the \
             change is meant, `cargo xtask bench --accept` records it.",
            lines.join("\n")
        )
    }

    /// The compared figures that are worse. A figure that was not measured in this run is left out.
    fn regressions(&self, reference: &BTreeMap<String, f64>) -> Vec<Regression> {
        let measured = self.compared();
        let worse = measured.filter_map(|(name, now)| {
            let before = *reference.get(name)?;
            let is_worse = now > before * TOLERANCE;
            is_worse.then(|| Regression {
                name: name.to_owned(),
                before,
                now,
            })
        });
        worse.collect()
    }

    fn compared(&self) -> impl Iterator<Item = (&str, f64)> {
        let compared = self.figures.iter().filter(|(_, figure)| figure.is_compared);
        compared.map(|(name, figure)| (name.as_str(), figure.value))
    }

    /// Replaces the committed figures that were measured in this run.
    fn accept(&self) -> Result<()> {
        let path = environment::root().join(REFERENCE);
        let mut reference: BTreeMap<String, f64> = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).with_context(|| REFERENCE.to_owned())?,
            Err(_) => BTreeMap::new(),
        };
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let measured = self.compared();
        reference.extend(measured.map(|(name, value)| (name.to_owned(), rounded(value))));
        fs::write(&path, serde_json::to_string_pretty(&reference)? + "\n")?;
        println!("{REFERENCE} has the figures of this run");
        Ok(())
    }
}

fn load() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split_whitespace().next();
    Ok(first.context("/proc/loadavg is empty")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_compared_figure_that_is_worse_by_more_than_15_percent_is_a_regression() {
        let mut figures = Figures::start().unwrap();
        figures.add("worse", 1.16, "x", None);
        figures.add("within", 1.14, "x", None);
        figures.add("new", 9.0, "x", None);
        figures.add_uncompared("time", 9.0, "ms", None);
        let reference = ["worse", "within", "time", "not measured"];
        let reference = reference.map(|name| (name.to_owned(), 1.0));
        let regression = Regression {
            name: "worse".to_owned(),
            before: 1.0,
            now: 1.16,
        };
        assert_eq!(figures.regressions(&reference.into()), [regression]);
    }
}
