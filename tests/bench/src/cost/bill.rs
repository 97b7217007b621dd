//! A bill: what is charged, how much of it, and what it costs.

use local_stack::capacity::Units;

use super::prices::Charge;

/// Memory of each function in the template, in GB.
const MEMORY: f64 = 0.25;
/// The share of a processor that 256 MB get: a whole one comes with 1,769 MB.
const PROCESSOR_SHARE: f64 = 256.0 / 1769.0;
/// Seconds of a call of ConnectWise, and of one of AWS: assumed, since neither runs here.
const CONNECTWISE_CALL: f64 = 0.5;
const AWS_CALL: f64 = 0.005;
/// Bytes of the headers and TLS records of a call to ConnectWise: assumed.
const CALL_HEADERS: f64 = 1000.0;

/// What one piece of work needs: an event, or a partner's run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Usage {
    /// Seconds of a whole processor.
    pub(super) cpu: f64,
    pub(super) connectwise_calls: f64,
    /// Bytes of their bodies.
    pub(super) connectwise_bytes: f64,
    /// Calls of AWS, one after the other.
    pub(super) aws_calls: f64,
    pub(super) units: Units,
    pub(super) log_bytes: f64,
}

impl Usage {
    pub(super) fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.connectwise_calls += other.connectwise_calls;
        self.connectwise_bytes += other.connectwise_bytes;
        self.aws_calls += other.aws_calls;
        self.units.add(&other.units);
        self.log_bytes += other.log_bytes;
    }

    pub(super) fn for_each(&self, count: f64) -> Self {
        Self {
            cpu: self.cpu / count,
            connectwise_calls: self.connectwise_calls / count,
            connectwise_bytes: self.connectwise_bytes / count,
            aws_calls: self.aws_calls / count,
            units: self.units.for_each(count),
            log_bytes: self.log_bytes / count,
        }
    }

    /// The seconds that Lambda charges, if this many calls run at the same time.
    pub(super) fn seconds(&self, concurrent_calls: f64) -> f64 {
        let calls = self.connectwise_calls * CONNECTWISE_CALL + self.aws_calls * AWS_CALL;
        self.cpu / PROCESSOR_SHARE + calls / concurrent_calls
    }

    pub(super) fn sent_bytes(&self) -> f64 {
        self.connectwise_bytes + self.connectwise_calls * CALL_HEADERS
    }
}

/// The lines of a bill, with the USD of each.
#[derive(Debug, Default)]
pub(super) struct Bill {
    pub(super) lines: Vec<(&'static str, f64)>,
}

impl Bill {
    /// Adds this many of what is charged.
    pub(super) fn add(&mut self, name: &'static str, charge: Charge, count: f64) {
        self.lines.push((name, charge.price() * count));
    }

    pub(super) fn add_seconds(&mut self, name: &'static str, seconds: f64) {
        self.add(name, Charge::GigabyteSecond, seconds * MEMORY);
    }

    pub(super) fn add_units(&mut self, units: &Units, times: f64) {
        let writes = units.write * times;
        self.add("DynamoDB: writes of tables", Charge::WriteUnit, writes);
        let writes = units.all_index_writes() * times;
        self.add("DynamoDB: writes of indexes", Charge::WriteUnit, writes);
        self.add("DynamoDB: reads", Charge::ReadUnit, units.read * times);
    }

    pub(super) fn sum(&self) -> f64 {
        self.lines.iter().map(|(_, usd)| usd).sum()
    }
}
