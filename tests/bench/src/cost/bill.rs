//! A bill: what is charged, how much of it, and what it costs.

use local_stack::capacity::Units;

use super::prices::Charge;

/// MB of memory with which a function gets a whole processor. With less it gets that share.
const PROCESSOR: f64 = 1769.0;
/// Seconds of a call of ConnectWise, and of one of AWS: assumed, since neither runs here.
const CONNECTWISE_CALL: f64 = 0.5;
const AWS_CALL: f64 = 0.005;
/// Bytes of the headers and TLS records of a call to ConnectWise: assumed.
const CALL_HEADERS: f64 = 1000.0;

/// The memory of a function, in MB. A test compares both with the template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory(pub(super) f64);

pub(super) const MEMORY: Memory = Memory(256.0);
pub(super) const TICKETS_MEMORY: Memory = Memory(128.0);

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

    /// The GB-seconds that Lambda charges, if this many calls run at the same time.
    pub(super) fn gigabyte_seconds(&self, memory: Memory, concurrent_calls: f64) -> f64 {
        let calls = self.connectwise_calls * CONNECTWISE_CALL + self.aws_calls * AWS_CALL;
        let seconds = self.cpu * PROCESSOR / memory.0 + calls / concurrent_calls;
        seconds * memory.0 / 1024.0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_have_this_memory() {
        let template = include_str!("../../../../infra/template.yaml");
        let (all, tickets) = template.split_once("\n  TicketsFunction:").unwrap();
        let tickets = tickets.split("Function:\n").next().unwrap();
        for (part, memory) in [(all, MEMORY), (tickets, TICKETS_MEMORY)] {
            let sizes = part
                .lines()
                .filter_map(|line| line.trim().strip_prefix("MemorySize: "));
            let sizes: Vec<f64> = sizes.map(|size| size.parse().unwrap()).collect();
            assert_eq!(sizes, [memory.0]);
        }
        assert_eq!(template.matches("MemorySize").count(), 2);
    }

    #[test]
    fn less_memory_makes_computing_slower_and_waiting_cheaper() {
        let cost = |cpu, connectwise_calls, memory| {
            let usage = Usage {
                cpu,
                connectwise_calls,
                ..Usage::default()
            };
            usage.gigabyte_seconds(memory, 1.0)
        };
        let is = |cost: f64, expected: f64| (cost - expected).abs() < 1e-9;
        assert!(is(cost(0.0, 2.0, MEMORY), 0.25));
        assert!(is(cost(0.0, 2.0, TICKETS_MEMORY), 0.125));
        assert!(is(cost(0.1, 0.0, MEMORY), cost(0.1, 0.0, TICKETS_MEMORY)));
    }
}
