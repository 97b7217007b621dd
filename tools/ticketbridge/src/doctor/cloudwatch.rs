//! Reads CloudWatch by its JSON protocol. The SDK's crate for it brings a second HTTP library and
//! a licence that is not on the project's list, for two calls.

use anyhow::{Context as _, Result, bail};
use aws::signing::Signer;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http_client;
use crate::target::TargetStack;

/// The name of CloudWatch's API, with its version.
const API: &str = "GraniteServiceVersion20100801";

pub(super) struct CloudWatch {
    http: reqwest::Client,
    url: String,
    signer: Signer,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricAlarm {
    pub(super) alarm_name: String,
    #[serde(default)]
    pub(super) alarm_description: String,
    pub(super) state_value: String,
    #[serde(default = "default_true")]
    pub(super) actions_enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datapoint {
    /// Seconds since 1970.
    timestamp: f64,
    maximum: Option<f64>,
}

/// A metric of one queue, and the time in which it is read.
pub(super) struct QueueMetric<'a> {
    pub(super) name: &'a str,
    pub(super) queue: &'a str,
    /// In seconds since 1970.
    pub(super) begin: i64,
    pub(super) end: i64,
    /// In seconds.
    pub(super) period: u32,
}

fn default_true() -> bool {
    true
}

impl CloudWatch {
    pub(super) async fn open(target: &TargetStack) -> Result<Self> {
        let region = target.region()?;
        let url = match target.aws.endpoint_url() {
            Some(url) => format!("{}/", url.trim_end_matches('/')),
            None => endpoint(&region),
        };
        Ok(Self {
            http: http_client::create(&url)?,
            signer: Signer {
                credentials: target.credentials().await?,
                region,
                service: "monitoring",
            },
            url,
        })
    }

    /// Reads the alarms with these names, at most 100.
    pub(super) async fn alarms(&self, names: &[String]) -> Result<Vec<MetricAlarm>> {
        let body = json!({ "AlarmNames": names, "MaxRecords": 100 });
        let mut answer = self.call("DescribeAlarms", &body).await?;
        let alarms: Option<Vec<MetricAlarm>> =
            serde_json::from_value(answer["MetricAlarms"].take())?;
        Ok(alarms.unwrap_or_default())
    }

    /// The newest maximum of a metric; `None` if CloudWatch has no figure.
    pub(super) async fn newest_maximum(&self, of: &QueueMetric<'_>) -> Result<Option<f64>> {
        let body = json!({
            "Namespace": "AWS/SQS",
            "MetricName": of.name,
            "Dimensions": [{ "Name": "QueueName", "Value": of.queue }],
            "StartTime": of.begin,
            "EndTime": of.end,
            "Period": of.period,
            "Statistics": ["Maximum"],
        });
        let mut answer = self.call("GetMetricStatistics", &body).await?;
        let points: Option<Vec<Datapoint>> = serde_json::from_value(answer["Datapoints"].take())?;
        let newest = points
            .unwrap_or_default()
            .into_iter()
            .max_by(|one, other| one.timestamp.total_cmp(&other.timestamp));
        Ok(newest.and_then(|point| point.maximum))
    }

    async fn call(&self, action: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        let method = Method::POST;
        let mut request = self
            .http
            .post(&self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{API}.{action}"));
        let signature = self
            .signer
            .headers(method.as_str(), &self.url, body.as_bytes())?;
        for (name, value) in signature {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{status}: {text}");
        }
        serde_json::from_str(&text).context("the answer is not JSON")
    }
}

/// AWS's own address.
fn endpoint(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://monitoring.{region}.amazonaws.com{suffix}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_its_address() {
        assert_eq!(
            endpoint("eu-central-1"),
            "https://monitoring.eu-central-1.amazonaws.com/"
        );
        assert_eq!(
            endpoint("cn-north-1"),
            "https://monitoring.cn-north-1.amazonaws.com.cn/"
        );
    }
}
