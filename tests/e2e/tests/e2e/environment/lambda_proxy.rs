//! A proxy that replaces Lambda, which the emulator does not run functions in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_types::SdkConfig;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A proxy to the emulator that answers Lambda's calls itself, and that can lose calls about one
/// partner.
#[derive(Clone)]
pub(crate) struct LambdaProxy {
    url: String,
    aws: SdkConfig,
    emulator: String,
    /// The invocations that were requested: function with invocation type, and payload.
    pub(crate) invocations: Arc<Mutex<Vec<(String, Value)>>>,
    lambda_answers: u16,
    /// Requests that contain both texts are never answered.
    lost: Option<[&'static str; 2]>,
}

impl LambdaProxy {
    pub(crate) async fn start(
        aws: &SdkConfig,
        lambda_answers: u16,
        lost: Option<[&'static str; 2]>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            emulator: aws.endpoint_url().unwrap().to_owned(),
            invocations: Arc::default(),
            aws: aws.clone(),
            lambda_answers,
            lost,
        };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let proxy = serving.clone();
                tokio::spawn(async move { proxy.serve(stream).await });
            }
        });
        proxy
    }

    /// The SDK's configuration of a function whose calls pass this proxy.
    pub(crate) fn sdk_config(&self) -> SdkConfig {
        let aws = self.aws.clone().into_builder();
        aws.endpoint_url(self.url.clone()).build()
    }

    async fn serve(&self, mut stream: TcpStream) {
        // The function that calls has a shorter limit of its own.
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap();
        let mut read = vec![];
        loop {
            let head = loop {
                if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break String::from_utf8(read[..end + 4].to_vec()).unwrap();
                }
                if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let headers: Vec<_> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .collect();
            let header = |name: &str| {
                let named = headers.iter().find(|(is, _)| is.eq_ignore_ascii_case(name));
                named.map(|(_, value)| (*value).to_owned())
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            while read.len() < head.len() + length {
                if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let body = String::from_utf8(read[head.len()..head.len() + length].to_vec()).unwrap();
            read.drain(..head.len() + length);
            if self
                .lost
                .is_some_and(|lost| lost.iter().all(|text| body.contains(text)))
            {
                return std::future::pending().await;
            }
            let (status, answer) = if head.starts_with("POST /2015-03-31/functions/") {
                let kind = header("x-amz-invocation-type").unwrap_or_default();
                let function = head.split('/').nth(3).unwrap();
                let input = serde_json::from_str(&body).unwrap();
                let mut invocations = self.invocations.lock().unwrap();
                invocations.push((format!("{function} {kind}"), input));
                (self.lambda_answers, "{}".to_owned())
            } else {
                let mut words = head.split(' ');
                let method = words.next().unwrap().parse().unwrap();
                let url = format!("{}{}", self.emulator, words.next().unwrap());
                let mut call = http.request(method, url).body(body);
                for (name, value) in &headers {
                    if !["host", "content-length", "connection"]
                        .contains(&name.to_ascii_lowercase().as_str())
                    {
                        call = call.header(*name, *value);
                    }
                }
                let answer = call.send().await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            };
            let head = format!(
                "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            let answer = format!("{head}{answer}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}
