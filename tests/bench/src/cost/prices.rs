//! The list prices of us-east-1 in USD, without free tiers. `docs/cost.md` repeats them with their
//! sources and date, and a test compares both.

/// What AWS charges for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    ApiRequest,
    LambdaRequest,
    /// A second with a memory of one GB on arm64.
    GigabyteSecond,
    QueueRequest,
    /// In addition, for a request of messages that name a group.
    FairQueue,
    WriteUnit,
    ReadUnit,
    LogByte,
    SentByte,
    Trace,
    SecretRead,
}

impl Charge {
    /// Its row in the document's table of prices: what, the price, and for how much.
    fn row(self) -> (&'static str, &'static str, &'static str) {
        let million = "1,000,000";
        match self {
            Self::ApiRequest => ("HTTP API: requests", "1.00", million),
            Self::LambdaRequest => ("Lambda: requests", "0.20", million),
            Self::GigabyteSecond => ("Lambda: GB-seconds on arm64", "13.3334", million),
            Self::QueueRequest => ("SQS: requests to a standard queue", "0.40", million),
            Self::FairQueue => (
                "SQS: the same for a fair queue, in addition",
                "0.10",
                million,
            ),
            Self::WriteUnit => ("DynamoDB on demand: write units", "0.625", million),
            Self::ReadUnit => ("DynamoDB on demand: read units", "0.125", million),
            Self::LogByte => ("CloudWatch: ingested logs", "0.50", "1 GB"),
            Self::SentByte => ("data sent to the internet", "0.09", "1 GB"),
            Self::Trace => ("X-Ray: recorded traces", "5.00", million),
            Self::SecretRead => ("Secrets Manager: reads", "0.05", "10,000"),
        }
    }

    /// USD for one.
    pub(super) fn price(self) -> f64 {
        let (_, price, amount) = self.row();
        let amount = match amount {
            "1,000,000" => 1e6,
            "10,000" => 1e4,
            _ => 1e9,
        };
        // A test parses all prices.
        price.parse::<f64>().unwrap_or(f64::NAN) / amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Charge; 11] = [
        Charge::ApiRequest,
        Charge::LambdaRequest,
        Charge::GigabyteSecond,
        Charge::QueueRequest,
        Charge::FairQueue,
        Charge::WriteUnit,
        Charge::ReadUnit,
        Charge::LogByte,
        Charge::SentByte,
        Charge::Trace,
        Charge::SecretRead,
    ];

    #[test]
    fn the_document_has_these_prices() {
        let document = include_str!("../../../../docs/cost.md");
        for charge in ALL {
            let (what, price, amount) = charge.row();
            let row = format!("| {what} | {price} for {amount} |");
            assert!(document.contains(&row), "docs/cost.md has no row {row}");
            assert!(charge.price() > 0.0, "{what}");
        }
    }

    #[test]
    fn a_price_is_for_one() {
        for (charge, amount, usd) in [
            (Charge::LambdaRequest, 1e6, 0.2),
            (Charge::SecretRead, 5840.0, 0.0292),
            (Charge::LogByte, 2e9, 1.0),
        ] {
            let cost = charge.price() * amount;
            assert!((cost - usd).abs() < 1e-9, "{charge:?}: {cost}");
        }
    }
}
