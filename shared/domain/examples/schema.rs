//! Prints the JSON Schema of the webhook's events: `cargo run -p domain --example schema > events/schema.json`.

fn main() {
    println!("{:#}", domain::wire::webhook::schema());
}
