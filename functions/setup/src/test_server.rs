//! A server for tests, for responses that ConnectWise's simulator never sends.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Responds by method and path, and reports the head of each request.
pub(crate) async fn server(
    answer: impl Fn(&str, &str) -> Value + Send + 'static,
) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let mut words = head.split([' ', '?']);
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let body = answer(method, path).to_string();
            let length = format!("content-length: {}", body.len());
            let whole = format!("HTTP/1.1 200 OK\r\n{length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(whole.as_bytes()).await.unwrap();
            let _ = sender.send(head);
        }
    });
    (origin, requests)
}
