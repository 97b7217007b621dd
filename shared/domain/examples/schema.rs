//! Prints the JSON Schema of the events that sources post, or with the argument `outgoing` of those
//! that their webhooks receive: `cargo run -p domain --example schema > events/schema.json`.

fn main() {
    let schema = match std::env::args().nth(1).as_deref() {
        Some("outgoing") => domain::outgoing::cloud_event::schema(),
        Some(_) | None => domain::wire::webhook::schema(),
    };
    println!("{schema:#}");
}
