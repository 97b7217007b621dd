//! Writes `docs/sources`, a page for each preset: `cargo run -p domain --example source_pages`.

mod render;

fn main() -> std::io::Result<()> {
    let folder = render::folder();
    for (name, text) in render::pages()? {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
